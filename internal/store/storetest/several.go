package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// alone is a store that one process has for itself.
func alone(s *suite) {
	if second, err := s.opener(s.T, s.clock); !errors.Is(err, store.ErrLocked) {
		s.Errorf("opened twice: %v, %v", second, err)
	}
	s.reopen()
}

// several are the tests of two opens of one store.
func several() map[string]func(*suite) {
	return map[string]func(*suite){
		"two opens: each reads what the other commits":      shared,
		"two opens: a partition is one's at a time":         handedOver,
		"two opens: what a process held is free at its end": inherited,
		"two opens: of two claims of a thing one is given":  claimedApart,
		"two opens: a number is acknowledged once":          acksApart,
		"two opens: one of two writes of a version happens": versionsApart,
		"two opens: a delayed event appears once":           releasedApart,
		"two opens: numbers become visible in order":        visibleInOrder,
		"two opens: who watches learns what others append":  watched,
	}
}

// second opens the store again, beside the first.
func (s *suite) second() *suite {
	s.Helper()
	other := &suite{T: s.T, opener: s.opener, clock: s.clock, s: s.open()}
	s.Cleanup(func() { other.s.Close() })
	return other
}

func shared(a *suite) {
	b := a.second()
	a.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1)}, Documents: []store.Write{put("d", `{"a":1}`)}, Meta: []store.Meta{{Key: "k", Value: "v"}}})
	b.commit(&store.Batch{Events: []*pipelined.Event{event("x", 2)}, Documents: []store.Write{put("e", `{"b":2}`)}})
	for i, s := range []*suite{a, b} {
		meta, err := s.s.Meta(s.Context(), "k")
		if err != nil || meta != "v" || s.last() != 2 || s.body("d") != `{"a":1}` || s.body("e") != `{"b":2}` || s.count() != 2 {
			s.Errorf("open %d sees %d events, %d documents, %q, %v", i, s.last(), s.count(), meta, err)
		}
	}
}

// handedOver gives a partition from one to the other. What the first does late is lost.
func handedOver(a *suite) {
	b := a.second()
	a.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2)}})
	a.subscribe("sub", 0)
	first := a.lease("sub")
	if got, err := b.s.Acquire(b.Context(), "sub"); err != nil || len(got) != 0 {
		b.Fatalf("leased twice: %+v, %v", got, err)
	}
	a.commit(&store.Batch{Acks: []store.Ack{{Subscription: "sub", Epoch: first.Epoch, Seq: 1}}})
	a.must(a.s.Release(a.Context(), []store.Lease{first}))
	second := b.lease("sub")
	if second.Epoch == first.Epoch || second.Floor != 1 || !ended(first) || ended(second) {
		b.Errorf("%+v after %+v, ended: %v", second, first, ended(first))
	}
	a.refused(&store.Batch{Acks: []store.Ack{{Subscription: "sub", Epoch: first.Epoch, Seq: 2}}, Documents: []store.Write{put("d", `{}`)}}, store.ErrTaken)
	if err := a.s.Renew(a.Context(), []store.Lease{first}); !errors.Is(err, store.ErrTaken) {
		a.Errorf("renewing what is another's: %v", err)
	}
	b.commit(&store.Batch{Acks: []store.Ack{{Subscription: "sub", Epoch: second.Epoch, Seq: 2}}})
	if a.count() != 0 {
		a.Error("a part of a batch under a lost lease happened")
	}
}

// inherited closes one store: leases and claims go to the other.
func inherited(a *suite) {
	b := a.second()
	a.subscribe("sub", 0)
	first := a.lease("sub")
	held := a.claim("tick", "t")[0]
	a.commit(&store.Batch{Values: []store.ClaimValue{{Claim: held.Claim, Value: "half"}}})
	if got := b.claim("tick", "t")[0]; !errors.Is(got.Err, store.ErrTaken) {
		b.Errorf("claimed while another has it: %+v", got)
	}
	a.must(a.s.Close())
	if second := b.lease("sub"); second.Epoch == first.Epoch || !ended(first) {
		b.Errorf("%+v after %+v", second, first)
	}
	got := b.claim("tick", "t")[0]
	if got.Err != nil || got.Attempts != 2 || got.Value != "half" || got.Epoch == held.Epoch {
		b.Errorf("%+v after %+v", got, held)
	}
	b.refused(&store.Batch{Claims: []store.Claim{held.Claim}}, store.ErrTaken)
	b.commit(&store.Batch{Claims: []store.Claim{got.Claim}})
}

