package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// TestHowADeliveryEnds: what becomes of an attempt tells the broker whether its event comes
// again, when, and as which attempt.
func TestHowADeliveryEnds(t *testing.T) {
	t.Parallel()
	retried := work("retry: { attempts: 3, backoff: constant, initial: 10s, jitter: none }", looks+writes)
	away := fmt.Errorf("%w: no space", store.ErrUnavailable)
	tests := []struct {
		name    string
		prepare func(b *bench)
		then    func(b *bench)
		wait    time.Duration // after which it comes again; 0: at once, -1: never
		attempt int           // that comes again
		says    string
	}{
		{"well", func(*bench) {}, nil, -1, 0, ""},
		{"failed", func(b *bench) { b.Probe.On("look", fails(pipelined.NewProblem("x", "X", 500, ""))) }, nil, -1, 0, "an execution failed"},
		{"put off", func(b *bench) { b.Probe.On("look", fails(pipelined.NewProblem("x", "X", 503, "").Transient())) },
			func(b *bench) { b.Probe.On("look", nil) }, 10 * time.Second, 2, ""},
		{"nothing can be stored", func(b *bench) { b.Store.Refuse(away) }, nil, 250 * time.Millisecond, 1, "it will be delivered again"},
		{"it is not known whether it is stored", func(b *bench) { b.Store.Refuse(store.ErrInDoubt) }, nil, 250 * time.Millisecond, 1, "it will be delivered again"},
		{"somebody else has done it", func(b *bench) { b.Store.Refuse(store.ErrTaken) }, nil, -1, 0, "is dropped, because the event is done with"},
		{"cut off by a drain", func(b *bench) {
			work, stop := context.WithCancelCause(b.Context())
			b.work = work
			b.Probe.On("look", func(context.Context, any) (any, error) {
				stop(pipelined.ErrStopping)
				return nil, pipelined.ErrStopping
			})
		}, func(b *bench) { b.work = b.Context(); b.Probe.On("look", nil) }, 0, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, retried)
			b.publish("job.new", "", `{"n":1}`)
			tt.prepare(b)
			b.handle(b.next())
			if tt.then != nil {
				tt.then(b)
			}
			if tt.says != "" && len(b.Logs.Lines(tt.says)) != 1 {
				t.Errorf("the log says\n%s", b.Logs)
			}
			if tt.wait > 0 {
				b.Clock.Advance(tt.wait - 1)
				if d := b.next(); d != nil {
					t.Fatalf("it comes again too early, as attempt %d", d.Attempt)
				}
				b.Clock.Advance(1)
			}
			d := b.next()
			if (d == nil) != (tt.wait < 0) {
				t.Fatalf("it comes again: %v; %s\n%s", d != nil, b.status("work"), b.Logs)
			}
			if d != nil {
				if d.Attempt != tt.attempt {
					t.Errorf("it comes as attempt %d", d.Attempt)
				}
				b.handle(d)
				if doc := b.One("done"); doc["attempt"] != float64(tt.attempt) {
					t.Errorf("it ran as %v", doc)
				}
			}
			if got := b.status("work"); got != "0 ready, 0 running, 0 waiting" || b.left("work") && tt.name != "somebody else has done it" {
				t.Errorf("at the end: %s", got)
			}
		})
	}
}

func fails(err error) func(context.Context, any) (any, error) {
	return func(context.Context, any) (any, error) { return nil, err }
}

