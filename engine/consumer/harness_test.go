package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/engine/consumer"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// redrives is what the subscription is called that starts again what no event started.
const redrives = "pipelined.redrive"

// bench is a consumer on a broker in a room. Deliveries run one after the other.
type bench struct {
	*enginetest.Room
	broker   *broker.Broker
	consumer *consumer.Consumer
	work     context.Context
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{Room: enginetest.New(t, text), work: t.Context()}
	b.Told = func(batch *store.Batch, r store.Result) { b.broker.Committed(batch, r) }
	b.again()
	return b
}

// again makes another broker of what is in the store, as the next process would.
func (b *bench) again() {
	b.Helper()
	b.consumer = &consumer.Consumer{Runner: b.Runner, Current: &b.Current, Redrive: redrives}
	var err error
	if b.broker, err = broker.New(b.Context(), b.Store, b.Clock, b.NewID, b.Logs.Logger()); err != nil {
		b.Fatal(err)
	}
	b.subscribe()
}

func (b *bench) subscribe() {
	b.Helper()
	change, err := b.broker.Prepare(b.Context(), b.consumer.Subscriptions(b.Current.Load()))
	if err != nil {
		b.Fatal(err)
	}
	change.Use()
}

// swap puts another project in use.
func (b *bench) swap(text string) {
	b.Helper()
	b.Use(text)
	b.subscribe()
}

// settle runs all that is due, and returns how many deliveries that were.
func (b *bench) settle() (n int) {
	b.Helper()
	for ; n < 1000; n++ {
		d := b.next()
		if d == nil {
			return n
		}
		b.handle(d)
	}
	b.Fatalf("there is no end of it\n%s", b.Logs)
	return n
}

// next takes the next delivery; nil if none is due.
func (b *bench) next() *broker.Delivery {
	b.Helper()
	if _, err := b.broker.Dispatch(b.Context()); err != nil {
		b.Fatal(err)
	}
	return b.broker.Take()
}

// handle runs a delivery to its end.
func (b *bench) handle(d *broker.Delivery) {
	b.broker.Handle(b.work, d)
	b.consumer.Wait()
}

// publish publishes an event of a key.
func (b *bench) publish(typ, key, data string) *pipelined.Event {
	b.Helper()
	ev := b.Event(typ, key, data)
	b.Publish(ev)
	return ev
}

// status is how a subscription stands, in short.
func (b *bench) status(name string) string {
	b.Helper()
	for _, s := range b.broker.Status() {
		if s.Name == name {
			return fmt.Sprintf("%d ready, %d running, %d waiting", s.Ready, s.Running, s.Waiting)
		}
	}
	return "none"
}

// left reports whether anything of a subscription would come again in the next process.
func (b *bench) left(name string) bool {
	b.Helper()
	if err := b.broker.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	last, err := b.Store.LastSeq(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	waiting, err := b.Store.Deferred(b.Context(), store.WaitQuery{Subscription: name})
	if err != nil {
		b.Fatal(err)
	}
	list, err := b.Store.Subscriptions(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range list {
		if s.Name == name {
			return s.Floor < last || len(waiting) > 0
		}
	}
	b.Fatalf("there is no subscription %s", name)
	return false
}

// record reads an error record.
func (b *bench) record(collection, id string) *objectstore.ErrorRecord {
	b.Helper()
	doc, err := b.Store.Get(b.Context(), collection, id)
	if err != nil || doc == nil {
		b.Fatalf("record %s/%s: %v, %v; there are %v\n%s", collection, id, doc, err, b.Documents(collection), b.Logs)
	}
	rec, _, err := objectstore.ParseErrorRecord(value.Raw(doc.Body))
	if err != nil {
		b.Fatal(err)
	}
	return rec
}

// save puts a record back.
func (b *bench) save(collection string, rec *objectstore.ErrorRecord) {
	b.Helper()
	doc, err := rec.Document()
	if err != nil {
		b.Fatal(err)
	}
	b.Seed(collection, rec.ID, string(doc))
}

func history(rec *objectstore.ErrorRecord) string {
	var out []string
	for _, h := range rec.History {
		out = append(out, fmt.Sprint(h.What, " ", h.Attempt))
	}
	return strings.Join(out, ", ")
}

// work is a pipeline that takes job.new; settings are of its trigger.
func work(settings, rest string) string {
	if settings != "" {
		settings = ", " + settings
	}
	return "-- work.yaml --\npipeline: work\ntrigger: { event: { types: [job.new]" + settings + " } }\n" + rest
}

const (
	looks  = "steps:\n  - probe: { do: look, with: { n: \"${{ input.n }}\", attempt: \"${{ event.attempt }}\", crashes: \"${{ event.crashes }}\" } }\n"
	writes = "  - object_store.put: { collection: done, id: \"${{ event.id }}\", document: { attempt: \"${{ event.attempt }}\" } }\n"
)
