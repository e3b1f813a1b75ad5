package objectstore_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pipelined/internal/value"
	"pipelined/objectstore"
)

// Random programs run in branches of one session; afterwards there must be an order of
// what they did, one after the other and each branch's in its own order, that gives the
// same results and the same documents. What a branch reads and then writes is one thing
// done: nothing may come in between.

// thread is one branch: what it has to do, and what it did. A thread with a parent runs
// while the parent stands at step `at`.
type thread struct {
	session  *objectstore.Session
	parent   *thread
	at       int // of the parent's deeds
	plan     []func() error
	deeds    []deed
	children []*thread
	failed   error
}

// program is the threads of a random program.
type program struct {
	*bench
	random  *rand.Rand
	threads []*thread
	next    int // value that no other write has

	collection string
}

var (
	serialIDs    = []string{"a", "b"}
	serialFields = []string{"x", "y"}
)

func (p *program) id() string    { return serialIDs[p.random.IntN(len(serialIDs))] }
func (p *program) field() string { return serialFields[p.random.IntN(len(serialFields))] }
func (p *program) fresh() int    { p.next += 100; return p.next }

// newProgram is a program of a collection of its own.
func newProgram(t *testing.T, b *bench, seed uint64) *program {
	own := &bench{T: t, store: b.store, clock: b.clock}
	return &program{bench: own, random: rand.New(rand.NewPCG(seed, 7)), collection: fmt.Sprintf("c%d", seed)}
}

// branch plans a branch of n things to do, some of them in parts that fail or not, and
// some in branches of its own.
func (p *program) branch(s *objectstore.Session, parent *thread, n, depth int) *thread {
	t := &thread{session: s, parent: parent}
	p.threads = append(p.threads, t)
	for n > 0 {
		switch r := p.random.IntN(12); {
		case r < 3 && n > 1:
			k := 1 + p.random.IntN(min(n, 3))
			n -= k
			p.part(t, k)
		case r == 3 && depth == 0 && n > 2:
			n -= 2
			p.forks(t)
		default:
			n--
			p.thing(t)
		}
	}
	return t
}

// part plans k things that are kept or dropped together.
func (p *program) part(t *thread, k int) {
	var mark objectstore.Mark
	var deeds, children int
	t.plan = append(t.plan, func() error {
		mark, deeds, children = t.session.Mark(), len(t.deeds), len(t.children)
		t.session.Begin()
		return nil
	})
	for range k {
		p.thing(t)
	}
	keep := p.random.IntN(3) > 0
	t.plan = append(t.plan, func() error {
		if keep {
			t.session.Keep()
			return nil
		}
		t.session.Rollback(mark, true)
		t.deeds, t.children = t.deeds[:deeds], t.children[:children]
		return nil
	})
}

// forks plans two branches of the branch, run in between each other.
func (p *program) forks(t *thread) {
	var inner []*thread
	var group *objectstore.Group
	t.plan = append(t.plan, func() error {
		group = t.session.Fork()
		for i := range 2 {
			c := p.branch(group.Branch(objectstore.Branch{Turn: i}, 0), t, 2, 1)
			c.at = len(t.deeds)
			inner = append(inner, c)
			t.children = append(t.children, c)
		}
		return nil
	})
	for range 60 { // enough for both to end
		t.plan = append(t.plan, func() error { return step(inner[p.random.IntN(2)]) })
	}
	t.plan = append(t.plan, func() error {
		for _, c := range inner {
			for len(c.plan) > 0 {
				if err := step(c); err != nil {
					return err
				}
			}
		}
		group.Close()
		return nil
	})
}

// step does the next thing a thread has to do.
func step(t *thread) error {
	if len(t.plan) == 0 || t.failed != nil {
		return t.failed
	}
	next := t.plan[0]
	t.plan = t.plan[1:]
	t.failed = next()
	return t.failed
}

// thing plans one deed. Reading and writing are two steps, so that others may come in
// between; what meets a conflict starts again.
func (p *program) thing(t *thread) {
	ctx, s := p.Context(), t.session
	d := deed{id: p.id(), field: p.field()}
	var shown value.Raw
	var tries int
	var read, write func() error
	read = func() error {
		if tries == 0 && d.kind != "add" && d.kind != "merged" && d.kind != "get and delete" {
			return nil
		}
		doc, _, err := s.Get(ctx, p.collection, d.id)
		shown = doc
		return err
	}
	write = func() error {
		err := p.write(t, d, shown)
		if status(err) == 409 {
			if tries++; tries > 8 {
				return err
			}
			t.plan = append([]func() error{read, write}, t.plan...)
			return nil
		}
		return err
	}
	switch p.random.IntN(8) {
	case 0:
		d.kind, d.value = "put", p.fresh()
	case 1:
		d.kind, d.value = "insert", p.fresh()
	case 2:
		d.kind = "delete"
	case 3:
		d.kind = "get and delete"
	case 4:
		d.kind, d.value = "update", p.fresh()
	case 5:
		d.kind = "merged"
	default:
		d.kind = "add"
	}
	t.plan = append(t.plan, read, write)
}