// claimedApart has both claim the same things at the same time.
func claimedApart(a *suite) {
	const things = 30
	b := a.second()
	var given [things]atomic.Int64
	var wg sync.WaitGroup
	for _, s := range []*suite{a, b} {
		wg.Go(func() {
			for i := range things {
				got, err := s.s.Claim(s.Context(), []store.Claim{{Kind: "key", Key: fmt.Sprint(i)}})
				if err != nil {
					s.Error(err)
				} else if got[0].Err == nil {
					given[i].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for i := range given {
		if n := given[i].Load(); n != 1 {
			a.Errorf("claim %d was given %d times", i, n)
		}
	}
}

// acksApart has both acknowledge under the lease of one: a number is done once.
func acksApart(a *suite) {
	b := a.second()
	a.subscribe("sub", 0)
	ack := a.ack("sub", 0, 1)
	a.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1)}})
	a.commit(&store.Batch{Acks: []store.Ack{ack}})
	b.refused(&store.Batch{Acks: []store.Ack{ack}}, store.ErrTaken)
}

// versionsApart counts up one document from both, each time from the version it read.
func versionsApart(a *suite) {
	const each = 25
	b := a.second()
	a.commit(&store.Batch{Documents: []store.Write{put("n", `0`)}})
	var wg sync.WaitGroup
	for _, s := range []*suite{a, b} {
		wg.Go(func() {
			for done := 0; done < each; {
				d, err := s.s.Get(s.Context(), "c", "n")
				if err != nil || d == nil {
					s.Error(d, err)
					return
				}
				w := put("n", fmt.Sprint(d.Version))
				w.IfVersion = d.Version
				_, err = s.s.Commit(s.Context(), &store.Batch{Documents: []store.Write{w}})
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrConflict) {
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := a.body("n"); got != fmt.Sprint(2*each) {
		a.Errorf("counted to %s", got)
	}
}

// releasedApart has both release what is due.
func releasedApart(a *suite) {
	const events = 40
	b := a.second()
	for n := range events {
		a.commit(&store.Batch{Delayed: []store.DelayedEvent{{Event: event("x", n), Due: epoch.Add(time.Minute)}}})
	}
	var got atomic.Int64
	var wg sync.WaitGroup
	for _, s := range []*suite{a, b} {
		wg.Go(func() {
			for {
				list, err := s.s.ReleaseDelayed(s.Context(), epoch.Add(time.Hour), 3)
				if err != nil {
					s.Error(err)
				}
				if len(list) == 0 {
					return
				}
				got.Add(int64(len(list)))
			}
		})
	}
	wg.Wait()
	if a.last() != events || got.Load() != events {
		a.Errorf("%d events of %d, %d told", a.last(), events, got.Load())
	}
}

// watched is woken by what others append, and not before.
func watched(a *suite) {
	b := a.second()
	a.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1)}})
	woken := b.s.Watch(1)
	select {
	case <-woken:
		b.Error("woken before anything was appended")
	default:
	}
	a.commit(&store.Batch{Events: []*pipelined.Event{event("x", 2)}})
	<-woken
	<-b.s.Watch(1) // it is there already
	if b.last() != 2 {
		b.Errorf("%d events", b.last())
	}
}

// visibleInOrder appends from both while a third reads on: it sees every number, in
// order, without coming back.
func visibleInOrder(a *suite) {
	const each = 100
	b, reader := a.second(), a.second()
	var wg sync.WaitGroup
	for _, s := range []*suite{a, b} {
		wg.Go(func() {
			for n := range each {
				if _, err := s.s.Commit(s.Context(), &store.Batch{Events: []*pipelined.Event{event("x", n), event("y", n)}}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	after := int64(0)
	for after < 4*each && !a.Failed() {
		list, _, err := reader.s.Read(reader.Context(), after, 7)
		if err != nil {
			reader.Error(err)
		}
		for _, e := range list {
			if after++; e.Seq != after {
				reader.Errorf("number %d follows %d", e.Seq, after-1)
			}
		}
	}
	wg.Wait()
}