// TestADeliveryThatCannotRunDoesNot: nothing outside is called for nothing, and the event
// is there when it can.
func TestADeliveryThatCannotRunDoesNot(t *testing.T) {
	t.Parallel()
	text := work("", looks+writes)
	other := "-- other.yaml --\npipeline: other\ntrigger: { event: { types: [job.old] } }\nsteps: [ { stop: true } ]\n"
	tests := []struct {
		name        string
		hinder, let func(b *bench)
	}{
		{"the store cannot commit", func(b *bench) { b.Store.Sicken(errors.New("the disk is full")) },
			func(b *bench) { b.Store.Sicken(nil); b.Clock.Advance(250 * time.Millisecond) }},
		{"its pipeline went a moment ago", func(b *bench) { b.Use(other) }, func(b *bench) { b.swap(text) }},
		{"the engine lets go of its revision", func(b *bench) { b.Current.Load().Unpin() }, func(b *bench) { b.Current.Use(b.Prepare(text)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, text)
			b.publish("job.new", "", `{"n":1}`)
			d := b.next()
			tt.hinder(b)
			b.handle(d)
			if n := b.Probe.Calls("look"); n != 0 {
				t.Errorf("it ran %d times", n)
			}
			tt.let(b)
			if n := b.settle(); n != 1 || b.Probe.Calls("look") != 1 || b.One("done")["attempt"] != 1.0 || b.left("work") {
				t.Errorf("afterwards %d deliveries ran: %v\n%s", n, b.Documents("done"), b.Logs)
			}
		})
	}
}

// TestAttemptsCountOn: a delivery's attempt goes on from that of the event, which was
// published again, and from how often the process died of it.
func TestAttemptsCountOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, work("retry: { attempts: 3, backoff: constant, initial: 10s, jitter: none }", looks+writes))
	var seen []string
	b.Probe.On("look", func(_ context.Context, with any) (any, error) {
		seen = append(seen, fmt.Sprint(with))
		if len(seen) < 3 {
			return nil, pipelined.NewProblem("x", "X", 503, "").Transient()
		}
		return nil, nil
	})
	ev := b.Event("job.new", "", `{"n":7}`)
	ev.Attempt = 4
	b.Publish(ev)
	for range 3 {
		b.settle()
		b.Clock.Advance(10 * time.Second)
	}
	want := `[{"n":7,"attempt":4,"crashes":0} {"n":7,"attempt":5,"crashes":0} {"n":7,"attempt":6,"crashes":0}]`
	if fmt.Sprint(seen) != want {
		t.Errorf("seen are %s", seen)
	}
	if _, err := b.broker.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.publish("job.new", "", `{"n":8}`)
	if _, err := b.broker.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := b.broker.Out()
	if len(out) != 1 || !b.broker.HandOut(out[0], 2) {
		t.Fatalf("%d are out", len(out))
	}
	b.handle(out[0])
	if got := seen[len(seen)-1]; got != `{"n":8,"attempt":1,"crashes":2}` {
		t.Errorf("of what the process died of it sees %s", got)
	}
}

// TestATriggersExpressionThatFailsIsAFailureEachTime: the flow never runs on an event that
// could not be asked, though it is delivered again, after a restart, or from aside.
func TestATriggersExpressionThatFailsIsAFailureEachTime(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"where: input.n.x.y > 1", "order_by: input.n.x.y + 1", "fair_by: input.n.x.y + 1"} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart: %v", setting, restart), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, work(setting+", retry: { attempts: 2, backoff: constant, initial: 10s, jitter: none, when: \"true\" }", looks+writes))
				ev := b.publish("job.new", "", `{"n":1}`)
				if n := b.settle(); n != 1 || b.status("work") != "0 ready, 0 running, 1 waiting" {
					t.Errorf("%d deliveries, %s", n, b.status("work"))
				}
				if restart {
					b.Reopen()
					b.again()
				}
				b.Clock.Advance(10 * time.Second)
				b.settle()
				if n := b.Probe.Calls("look"); n > 0 || len(b.Documents("done")) > 0 {
					t.Errorf("the flow ran %d times", n)
				}
				if rec := b.record("dead_letters", ev.ID); rec.Attempts != 2 || b.left("work") {
					t.Errorf("%+v", rec)
				}
			})
		}
	}
}

