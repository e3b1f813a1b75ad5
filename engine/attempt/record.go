package attempt

import (
	"context"
	"errors"
	"fmt"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// succeed ends a run whose flow ended well: an error record of its event is resolved.
func (t *run) succeed(ctx context.Context) {
	var err error
	switch f := t.Pipeline.OnFailure; {
	case t.Record != "":
		err = t.resolve(ctx, DeadLetters, t.Record)
	case t.Event == nil:
		return
	case t.Event.Type == FailedType:
		err = t.handled(ctx)
	case t.Number < 2:
		return
	case f != nil:
		err = t.resolve(ctx, f.Collection, t.Event.ID)
	default:
		err = t.resolve(ctx, DeadLetters, t.Event.ID)
	}
	if err != nil && !t.beyond(ctx, err) {
		t.Logger.Warn("an error record could not be brought up to date; what it is of was processed all the same",
			"pipeline", t.Pipeline.Name, "execution", t.o.ID, "err", err)
	}
}

func (t *run) resolve(ctx context.Context, collection, id string) error {
	docs := t.x.Effects.Documents()
	_, rec, version, err := FindRecord(ctx, docs, collection, id, t.Pipeline.Name)
	if err != nil || rec == nil {
		return err
	}
	rec.Resolve(t.Clock.Now(), answered(t.x.Reply()))
	return save(ctx, docs, collection, rec, version)
}

// answered is what a redriven request would have been told.
func answered(r *pipelined.Reply) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("answered %d: %.200s", max(r.Status, 200), r.Body)
}

// save writes a record that was at version; -1 means that there was none.
func save(ctx context.Context, docs *objectstore.Session, collection string, rec *objectstore.ErrorRecord, version int64) error {
	raw, err := rec.Document()
	if err != nil {
		return err
	}
	_, err = docs.Put(ctx, collection, rec.ID, raw, version)
	return err
}

// FindRecord finds the record of what a pipeline failed on, and returns its id and
// version; no record is nil, and -1. The id is the event's, but where another pipeline
// has a record of the same event in the same collection: then the name of the pipeline
// is appended.
func FindRecord(ctx context.Context, docs *objectstore.Session, collection, event, pipeline string) (id string, rec *objectstore.ErrorRecord, version int64, err error) {
	own := event + ":" + pipeline
	for _, id := range []string{event, own} {
		doc, ok, err := docs.Get(ctx, collection, id)
		if err != nil || !ok {
			return id, nil, -1, err
		}
		rec, version, err := objectstore.ParseErrorRecord(doc)
		if err != nil {
			return id, nil, 0, pipelined.Problemf(typeRecord, "Not an error record", 500,
				"document %s in %s is not an error record: %v", id, collection, err)
		}
		if rec.Pipeline == pipeline {
			return id, rec, version, nil
		}
	}
	return "", nil, 0, pipelined.Problemf(typeRecord, "Not an error record", 500,
		"documents %s and %s in %s belong to other pipelines", event, own, collection)
}

// typeRecord is that something else stands where the record of an event would.
const typeRecord = "on_failure/record"

func foreign(err error) bool {
	var p *pipelined.Problem
	return errors.As(err, &p) && p.Type == typeRecord
}

// recordFailure writes or updates the error record of an event.
func (t *run) recordFailure(ctx context.Context, f *program.OnFailure) error {
	docs, now, p := t.x.Effects.Documents(), t.Clock.Now(), t.o.Problem
	id, rec, version, err := FindRecord(ctx, docs, f.Collection, t.Event.ID, t.Pipeline.Name)
	if err != nil {
		return err
	}
	input, err := value.JSON(t.Input)
	if err != nil {
		return err
	}
	if rec == nil {
		rec = objectstore.NewErrorRecord(t.Event.Event, t.Pipeline.Name, input, p, t.Number, now)
		rec.ID = id
	} else {
		rec.Fail(t.Event.Event, input, p, t.Number, now)
	}
	if !f.Permanent.IsZero() {
		if rec.Permanent, err = t.holds(f.Permanent.Program, p); err != nil {
			return err
		}
	}
	rec.Schedule(f.Backoff, f.MaxAttempts, t.Values.Random())
	return save(ctx, docs, f.Collection, rec, version)
}