// write does what a deed is and notes it.
func (p *program) write(t *thread, d deed, shown value.Raw) (err error) {
	ctx, s := p.Context(), t.session
	plus := func() value.Raw {
		fields := map[string]int{}
		for _, name := range serialFields {
			if n, ok := value.Int(value.Get(shown, value.NewPath(name))); ok {
				fields[name] = int(n)
			}
		}
		fields[d.field]++
		if d.kind == "merged" {
			fields = map[string]int{d.field: fields[d.field]}
		}
		text, _ := json.Marshal(fields)
		return value.Raw(text)
	}
	switch d.kind {
	case "put":
		_, err = s.Put(ctx, p.collection, d.id, value.Raw(fmt.Sprintf(`{"x":%d}`, d.value)), 0)
	case "insert":
		_, err = s.Insert(ctx, p.collection, d.id, value.Raw(fmt.Sprintf(`{"x":%d}`, d.value)))
		d.result = 1
		if err != nil && strings.Contains(err.Error(), "it exists already") {
			d.result, err = 0, nil
		}
	case "add":
		_, err = s.Put(ctx, p.collection, d.id, plus(), 0)
	case "merged":
		d.result, err = s.Update(ctx, objectstore.UpdateQuery{Collection: p.collection, ID: d.id, Merge: plus()})
	case "update":
		d.result, err = s.Update(ctx, objectstore.UpdateQuery{Collection: p.collection, ID: d.id,
			Merge: value.Raw(fmt.Sprintf(`{%q:%d}`, d.field, d.value))})
	case "delete", "get and delete":
		d.result, err = s.Delete(ctx, objectstore.DeleteQuery{Collection: p.collection, ID: d.id})
		d.kind = "delete"
	}
	if err == nil {
		t.deeds = append(t.deeds, d)
	}
	return err
}

func (p *program) documents(s *objectstore.Session) model {
	p.Helper()
	m := model{}
	list, err := s.Find(p.Context(), objectstore.FindQuery{Collection: p.collection})
	if err != nil {
		p.Fatal(err)
	}
	for _, d := range list {
		fields := map[string]int{}
		for _, name := range serialFields {
			if n, ok := value.Int(value.Get(d, value.NewPath(name))); ok {
				fields[name] = int(n)
			}
		}
		m[value.Get(d, value.NewPath("_id")).(string)] = fields
	}
	return m
}

// start makes a session in which something may have been done before.
func (p *program) start() (s *objectstore.Session, before model) {
	if p.random.IntN(2) == 0 {
		stored := p.session()
		if _, err := stored.Put(p.Context(), p.collection, "a", `{"x":1}`, 0); err != nil {
			p.Fatal(err)
		}
		if err := p.commit(stored); err != nil {
			p.Fatal(err)
		}
	}
	s = p.session()
	for _, id := range serialIDs {
		switch p.random.IntN(6) {
		case 0:
			if _, err := s.Put(p.Context(), p.collection, id, `{"x":5,"y":5}`, 0); err != nil {
				p.Fatal(err)
			}
		case 1:
			if _, err := s.Update(p.Context(), objectstore.UpdateQuery{Collection: p.collection, ID: id, Merge: `{"y":3}`}); err != nil {
				p.Fatal(err)
			}
		}
	}
	return s, p.documents(p.detached(s))
}

// detached is a look at a session that does not count as shown to its author.
func (p *program) detached(s *objectstore.Session) *objectstore.Session {
	return s.Fork().Branch(objectstore.Branch{Name: "look"}, 0)
}

// check compares what came of a program with the model, in the session and after the
// commit.
func (p *program) check(s *objectstore.Session, before model) {
	p.Helper()
	after := p.documents(p.detached(s))
	if !p.explain(before, after) {
		var b strings.Builder
		for i, t := range p.threads {
			fmt.Fprintf(&b, "%d (at %d of %p): %v\n", i, t.at, t.parent, t.deeds)
		}
		p.Fatalf("no order gives %s from %s:\n%s", after, before, &b)
	}
	if err := p.commit(s); err != nil {
		p.Fatal(err)
	}
	if stored := p.documents(p.session()); stored.String() != after.String() {
		p.Errorf("stored is %s, and was to be %s", stored, after)
	}
}

// TestBranchesAreExplainedByAnOrder runs branches in between each other, one step at a
// time, in an order that the seed gives.
func TestBranchesAreExplainedByAnOrder(t *testing.T) {
	t.Parallel()
	programs := 400
	if testing.Short() {
		programs = 150
	}
	ended, b := 0, start(t)
	for seed := range programs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newProgram(t, b, uint64(seed))
			s, before := p.start()
			group := s.Fork()
			var outer []*thread
			for i := range 2 + p.random.IntN(4) {
				outer = append(outer, p.branch(group.Branch(objectstore.Branch{Turn: i}, 0), nil, 2+p.random.IntN(3), 0))
			}
			for left := slices.Clone(outer); len(left) > 0; {
				i := p.random.IntN(len(left))
				if step(left[i]) != nil {
					return // an error is an outcome; it must be the rare one
				}
				if len(left[i].plan) == 0 {
					left = slices.Delete(left, i, i+1)
				}
			}
			group.Close()
			ended++
			p.check(s, before)
		})
	}
	if ended < programs*9/10 {
		t.Errorf("only %d of %d programs came to an end without an error", ended, programs)
	}
}

// TestBranchesAreExplainedByAnOrderWhateverRunsFirst is the same with goroutines.
func TestBranchesAreExplainedByAnOrderWhateverRunsFirst(t *testing.T) {
	t.Parallel()
	b := start(t)
	for seed := range 200 {
		p := newProgram(t, b, uint64(seed))
		s, before := p.start()
		group := s.Fork()
		for i := range 2 + p.random.IntN(4) {
			p.branch(group.Branch(objectstore.Branch{Turn: i}, 0), nil, 4, 1)
		}
		var running sync.WaitGroup
		for _, b := range p.threads {
			running.Go(func() {
				for len(b.plan) > 0 && step(b) == nil {
				}
			})
		}
		running.Wait()
		group.Close()
		if !slices.ContainsFunc(p.threads, func(b *thread) bool { return b.failed != nil }) {
			p.check(s, before)
		}
	}
}
