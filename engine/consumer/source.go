package consumer

import (
	"encoding/json"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/program"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// FailedPrefix is what the keys begin with under which the store knows that of a
// partition of a source an event failed for good; the partition follows. Who reads the
// source forgets them.
func FailedPrefix(p *program.Pipeline) string {
	return "source/failed/" + p.TriggerKind + "." + p.Name + "/"
}

// Brought tells in which partition of its source an event was, if a source brought it
// and it is here for the first time: one that is sent again is no news of its source.
func Brought(ev *pipelined.Event) (partition string, ok bool) {
	partition, ok = ev.Headers[pipelined.PartitionHeader]
	_, again := ev.Headers[pipelined.ToHeader]
	return partition, ok && !again && ev.Attempt < 2
}

// failed notes, in the commit that ends an event of a source, that it failed.
func (c *Consumer) failed(p *program.Pipeline, ev *store.StoredEvent, o *attempt.Outcome, b *store.Batch) {
	if o.Problem == nil {
		return
	}
	if _, source := p.Plan.(*triggers.Source); !source {
		return
	}
	if partition, ok := Brought(&ev.Event); ok {
		b.Meta = append(b.Meta, store.Meta{Key: FailedPrefix(p) + partition, Value: ev.ID})
	}
}

// undecoded is why an event of a source is none that its pipeline can run for; nil for
// one that is.
func undecoded(ev *store.StoredEvent) error {
	text, ok := ev.Headers[pipelined.ProblemHeader]
	if !ok {
		return nil
	}
	p := &pipelined.Problem{}
	if err := json.Unmarshal([]byte(text), p); err != nil || p.Title == "" {
		return pipelined.NewProblem("source/undecoded", "What came from outside could not be decoded", 422, "why is not known")
	}
	return p
}
