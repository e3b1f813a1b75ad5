package consumer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
	"pipelined/triggers"
)

// tooOld applies max_age and skip_stale, which go by the event's own time; it says why
// an event is dropped, or nothing.
func (c *Consumer) tooOld(ctx context.Context, p *program.Pipeline, d *broker.Delivery) string {
	sub := triggers.Taking(p.Plan)
	if sub == nil {
		return ""
	}
	if sub.MaxAge > 0 && c.Runner.Clock.Now().Sub(d.Event.Time) > sub.MaxAge {
		return "it was older than max_age"
	}
	if !sub.SkipStale {
		return ""
	}
	doc, err := c.Runner.Store.Get(ctx, NewestCollection, newestID(p.Name, d.Event.Key))
	if err != nil || doc == nil {
		return "" // running it is the safe side
	}
	if newest, ok := value.Get(value.Raw(doc.Body), timePath).(string); ok && d.Event.Time.UTC().Format(objectstore.TimeFormat) < newest {
		return "it was older than one of the same key that was processed before (skip_stale)"
	}
	return ""
}

// NewestCollection keeps, for skip_stale, the time of the newest processed event of each
// key, for as long as an older one may still come. Authors cannot name it.
const NewestCollection = "_newest"

const newestKept = 30 * 24 * time.Hour

var timePath = value.NewPath("time")

func newestID(pipeline, key string) string { return pipeline + "/" + key }

// remember notes, for skip_stale, that an event of its key was processed.
func (c *Consumer) remember(p *program.Pipeline, ev *store.StoredEvent, b *store.Batch) {
	if sub := triggers.Taking(p.Plan); sub != nil && sub.SkipStale {
		b.Documents = append(b.Documents, store.Write{
			Kind: store.Put, Collection: NewestCollection, ID: newestID(p.Name, ev.Key),
			Document: `{"time":` + string(value.Quote(ev.Time.UTC().Format(objectstore.TimeFormat))) + `}`,
			Expires:  c.Runner.Clock.Now().Add(newestKept)})
	}
}

// Forget is the write that forgets which event of a key a pipeline with skip_stale
// processed last.
func Forget(pipeline, key string) store.Write {
	return store.Write{Kind: store.Delete, Collection: NewestCollection, ID: newestID(pipeline, key)}
}

// drop acknowledges an event that is too old, loudly. A record of its failure is closed
// with the reason in the same commit.
func (c *Consumer) drop(ctx context.Context, kept objectstore.Collections, p *program.Pipeline, d *broker.Delivery, why string, done func(attempt.Ending)) {
	r := c.Runner
	b := &store.Batch{At: c.Runner.Clock.Now()}
	d.Settle(b)
	err := c.discard(ctx, kept, p, &d.Event, why, b)
	var left []*attempt.Left
	if err == nil {
		left, err = r.Orphan(ctx, eventKey(p.Name, &d.Event), attempt.Interrupted(why), b)
	}
	if err != nil {
		done(attempt.Ending{Err: err})
		return
	}
	r.Store.Submit(b, func(res store.Result, err error) {
		if err == nil {
			r.Counters.Expired(p.Name)
			r.Logger.Warn("an event is dropped because "+why, "pipeline", p.Name, "file", p.File,
				"event", d.Event.ID, "type", d.Event.Type, "time", d.Event.Time)
			r.HandOver(left)
		}
		done(attempt.Ending{Result: res, Err: err})
	})
}

func (c *Consumer) discard(ctx context.Context, kept objectstore.Collections, p *program.Pipeline, ev *store.StoredEvent, why string, b *store.Batch) error {
	if ev.Attempt < 2 { // it has not failed yet
		return nil
	}
	collection := attempt.DeadLetters
	if p.OnFailure != nil {
		collection = p.OnFailure.Collection
	}
	docs := objectstore.NewSession(c.Runner.Store, kept, c.Runner.Values.NewID, c.Runner.Clock.Now)
	_, rec, version, err := attempt.FindRecord(ctx, docs, collection, ev.ID, p.Name)
	var foreign *pipelined.Problem
	if errors.As(err, &foreign) && foreign.Status == http.StatusInternalServerError {
		return nil // what stands there is not this event's record
	}
	if err != nil || rec == nil {
		return err
	}
	rec.Discard(c.Runner.Clock.Now(), why)
	doc, err := rec.Document()
	if err != nil {
		return err
	}
	if _, err := docs.Put(ctx, collection, rec.ID, doc, version); err != nil {
		return err
	}
	b.Documents = append(b.Documents, docs.Writes(b.At)...)
	return nil
}
