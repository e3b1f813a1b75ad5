package attempt

import (
	"context"
	"fmt"
	"maps"
	"time"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// Collections and event types of the runtime itself.
const (
	// DeadLetters keeps executions that failed and that nothing handled, as error
	// records, whatever started them.
	DeadLetters = program.DeadLetters
	// FailedType is the event the error trigger takes.
	FailedType = "pipelined.execution.failed"
	// RedriveType is the event that starts again what no event started. Its key is the
	// pipeline, its data a Redrive.
	RedriveType = "pipelined.redrive"
)

// errorTrigger is what a failure is said to be handled by that the error trigger takes.
const errorTrigger = "error trigger"

// deadLetter keeps what nothing handled and tells the error trigger. The failure of an
// error handler is kept too, but starts no handler again.
func (t *run) deadLetter(ctx context.Context) error {
	if t.Waiting {
		if kept, err := t.floodgate(ctx); !kept {
			return err
		}
	}
	rec, version, err := t.letter(ctx)
	if err != nil {
		return err
	}
	docs := t.x.Effects.Documents()
	if !t.Pipeline.Handles() && t.Revision.Handler(t.Pipeline.Name) != "" {
		if err := t.tellHandler(rec); err != nil {
			return err
		}
	}
	return save(ctx, docs, DeadLetters, rec, version)
}

// letter is the record of this failure, on top of what is kept of earlier ones.
func (t *run) letter(ctx context.Context) (rec *objectstore.ErrorRecord, version int64, err error) {
	docs := t.x.Effects.Documents()
	id := t.o.ID
	version = -1
	switch {
	case t.Record != "":
		id = t.Record
		rec, version, err = readRecord(ctx, docs, id)
	case t.Event != nil:
		id, rec, version, err = FindRecord(ctx, docs, DeadLetters, t.Event.ID, t.Pipeline.Name)
		if foreign(err) { // what stands there stays
			id, version, err = t.o.ID, -1, nil
		}
	}
	if err != nil {
		return nil, 0, err
	}
	input, err := value.JSON(t.Input)
	if err != nil { // bytes, or a stream: the failure is kept without
		input = "null"
	}
	var ev pipelined.Event
	if t.Event != nil {
		ev = t.Event.Event
	}
	if rec == nil {
		rec = objectstore.NewErrorRecord(ev, t.Pipeline.Name, input, t.o.Problem, t.Number, t.Clock.Now())
		rec.ID = id
	} else {
		rec.Fail(ev, input, t.o.Problem, t.Number, t.Clock.Now())
	}
	rec.Trigger, rec.Execution = t.Trigger, t.o.ID
	if t.Left != nil {
		return rec, version, t.Left.record(rec)
	}
	if t.Event == nil {
		t.start(rec)
	}
	return rec, version, nil
}

// start keeps what is needed to start again what no event started.
func (t *run) start(rec *objectstore.ErrorRecord) {
	if t.Tick != nil {
		rec.Scheduled, rec.Previous = t.Tick.Scheduled, t.Tick.Previous
	}
	if t.Request == nil {
		return
	}
	if request, err := value.JSON(withoutCredentials(t.Request())); err == nil {
		rec.Request = []byte(request)
	}
}

// credentials are the headers, in lower case, that say who the caller is.
var credentials = []string{"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"}

// withoutCredentials is a request as it may be kept and shown (I7): what its caller proved
// himself with is not in it.
func withoutCredentials(request any) any {
	m, ok := value.Open(request).(map[string]any)
	if !ok {
		return request
	}
	headers, ok := value.Open(m["headers"]).(map[string]any)
	if !ok {
		return request
	}
	m, headers = maps.Clone(m), maps.Clone(headers)
	for _, name := range credentials {
		if _, there := headers[name]; there {
			headers[name] = "***"
		}
	}
	m["headers"] = headers
	return m
}

func readRecord(ctx context.Context, docs *objectstore.Session, id string) (*objectstore.ErrorRecord, int64, error) {
	doc, ok, err := docs.Get(ctx, DeadLetters, id)
	if err != nil || !ok {
		return nil, -1, err
	}
	rec, version, err := objectstore.ParseErrorRecord(doc)
	if err != nil {
		return nil, 0, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return rec, version, nil
}

// tellHandler publishes what the error trigger takes.
func (t *run) tellHandler(rec *objectstore.ErrorRecord) error {
	doc, err := rec.Document()
	if err != nil {
		return err
	}
	more, err := value.JSON(map[string]any{"attempt": t.Number, "started_at": t.o.Started, "failed_at": rec.LastFailedAt})
	if err != nil {
		return err
	}
	data, err := value.MergePatch(doc, more)
	if err != nil {
		return err
	}
	t.o.Handled = errorTrigger
	t.x.Effects.Publish(&pipelined.Event{
		ID: t.Values.NewID(), Type: FailedType, Source: t.x.Run.Source(), Time: t.Clock.Now(),
		Key: t.Pipeline.Name, Data: string(data), Attempt: 1}, time.Time{})
	return nil
}

// handled notes in a dead letter that its error handler has run well.
func (t *run) handled(ctx context.Context) error {
	id, _ := value.Get(t.Input, idPath).(string)
	docs := t.x.Effects.Documents()
	rec, version, err := readRecord(ctx, docs, id)
	if err != nil || rec == nil || rec.Status != objectstore.Pending {
		return err
	}
	rec.Handle(t.Clock.Now(), t.Pipeline.Name)
	return save(ctx, docs, DeadLetters, rec, version)
}

var idPath = value.NewPath("id")

// floodgate keeps failures of waiting requests that come by the hundred from filling
// the disk: they are counted in one letter.
func (t *run) floodgate(ctx context.Context) (kept bool, err error) {
	p := t.o.Problem
	kept, letter, count := t.floods.pass(floodKey{t.Pipeline.Name, p.Pipeline, p.Step, p.Type}, t.Clock.Now(), t.o.ID)
	if kept {
		return true, nil
	}
	t.o.flood = true
	if count == 0 {
		return false, nil
	}
	t.o.flooded = count
	t.Record = letter
	rec, version, err := t.letter(ctx)
	t.Record = ""
	if err != nil {
		return false, err
	}
	rec.Count = count
	return false, save(ctx, t.x.Effects.Documents(), DeadLetters, rec, version)
}

// Redrive is the data of an event of RedriveType.
type Redrive struct {
	Record string `json:"record"` // its id in the dead letters
}

// NewRedrive is the event that starts again what a record of the dead letters holds.
func NewRedrive(rec *objectstore.ErrorRecord, id string, now time.Time) (*pipelined.Event, error) {
	data, err := value.JSON(map[string]any{"record": rec.ID})
	if err != nil {
		return nil, err
	}
	return &pipelined.Event{ID: id, Type: RedriveType, Source: "/pipelined", Time: now, Key: rec.Pipeline, Data: string(data), Attempt: 1}, nil
}

// rekey puts a converted letter where its event's record is looked for, in the place of
// the document it was.
func rekey(ctx context.Context, docs *objectstore.Session, d *store.Document, rec *objectstore.ErrorRecord) error {
	version := d.Version
	if rec.Event.ID != "" {
		id, _, _, err := FindRecord(ctx, docs, DeadLetters, rec.Event.ID, rec.Pipeline)
		if err == nil && id != d.ID { // an older letter of the same event gives way
			rec.ID, version = id, 0
			if _, err := docs.Delete(ctx, objectstore.DeleteQuery{Collection: DeadLetters, ID: d.ID}); err != nil {
				return fmt.Errorf("move dead letter %s: %w", d.ID, err)
			}
		}
	}
	return save(ctx, docs, DeadLetters, rec, version)
}

// ConvertLetters turns dead letters of older stores, which were no error records, into
// such, and returns how many they were.
func ConvertLetters(ctx context.Context, s interface {
	store.Documents
	store.Committer
}, kept objectstore.Collections, newID func() string, now func() time.Time) (int, error) {
	docs := objectstore.NewSession(s, kept, newID, now)
	n := 0
	err := s.Find(ctx, store.Query{Collection: DeadLetters}, func(d *store.Document) (bool, error) {
		rec, err := objectstore.ConvertLetter(d.ID, value.Raw(d.Body))
		if err != nil || rec == nil {
			return err == nil, err
		}
		n++
		err = rekey(ctx, docs, d, rec)
		return err == nil, err
	})
	if err != nil || n == 0 {
		return 0, err
	}
	_, err = s.Commit(ctx, &store.Batch{At: now(), Documents: docs.Writes(now())})
	return n, err
}
