package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/internal/store/memory"
	"pipelined/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Features{Several: true}, func(*testing.T) storetest.Opener {
		disk := &memory.Disk{}
		return func(_ *testing.T, c pipelined.Clock) (store.Store, error) { return disk.Open(c), nil }
	})
}

// TestAbandoned leaves a store in the middle of its work: what it said is committed is,
// each batch is whole or not there, and nobody holds what it held.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	const batches = 2000
	disk := &memory.Disk{}
	now := clock.NewFake(time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC))
	s := disk.Open(now)
	if err := s.Subscribe(t.Context(), "sub", 0); err != nil {
		t.Fatal(err)
	}
	first, err := s.Acquire(t.Context(), "sub")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Claim(t.Context(), []store.Claim{{Kind: "tick", Key: "k"}}); err != nil || got[0].Err != nil {
		t.Fatal(got, err)
	}
	answers := make(chan error, batches)
	for n := range batches {
		id := fmt.Sprint(n)
		s.Submit(&store.Batch{Events: []*pipelined.Event{{ID: id, Type: "t"}}, Documents: []store.Write{{Collection: "c", ID: id, Document: "{}"}}},
			func(_ store.Result, err error) { answers <- err })
	}
	disk.Abandon()
	said := int64(0)
	for range batches {
		switch err := <-answers; {
		case err == nil:
			said++
		case !errors.Is(err, store.ErrClosed):
			t.Error(err)
		}
	}
	if _, err := s.Commit(t.Context(), &store.Batch{}); !errors.Is(err, store.ErrClosed) || s.Health() == nil {
		t.Errorf("it goes on: %v, %v", err, s.Health())
	}
	select {
	case <-first[0].Lost:
	default:
		t.Error("its lease goes on")
	}
	next := disk.Open(now)
	defer next.Close()
	events, err1 := next.LastSeq(t.Context())
	documents, err2 := next.Count(t.Context(), "c", store.Exact)
	if err := errors.Join(err1, err2); err != nil || events != said || documents != said {
		t.Errorf("%d events and %d documents, %d were said to be committed, %v", events, documents, said, err)
	}
	second, err := next.Acquire(t.Context(), "sub")
	if err != nil || len(second) != 1 || second[0].Epoch == first[0].Epoch {
		t.Errorf("%+v, %v", second, err)
	}
	if got, err := next.Claim(t.Context(), []store.Claim{{Kind: "tick", Key: "k"}}); err != nil || got[0].Err != nil || got[0].Attempts != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		var disk memory.Disk
		disk.Open(nil).Close()
	}
}