// TestAnAcceptedRequestSeesItsRequest, and input is its body alone.
func TestAnAcceptedRequestSeesItsRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, "-- web.yaml --\npipeline: web\ntrigger: { http: { method: POST, path: /web, respond: accepted } }\nsteps:\n"+
		"  - probe: { do: look, with: [ \"${{ request.path }}\", \"${{ input }}\" ] }\n")
	seen := ""
	b.Probe.On("look", func(_ context.Context, with any) (any, error) { seen = fmt.Sprint(with); return nil, nil })
	b.publish("pipelined.http.web", "", `{"request":{"path":"/web"},"input":{"big":9007199254740993}}`)
	if n := b.settle(); n != 1 || seen != `["/web",{"big":9007199254740993}]` {
		t.Errorf("%d ran, and saw %s", n, seen)
	}
}

// TestALoopOfADeliveryGoesOn in the next process, and in the next delivery.
func TestALoopOfADeliveryGoesOn(t *testing.T) {
	t.Parallel()
	for _, putOff := range []bool{false, true} {
		t.Run(fmt.Sprint("put off: ", putOff), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, work("retry: { attempts: 3, backoff: constant, initial: 10s, jitter: none }",
				"steps:\n  - foreach: 1..7\n    as: n\n    commit_every: 2\n    steps:\n      - probe: { do: look, with: \"${{ n }}\" }\n      - publish: { event: row.read }\n"))
			b.Probe.On("look", func(_ context.Context, with any) (any, error) {
				if fmt.Sprint(with) != "6" || b.Probe.Calls("look") > 6 {
					return nil, nil
				}
				if putOff {
					return nil, pipelined.NewProblem("x", "X", 503, "").Transient()
				}
				return nil, pipelined.ErrStopping
			})
			b.publish("job.new", "", `{}`)
			b.handle(b.next())
			if n := len(b.Events("row.read")); n != 4 {
				t.Fatalf("%d rows at first", n)
			}
			b.Reopen()
			b.again()
			b.Clock.Advance(10 * time.Second)
			b.settle()
			if n := len(b.Events("row.read")); n != 7 || b.Probe.Calls("look") != 6+3 || b.left("work") {
				t.Errorf("%d rows after %d turns", n, b.Probe.Calls("look"))
			}
			if left, err := b.Store.Metas(t.Context(), "progress/"); err != nil || len(left) > 0 {
				t.Errorf("left are %v, %v", left, err)
			}
		})
	}
}

// TestWaitWaitsForAllThatIsHandedIn.
func TestWaitWaitsForAllThatIsHandedIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, work("", looks+writes))
		release := make(chan struct{})
		b.Probe.On("look", func(context.Context, any) (any, error) { <-release; return nil, nil })
		for range 3 {
			b.publish("job.new", "", `{}`)
		}
		for range 3 {
			d := b.next()
			go b.broker.Handle(t.Context(), d)
		}
		synctest.Wait()
		waited := make(chan struct{})
		go func() { b.consumer.Wait(); close(waited) }()
		synctest.Wait()
		select {
		case <-waited:
			t.Fatal("it does not wait")
		default:
		}
		close(release)
		<-waited
		if n := len(b.Documents("done")); n != 3 {
			t.Errorf("%d are done", n)
		}
		b.consumer.Wait() // for nothing
	})
}

// TestTheRevisionIsPinnedToTheEnd of a delivery, and not before it.
func TestTheRevisionIsPinnedToTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := work("", looks+writes)
		b := newBench(t, text)
		old := b.Current.Load()
		release := make(chan struct{})
		b.Probe.On("look", func(context.Context, any) (any, error) { <-release; return nil, nil })
		b.publish("job.new", "", `{}`)
		d := b.next()
		go b.broker.Handle(t.Context(), d)
		synctest.Wait()
		b.swap(text)
		select {
		case <-old.Gone():
			t.Fatal("its revision is gone while it runs")
		default:
		}
		close(release)
		b.consumer.Wait()
		<-old.Gone()
	})
}
