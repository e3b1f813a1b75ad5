package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined/engine"
	"pipelined/engine/enginetest"
	"pipelined/engine/scenario"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// crashing is a project whose process dies at a fault point and is started again, on
// virtual time.
type crashing struct {
	*harness
	world *world

	begin func(e *engine.Engine) // has something start
	begun bool
}

func newCrashing(t *testing.T, text string, w *world, begin func(*engine.Engine)) *crashing {
	t.Helper()
	h := &harness{t: t, dir: t.TempDir(), log: &logBuffer{}, have: w.set()}
	h.write(text)
	return &crashing{harness: h, world: w, begin: begin}
}

// life is one process: it ends at a point, or when nothing more is to be done. It reports
// which of both, and how many points it passed.
func (c *crashing) life(seed uint64, at time.Time, stopAt int, begin bool) (ended bool, points int, now time.Time) {
	c.t.Helper()
	fake := clock.NewFake(at)
	host := scenario.NewHost(fake, seed).StopAt(stopAt)
	s := c.disk.Open(fake)
	defer c.disk.Abandon()
	program := c.compile()
	ended = host.Run(func() {
		e, err := engine.New(context.Background(), program, engine.Config{Store: s, Clock: fake, Host: host,
			Random: host.Random, Logger: slog.New(slog.NewTextHandler(c.log, nil))})
		if err != nil {
			c.t.Error(err)
			return
		}
		if begin {
			c.begun = true
			c.begin(e)
		}
		for range 30 {
			if _, err := e.RunDue(context.Background()); err != nil {
				c.t.Error(err)
			}
			_ = host.Sleep(context.Background(), time.Minute)
		}
	})
	return ended, host.Points(), fake.Now()
}

// die runs the project, ended at its nth point, and to its end after. It reports whether
// there was such a point.
func (c *crashing) die(seed uint64, n int) bool {
	c.t.Helper()
	c.disk = enginetest.NewDisk(c.t)
	c.world.did()
	c.begun = false
	ended, _, now := c.life(seed, epoch, n, true)
	if !ended {
		if again, _, _ := c.life(seed+1, now, 0, false); !again {
			c.t.Fatal("the second process ends, too")
		}
	}
	return !ended
}

// left is what the store holds after.
func (c *crashing) left(collection string) (docs, journal []string) {
	c.t.Helper()
	s := c.disk.Open(clock.NewFake(epoch))
	defer c.disk.Abandon()
	err := s.Find(context.Background(), store.Query{Collection: collection}, func(d *store.Document) (bool, error) {
		docs = append(docs, d.ID+" "+d.Body)
		return true, nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return docs, rows(c.t, s)
}

// nested is a flow that does things outside in every kind of block, and then what more
// says.
const nested = `steps:
  - name: first
    world: { do: first }
    compensate: [ { world: { do: undo first, with: "${{ steps.first.id }}" } } ]
  - parallel:
      left:
        - name: port
          world: { do: port }
          compensate: [ { world: { do: undo port } } ]
      right:
        - name: starboard
          world: { do: starboard }
          compensate: [ { world: { do: undo starboard } } ]
  - foreach: 1..2
    as: n
    steps:
      - name: turn
        world: { do: "turn-${{ n }}" }
        compensate: [ { world: { do: "undo turn-${{ n }}" } } ]
  - try:
      - name: tried
        world: { do: tried }
        compensate: [ { world: { do: undo tried } } ]
    catch: []
  - name: whole
    call: { pipeline: called, with: { n: 7 } }
    compensate: [ { world: { do: undo whole } } ]
`

const calledPipeline = `-- called.yaml --
pipeline: called
steps:
  - name: inner
    world: { do: "inner-${{ input.n }}" }
    compensate: [ { world: { do: "undo inner-${{ input.n }}" } } ]
`

// sagaStarts are the ways something starts under crashes.
var sagaStarts = []struct {
	name, trigger string
	again         bool // it comes again after a crash
	begin         func(e *engine.Engine)
}{
	{"request", "trigger: { http: { method: POST, path: /trip } }\n", false, func(e *engine.Engine) {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/trip", strings.NewReader(`{"n":1}`)))
	}},
	{"event", "trigger: { event: { types: [trip.new] } }\n", true, func(e *engine.Engine) { _, _ = e.Publish(context.Background(), newEvent("trip.new", `{"n":1}`)) }},
	{"event with retry", "trigger: { event: { types: [trip.new], retry: { attempts: 3, initial: 1m } } }\n", true,
		func(e *engine.Engine) { _, _ = e.Publish(context.Background(), newEvent("trip.new", `{"n":1}`)) }},
	{"tick", "trigger: { cron: { schedule: \"31 9 * * *\", missed: all } }\n", true, func(*engine.Engine) {}},
}

// TestSagasSurviveEveryCrash: wherever the process dies, in twenty orders of what runs
// beside each other, an execution is whole or undone. What was undone is not done again,
// and nothing is left in the journal.
func TestSagasSurviveEveryCrash(t *testing.T) {
	t.Parallel()
	for _, s := range sagaStarts {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fails: %v", s.name, fails), func(t *testing.T) {
				t.Parallel()
				more := "  - object_store.put: { collection: done, id: one, document: {} }\n"
				if fails {
					more += "  - fail: { type: trip/broken, retriable: true }\n"
				}
				w := newWorld()
				c := newCrashing(t, "-- trip.yaml --\npipeline: trip\n"+s.trigger+nested+more+calledPipeline, w, s.begin)
				died := 0
				for seed := range uint64(20) {
					for n := 1 + int(seed); c.die(seed, n); n += 20 { // each point in one of the orders
						died++
						checkSaga(t, c, s.again, fails, fmt.Sprintf("seed %d, point %d", seed, n))
					}
				}
				if died < 20 {
					t.Errorf("the process died %d times", died)
				}
			})
		}
	}
}

