package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// Feeds is a source of the test's: the trigger feed reads, every second, the lists that
// the test puts there for its project.
type Feeds struct {
	mu    sync.Mutex
	byDir map[string]*Feed
	batch int
}

// NewFeeds returns feeds that deliver one event at a time.
func NewFeeds() *Feeds { return &Feeds{byDir: map[string]*Feed{}, batch: 1} }

// Batch is how many events the feeds that follow deliver at a time.
func (f *Feeds) Batch(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batch = n
}

// Of is the feed of the project in a folder.
func (f *Feeds) Of(dir string) *Feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.byDir[dir]
	if one == nil {
		one = &Feed{lists: map[string][]string{}, closed: map[string]bool{}, finished: map[string]bool{}, batch: f.batch}
		f.byDir[dir] = one
	}
	return one
}

// Feed is the lists of one project. A list is a partition, its cursor how many of it are delivered. A
// list that was closed is finished, and forgotten, when its events have ended.
type Feed struct {
	mu       sync.Mutex
	lists    map[string][]string
	closed   map[string]bool
	finished map[string]bool // whether one of it failed
	fail     error
	batch    int
	starts   int
	reading  int
	client   any
}

type feedParams struct {
	triggers.SourceOptions
	Connection string `yaml:"connection" doc:"A connection, which is not used."`
	Blocks     bool   `yaml:"blocks" doc:"Waits in a way of its own."`
}

// Trigger is the trigger feed.
func (f *Feeds) Trigger() *triggers.Spec {
	scope := func(*feedParams) triggers.Scope { return triggers.Scope{triggers.NameEvent: triggers.EventScope} }
	return triggers.Define("feed", triggers.Doc{Summary: "Reads what a test has put there."}, scope,
		func(p *feedParams, c *field.Context) triggers.Plan {
			s, fine := p.Source(c)
			if !fine {
				return nil
			}
			s.Reads, s.Connection, s.Polls = "a feed", p.Connection, !p.Blocks
			s.Start = func(ctx context.Context, env triggers.Env, deliver triggers.Deliver) error {
				return f.Of(env.Dir).start(ctx, env, deliver)
			}
			return &s
		})
}

// Put adds to a list. An item is one JSON document; one that begins with ! cannot be
// decoded.
func (f *Feed) Put(list string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists[list] = append(f.lists[list], items...)
}

// End closes a list.
func (f *Feed) End(list string) { f.set(func() { f.closed[list] = true }) }

// Fail has the source end with an error whenever it looks; nil ends that.
func (f *Feed) Fail(err error) { f.set(func() { f.fail = err }) }

// Finished tells which lists are, and whether one of their events failed.
func (f *Feed) Finished() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]bool{}
	for k, v := range f.finished {
		out[k] = v
	}
	return out
}

// Starts is how often the source was begun, and Reading how many read now.
func (f *Feed) Starts() (starts, reading int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts, f.reading
}

// Client is what the source was lent last.
func (f *Feed) Client() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.client
}

func (f *Feed) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *Feed) start(ctx context.Context, env triggers.Env, deliver triggers.Deliver) error {
	f.set(func() { f.starts++; f.reading++; f.client = env.Client })
	defer f.set(func() { f.reading-- })
	at, err := env.Cursors.All(ctx)
	if err != nil {
		return err
	}
	for {
		if err := f.look(ctx, env, deliver, at); err != nil {
			return err
		}
		if err := env.Wait(ctx, time.Second); err != nil {
			return err
		}
	}
}

// look delivers what is new, list by list, and finishes what is to be.
func (f *Feed) look(ctx context.Context, env triggers.Env, deliver triggers.Deliver, at map[string]string) error {
	f.mu.Lock()
	fail, batch := f.fail, f.batch
	lists, ending := map[string][]string{}, []string{}
	for name, items := range f.lists {
		lists[name] = slices.Clone(items)
		if _, over := f.finished[name]; f.closed[name] && !over {
			ending = append(ending, name)
		}
	}
	f.mu.Unlock()
	if fail != nil {
		return fail
	}
	for name, items := range lists {
		n, _ := strconv.Atoi(at[name])
		for n < len(items) {
			b := triggers.Batch{Partition: name}
			for range min(batch, len(items)-n) {
				b.Events = append(b.Events, feedEvent(name, n, items[n]))
				n++
			}
			b.Cursor = strconv.Itoa(n)
			if err := deliver(b); err != nil {
				return err
			}
			at[name] = b.Cursor
		}
	}
	return f.finish(ctx, env, ending, at)
}

func (f *Feed) finish(ctx context.Context, env triggers.Env, lists []string, at map[string]string) error {
	ended, err := env.Cursors.Ended(ctx, lists...)
	if err != nil {
		return err
	}
	for name, how := range ended {
		f.set(func() { f.finished[name] = how.Failed; delete(f.lists, name) })
		delete(at, name)
		if err := env.Cursors.Drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func feedEvent(list string, n int, item string) triggers.Event {
	ev := triggers.Event{Key: list, From: fmt.Sprintf("feed:%s/%d", list, n), Data: value.Raw(item)}
	if item[0] == '!' {
		ev.Data = value.Raw(value.Quote(item))
		ev.Problem = pipelined.Problemf("feed/undecoded", "It cannot be decoded", 422, "item %d of %s", n, list)
	}
	return ev
}
