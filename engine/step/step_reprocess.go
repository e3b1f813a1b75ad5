package step

import (
	"context"
	"fmt"
	"time"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/pattern"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

type reprocessParams struct {
	Reprocess struct {
		Collection  Literal         `yaml:"collection" required:"" doc:"Collection of error records, as on_failure writes them."`
		Batch       int             `yaml:"batch" default:"200" min:"1" max:"10000" doc:"At most this many records each time."`
		MaxAttempts int             `yaml:"max_attempts" required:"" min:"1" max:"1000" doc:"Deliveries of an event in all; a record with this many is exhausted."`
		Backoff     *backoffOptions `yaml:"backoff" doc:"How long a record waits before it is republished; default is until the next run."`
		Republish   Literal         `yaml:"republish" doc:"original (default: the same event again, same id, attempt + 1), or the event type to publish it as."`
		Exhausted   Block           `yaml:"exhausted" required:"" doc:"Steps for a record at its limit, with the record as item and as input; they commit with its change of state."`
	} `yaml:"reprocess" required:"" doc:"The reprocessor."`
}

type backoffOptions struct {
	Kind    string        `yaml:"kind" enum:"constant,exponential" default:"exponential" doc:"How the wait grows."`
	Initial time.Duration `yaml:"initial" required:"" doc:"The wait after the first failure."`
	Max     time.Duration `yaml:"max" default:"24h" doc:"The longest wait."`
	Jitter  string        `yaml:"jitter" enum:"none,full" default:"none" doc:"full waits a random part of the backoff."`
}

func (o *backoffOptions) backoff() pipelined.Backoff {
	if o == nil {
		return pipelined.Backoff{}
	}
	return pipelined.NewBackoff(o.Kind, o.Initial, o.Max, o.Jitter)
}

func reprocessControl() *Control {
	return define("reprocess", "Republishes failed events from a collection of error records, or gives them up at a limit.",
		"`republished`, `exhausted`, `waiting`", `
- reprocess:
    collection: order_errors
    max_attempts: 5
    backoff: { initial: 5m, max: 6h }
    exhausted:
      - publish: { event: order.failed }
`, buildReprocess)
}

func buildReprocess(b *Compiler, c *field.Context, n *Node, p *reprocessParams) Action {
	r := p.Reprocess
	if !b.storeFacts(c, r.Collection, false) {
		return nil
	}
	s := &reprocess{
		node: n, collection: r.Collection.Text, batch: r.Batch, maxAttempts: r.MaxAttempts,
		itemSlot: b.slot(), docSlot: b.slot(),
	}
	if t := r.Republish.Text; t != "" && t != "original" {
		if reason := pattern.CheckType(t); reason != "" {
			c.Report(CodeEventType, diag.Error, r.Republish.node, reason, "Nothing could be republished.", "write original, or a dotted event type")
			return nil
		}
		s.republishAs = t
		b.Facts.Publishes = append(b.Facts.Publishes, Mention{t, c.Range(r.Republish.node)})
	}
	inner := b.inner(c.Symbols)
	inner.Declare("item", &expression.Symbol{Slot: s.itemSlot})
	inner.Declare("input", &expression.Symbol{Slot: execution.SlotInput})
	inner.Declare("error", &expression.Symbol{Slot: execution.SlotError, Type: ProblemType})
	b.loops++
	s.exhausted = b.block(c, r.Exhausted, inner)
	b.loops--
	s.names = b.close(c.Symbols, inner, "step %s belongs to one record of a reprocess step")
	syms := expression.NewSymbols(nil)
	syms.Declare("doc", &expression.Symbol{Slot: s.docSlot})
	due, err := expression.CompileCondition(dueRecords, dueSymbols(syms, s))
	if err != nil {
		panic("step: " + err.Summary)
	}
	s.due = due
	b.Facts.Reprocesses = append(b.Facts.Reprocesses, Reprocessor{
		Collection: s.collection, MaxAttempts: r.MaxAttempts, Backoff: r.Backoff.backoff(), At: n.At})
	return s
}

// dueRecords is what the reprocessor looks for; an index on status and
// next_attempt_at answers it.
const dueRecords = `doc.status == "pending" and doc.next_attempt_at <= limit`

func dueSymbols(syms *expression.Symbols, s *reprocess) *expression.Symbols {
	syms.Declare("limit", &expression.Symbol{Slot: s.itemSlot})
	return syms
}

// reprocess is the third pipeline of the asynchronous model in one step. For
// each due record it changes the record's state and republishes or gives up, all
// of it part of the execution's one commit: two runs that overlap cannot both
// republish a record, since the second one's version check fails.
type reprocess struct {
	node        *Node
	collection  string
	batch       int
	maxAttempts int
	republishAs string
	exhausted   Flow
	names       []named
	due         expression.Condition
	itemSlot    int
	docSlot     int
}

func (*reprocess) composite() {}

func (s *reprocess) Run(ctx context.Context, x *execution.Execution) (any, error) {
	now := x.Run.Clock.Now()
	frame := x.Frame.Fork()
	frame.Slots[s.itemSlot] = now.UTC().Format(objectstore.TimeFormat)
	records, err := x.Effects.Documents().Find(ctx, objectstore.FindQuery{
		Collection: s.collection, OrderBy: []store.Order{{Path: "next_attempt_at"}}, Limit: s.batch,
		Where: objectstore.Where{Program: s.due.Program, Frame: frame, Slot: s.docSlot}})
	if err != nil {
		return nil, cut(ctx, err)
	}
	list, err := value.Elements(records)
	if err != nil {
		return nil, err
	}
	republished, exhausted := 0, 0
	for i, doc := range list {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		gaveUp, err := s.one(ctx, x, doc, i, now)
		if err != nil {
			return nil, err
		}
		if gaveUp {
			exhausted++
		} else {
			republished++
		}
	}
	return map[string]any{"republished": republished, "exhausted": exhausted}, nil
}

// one handles one record; gaveUp reports that it is exhausted now.
func (s *reprocess) one(ctx context.Context, x *execution.Execution, doc any, index int, now time.Time) (gaveUp bool, err error) {
	rec, version, err := objectstore.ParseErrorRecord(doc)
	if err != nil {
		return false, pipelined.Problemf("reprocess/record", "Not an error record", 500,
			"a document in %s is not an error record: %v", s.collection, err)
	}
	docs := x.Effects.Documents()
	if rec.Permanent || rec.Attempts >= s.maxAttempts {
		reason := fmt.Sprintf("attempt %d of %d", rec.Attempts, s.maxAttempts)
		if rec.Permanent {
			reason = "the error is permanent"
		}
		rec.Exhaust(now, reason)
		if err := s.save(ctx, docs, rec, version); err != nil {
			return false, err
		}
		return true, s.giveUp(ctx, x, rec, index)
	}
	rec.Reprocess(now)
	if err := s.save(ctx, docs, rec, version); err != nil {
		return false, err
	}
	only := s.republishAs == "" && x.Run.Program.Takes(rec.Pipeline, rec.Event.Type)
	ev := rec.Again(only)
	if s.republishAs != "" {
		ev.Type = s.republishAs
	}
	x.Effects.Publish(ev, time.Time{})
	return false, nil
}

func (s *reprocess) save(ctx context.Context, docs *objectstore.Session, rec *objectstore.ErrorRecord, version int64) error {
	raw, err := rec.Document()
	if err != nil {
		return err
	}
	_, err = docs.Put(ctx, s.collection, rec.ID, raw, version)
	return cut(ctx, err)
}

// giveUp runs the exhausted steps with the record as item and input.
func (s *reprocess) giveUp(ctx context.Context, x *execution.Execution, rec *objectstore.ErrorRecord, index int) error {
	raw, err := rec.Document()
	if err != nil {
		return err
	}
	slots := x.Frame.Slots
	input, problem, item := slots[execution.SlotInput], slots[execution.SlotError], slots[s.itemSlot]
	defer func() {
		slots[execution.SlotInput], slots[execution.SlotError], slots[s.itemSlot] = input, problem, item
	}()
	slots[execution.SlotInput], slots[s.itemSlot] = raw, raw
	slots[execution.SlotError] = value.Get(raw, value.NewPath("error"))
	clearResults(x, s.names)
	defer x.BeginTurns()()
	x.Turn(index)
	return s.exhausted.Run(ctx, x)
}