func checkSaga(t *testing.T, c *crashing, again, fails bool, where string) {
	t.Helper()
	docs, journal := c.left("done")
	open := c.world.open()
	whole := []string{"first", "inner-7", "port", "starboard", "tried", "turn-1", "turn-2"}
	lines := slices.Clone(c.world.lines)
	sorted := slices.Sorted(slices.Values(open))
	switch {
	case len(journal) > 0:
		t.Errorf("%s: the journal holds %q", where, journal)
	case fails && (len(open) > 0 || len(docs) > 0):
		t.Errorf("%s: %q is not undone, %q: %q", where, open, docs, lines)
	case !c.begun && again && len(docs) == 0:
	case !fails && again && (len(docs) != 1 || !slices.Equal(sorted, whole)):
		t.Errorf("%s: %q is done, %q: %q", where, open, docs, lines)
	case !fails && !again && len(docs) == 1 && !slices.Equal(sorted, whole), !fails && !again && len(docs) == 0 && len(open) > 0:
		t.Errorf("%s: %q is done, %q: %q", where, open, docs, lines)
	}
	undoing := false
	for _, line := range lines {
		undoes := strings.HasPrefix(line, "undo ")
		if undoing && !undoes {
			t.Errorf("%s: %s is done after something was undone: %q", where, line, lines)
			return
		}
		undoing = undoing || undoes
	}
	if t.Failed() {
		t.Logf("%s", c.log)
		t.FailNow()
	}
}

// TestAfterCommitSurvivesEveryCrash: wherever the process dies, an execution that is
// committed is followed by its after_commit, whose effects are there once; one that is not,
// by nothing.
func TestAfterCommitSurvivesEveryCrash(t *testing.T) {
	t.Parallel()
	for _, s := range sagaStarts {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fails once: %v", s.name, fails), func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				c := newCrashing(t, "-- trip.yaml --\npipeline: trip\n"+s.trigger+`steps:
  - object_store.insert: { collection: done, id: one, document: {} }
  - parallel: { a: [ { call: { pipeline: called, with: { n: 1 } } } ], b: [ { call: { pipeline: called, with: { n: 2 } } } ] }
after_commit:
  - world: { do: mark }
  - object_store.insert: { collection: marked, id: one, document: {} }
-- called.yaml --
pipeline: called
steps: [ { world: { do: "work-${{ input.n }}" } } ]
after_commit:
  - object_store.insert: { collection: marked, id: "called-${{ input.n }}", document: {} }
  - world: { do: "mark-${{ input.n }}" }
`, w, s.begin)
				died := 0
				for seed := range uint64(20) {
					for n := 1 + int(seed)%10; ; n += 10 { // each point in two of the orders
						if fails {
							w.fails("mark", w.times["mark"]+1, errAway)
						}
						if !c.die(seed, n) {
							break
						}
						died++
						checkAfter(t, c, s.again, fmt.Sprintf("seed %d, point %d", seed, n))
					}
				}
				if died < 10 {
					t.Errorf("the process died %d times", died)
				}
			})
		}
	}
}

func checkAfter(t *testing.T, c *crashing, again bool, where string) {
	t.Helper()
	docs, journal := c.left("done")
	marked, _ := c.left("marked")
	letters, _ := c.left("dead_letters")
	line := strings.Join(c.world.lines, " ")
	switch {
	case len(journal) > 0 || len(letters) > 0:
		t.Errorf("%s: %q is left, %q", where, journal, letters)
	case again && c.begun && len(docs) != 1:
		t.Errorf("%s: it was not done: %s", where, line)
	case len(docs) == 1 && (len(marked) != 3 || !strings.Contains(line+" ", "mark ") || !strings.Contains(line, "mark-1") || !strings.Contains(line, "mark-2")):
		t.Errorf("%s: it was done, %q: %s", where, marked, line)
	case len(docs) == 0 && (len(marked) > 0 || strings.Contains(line, "mark")):
		t.Errorf("%s: it was not done, %q: %s", where, marked, line)
	}
	if t.Failed() {
		t.Logf("%s", c.log)
		t.FailNow()
	}
}
