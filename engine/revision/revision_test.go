package revision_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/engine/revision"
)

// fresh is a revision without connections.
func fresh() *revision.Revision { return revision.New(&program.Program{}, nil) }

// gone reports whether nothing works with a revision any more.
func gone(r *revision.Revision) bool {
	select {
	case <-r.Gone():
		return true
	default:
		return false
	}
}

// TestARevisionIsGoneWithItsLastPin, in whatever order they are let go of.
func TestARevisionIsGoneWithItsLastPin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		replace int // before which pin is let go of the revision is replaced
	}{
		{"replaced before its work ends", 0},
		{"replaced in the middle of it", 2},
		{"replaced after all of it", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var current revision.Current
			if old := current.Use(fresh()); old != nil {
				t.Fatal("there was one before the first")
			}
			first := current.Load()
			pins := make([]*revision.Revision, 4)
			for i := range pins {
				if pins[i] = current.Pin(); pins[i] != first {
					t.Fatal("another is pinned than is in use")
				}
			}
			for i := range len(pins) + 1 {
				if i == tt.replace {
					old := current.Use(fresh())
					if old != first || current.Pin() == first {
						t.Fatal("the one before is still in use")
					}
					old.Unpin()
				}
				if last := tt.replace <= i && i == len(pins); gone(first) != last {
					t.Fatalf("after %d of %d it is gone: %v", i, len(pins), gone(first))
				}
				if i < len(pins) {
					pins[i].Unpin()
				}
			}
			if gone(current.Load()) {
				t.Error("the one in use is gone")
			}
		})
	}
}

// TestThereIsNothingToPinAtTheEnd: when the one in use was let go of, Pin says so, at once
// or when the last work has ended.
func TestThereIsNothingToPinAtTheEnd(t *testing.T) {
	t.Parallel()
	var current revision.Current
	current.Use(fresh())
	work := current.Pin()
	current.Load().Unpin()
	if again := current.Pin(); again != work {
		t.Fatal("what works with it may pin it again")
	}
	work.Unpin()
	if gone(work) {
		t.Fatal("it is gone while it is pinned")
	}
	work.Unpin()
	if !gone(work) || current.Pin() != nil {
		t.Error("it can be pinned after its end")
	}
}

// TestPinsUnderReloads pins while revisions are replaced: nobody ever works with one that
// is gone, and each goes exactly once.
func TestPinsUnderReloads(t *testing.T) {
	t.Parallel()
	const reloads, workers = 500, 8
	var current revision.Current
	current.Use(fresh())
	all := []*revision.Revision{current.Load()}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r := current.Pin()
				if r == nil {
					t.Error("there is one in use all the time")
					return
				}
				if gone(r) {
					t.Error("what is pinned is gone")
				}
				r.Unpin()
			}
		})
	}
	for range reloads {
		next := fresh()
		all = append(all, next)
		current.Use(next).Unpin()
	}
	close(stop)
	work.Wait()
	for i, r := range all[:reloads] {
		if !gone(r) {
			t.Errorf("revision %d is not gone", i)
		}
	}
	if gone(current.Load()) {
		t.Error("the one in use is gone")
	}
}

const worker = "-- NAME.yaml --\npipeline: NAME\ntrigger: { event: { types: [NAME.new] } }\nsteps: [ { stop: true } ]\n"

// TestHandler tells which pipeline takes the failures of which, for every kind of error
// trigger beside every other.
func TestHandler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		handlers map[string]string // their error triggers
		want     map[string]string // of the pipelines a and b, and of the handlers themselves
	}{
		{"none", nil, map[string]string{"a": "", "b": ""}},
		{"a general one takes all but its own", map[string]string{"all": "{}"}, map[string]string{"a": "all", "b": "all", "all": ""}},
		{"one that lists takes what it lists", map[string]string{"some": "{ pipelines: [a] }"}, map[string]string{"a": "some", "b": "", "some": ""}},
		{"one that lists goes before the general one", map[string]string{"all": "{}", "some": "{ pipelines: [a] }"},
			map[string]string{"a": "some", "b": "all", "some": "all", "all": ""}},
		{"two that list", map[string]string{"first": "{ pipelines: [a] }", "second": "{ pipelines: [b] }"},
			map[string]string{"a": "first", "b": "second", "first": "", "second": ""}},
		{"one that lists itself does not handle itself", map[string]string{"some": "{ pipelines: [a, some] }"}, map[string]string{"a": "some", "some": ""}},
		{"nor does the general one in its place", map[string]string{"all": "{}", "some": "{ pipelines: [some] }"}, map[string]string{"a": "all", "some": "", "all": ""}},
		{"each lists the other", map[string]string{"first": "{ pipelines: [second] }", "second": "{ pipelines: [first] }"},
			map[string]string{"a": "", "first": "second", "second": "first"}},
		{"of a pipeline there is not", map[string]string{"some": "{ pipelines: [a] }"}, map[string]string{"nowhere": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.ReplaceAll(worker, "NAME", "a") + strings.ReplaceAll(worker, "NAME", "b")
			for name, trigger := range tt.handlers {
				text += fmt.Sprintf("-- %s.yaml --\npipeline: %s\ntrigger: { error: %s }\nsteps: [ { stop: true } ]\n", name, name, trigger)
			}
			r := revision.New(enginetest.Compile(t, text), nil)
			for name, want := range tt.want {
				if got := r.Handler(name); got != want {
					t.Errorf("failures of %s go to %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestLimits tells how many events of a type may wait for whom.
func TestLimits(t *testing.T) {
	t.Parallel()
	limited := func(name, types string, most int) string {
		trigger := "types: [" + types + "]"
		if most > 0 {
			trigger += fmt.Sprintf(", max_backlog: %d", most)
		}
		return fmt.Sprintf("-- %s.yaml --\npipeline: %s\ntrigger: { event: { %s } }\nsteps: [ { stop: true } ]\n", name, name, trigger)
	}
	text := limited("exact", "order.new", 7) + limited("all", `"order.*"`, 9) + limited("free", "order.new", 0) + limited("free_too", "invoice.sent", 0)
	r := revision.New(enginetest.Compile(t, text), nil)
	if !r.Limited() || revision.New(enginetest.Compile(t, limited("free", "order.new", 0)), nil).Limited() {
		t.Error("whether anything is limited is wrong")
	}
	for typ, want := range map[string][]string{
		"order.new":      {"all 9", "exact 7"},
		"order.old":      {"all 9"},
		"order.line.new": {"all 9"},
		"invoice.sent":   nil,
	} {
		var got []string
		r.Limit(typ, func(pipeline string, most int64) bool {
			got = append(got, fmt.Sprint(pipeline, " ", most))
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s is limited by %v, want %v", typ, got, want)
		}
	}
	visits := 0
	r.Limit("order.new", func(string, int64) bool { visits++; return false })
	if visits != 1 {
		t.Errorf("a visitor that has enough is called %d times", visits)
	}
}
