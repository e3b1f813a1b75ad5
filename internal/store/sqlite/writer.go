package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pipelined/internal/fault"
	"pipelined/internal/store"
)

const (
	// queueLimit is how many batches may wait for the writer.
	queueLimit = 8192
	// groupLimit bounds the batches of one transaction.
	groupLimit = 1024
	// groupEvents bounds the events of one transaction, so that a flood of large
	// batches does not make everyone wait.
	groupEvents = 8192
)

// request is a batch on its way.
type request struct {
	batch  *store.Batch
	done   func(store.Result, error)
	result store.Result
	err    error
	// apply, for the store's own changes, is called instead of applying a batch. It
	// may be called again if the group it was in failed.
	apply func(ctx context.Context, w *writer) error
	fate  atomic.Int32
}

// The fate of a request. Who waits may give up one that nobody has begun with.
const (
	waits int32 = iota
	begun
	givenUp
)

// begin takes a request to be applied; not one that was given up.
func (r *request) begin() bool { return r.fate.CompareAndSwap(waits, begun) || r.fate.Load() == begun }

func (r *request) giveUp() bool { return r.fate.CompareAndSwap(waits, givenUp) }

// writer owns the writing connection.
type writer struct {
	s     *Store
	conn  *sql.Conn
	queue chan *request
	gone  chan struct{} // closed when run has ended

	mu     sync.RWMutex // guards closing queue against senders
	closed bool

	st        statements
	nextSeq   int64
	lastEpoch int64 // of a claim; never goes back
	subs      map[string]*subscription
	terms     map[string]int64 // epochs of the leases of forgotten ones, so that none comes again
	rows      []any            // of events with numbers that are not inserted yet

	counts   counts                  // of documents, changed in this group
	before   map[string]subscription // of those changed in this group
	firstSeq int64                   // nextSeq when the group began
}

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	w := &writer{s: s, conn: s.conn, queue: make(chan *request, queueLimit), gone: make(chan struct{}),
		subs: map[string]*subscription{}, terms: map[string]int64{}, before: map[string]subscription{}}
	var last, trimmed, epochs sql.NullInt64
	err := errors.Join(
		w.conn.QueryRowContext(ctx, "select max(seq) from events").Scan(&last),
		w.conn.QueryRowContext(ctx, "select max(cast(value as integer)) from meta where key = ?", trimmedKey).Scan(&trimmed),
		w.conn.QueryRowContext(ctx, "select max(epoch) from claims where done = 0").Scan(&epochs))
	if err != nil {
		return nil, err
	}
	w.nextSeq = max(last.Int64, trimmed.Int64) + 1
	w.lastEpoch = epochs.Int64
	s.head.Store(w.nextSeq - 1)
	if err := w.loadSubscriptions(ctx); err != nil {
		return nil, err
	}
	return w, w.st.prepare(ctx, w.conn)
}

// trimmedKey remembers the last number that was ever given out to a trimmed event.
const trimmedKey = "sys/trimmed"

// Submit queues b for the next group commit.
func (s *Store) Submit(b *store.Batch, done func(store.Result, error)) {
	s.writer.send(&request{batch: b, done: done})
}

// Commit submits b and waits, within a bound.
func (s *Store) Commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	return s.await(ctx, &request{batch: b}, s.cfg.CommitBound)
}

// do has the writer make a change of the store's own, in the next group, and waits.
// If that fails, apply may still be running.
func (s *Store) do(ctx context.Context, apply func(ctx context.Context, w *writer) error) error {
	_, err := s.await(ctx, &request{batch: &store.Batch{}, apply: apply}, s.cfg.CommitBound)
	return err
}

// await queues a request and waits for its end, no longer than ctx and a bound last.
func (s *Store) await(ctx context.Context, r *request, bound time.Duration) (store.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("no answer in %s", bound))
	defer cancel()
	type answer struct {
		r   store.Result
		err error
	}
	ch := make(chan answer, 1)
	r.done = func(r store.Result, err error) { ch <- answer{r, err} }
	s.writer.offer(ctx, r)
	select {
	case a := <-ch:
		return a.r, a.err
	case <-ctx.Done():
	}
	if r.giveUp() {
		return store.Result{}, fmt.Errorf("%w: %w", store.ErrUnavailable, context.Cause(ctx))
	}
	select { // the answer may be there as well
	case a := <-ch:
		return a.r, a.err
	default:
		return store.Result{}, fmt.Errorf("%w: %w", store.ErrInDoubt, context.Cause(ctx))
	}
}

func (w *writer) send(r *request) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		r.done(store.Result{}, store.ErrClosed)
		return
	}
	w.queue <- r
}

// offer is send for as long as ctx lasts.
func (w *writer) offer(ctx context.Context, r *request) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		r.done(store.Result{}, store.ErrClosed)
		return
	}
	select {
	case w.queue <- r:
	case <-ctx.Done():
	}
}

// stop commits what is queued and ends.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.gone
}

func (w *writer) run() {
	defer close(w.gone)
	group := make([]*request, 0, groupLimit)
	for r := range w.queue {
		group = w.gather(append(group[:0], r))
		w.commit(group)
		for _, r := range group {
			r.done(r.result, r.err) // I1, I2: after COMMIT has returned, never before
		}
		several := len(group) > 1
		clear(group)
		if several {
			// Let those just called back submit again, or the first of them
			// would make a group of its own.
			runtime.Gosched()
		}
	}
}

// gather adds to a group what waits already.
func (w *writer) gather(group []*request) []*request {
	events := len(group[0].batch.Events)
	for len(group) < groupLimit && events < groupEvents {
		select {
		case r, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, r)
			events += len(r.batch.Events)
		default:
			return group
		}
	}
	return group
}

// commit applies a group in one transaction. If the medium fails, nothing of the
// group happened and every batch of it is told so. If one batch asked for
// something impossible, the batches are applied one by one, so that only that one
// fails.
func (w *writer) commit(group []*request) {
	ctx := context.Background()
	w.firstSeq, w.rows = w.nextSeq, w.rows[:0]
	clear(w.before)
	w.counts.reset()
	if err := w.s.lost(); err != nil {
		for _, r := range group {
			r.result, r.err = store.Result{}, err
		}
		return
	}
	err := w.transaction(ctx, group)
	if err == nil {
		w.s.head.Store(w.nextSeq - 1)
		w.s.well()
		return
	}
	w.restore()
	_, _ = w.conn.ExecContext(ctx, "rollback") // there may be nothing left to roll back
	switch {
	case isOfBatch(err) && len(group) > 1:
		for i, r := range group {
			r.result, r.err = store.Result{}, nil
			w.commit(group[i : i+1])
		}
	case isOfBatch(err):
		w.s.cfg.Logger.Error("a batch cannot be applied", "path", w.s.path, "err", err)
		group[0].result, group[0].err = store.Result{}, fmt.Errorf("apply a batch: %w", err)
	default:
		w.s.sick(err)
		for _, r := range group {
			r.result, r.err = store.Result{}, fmt.Errorf("%w: %s: %w", store.ErrUnavailable, reason(err, w.s.path), err)
		}
	}
}

func (w *writer) transaction(ctx context.Context, group []*request) error {
	fault.Point(fault.CommitBegin)
	if _, err := w.st.begin.ExecContext(ctx); err != nil {
		return err
	}
	for _, r := range group {
		if err := w.request(ctx, r); err != nil {
			return err
		}
	}
	if err := w.flushEvents(ctx); err != nil {
		return err
	}
	if err := w.saveCounts(ctx); err != nil {
		return err
	}
	if err := w.saveSubscriptions(ctx); err != nil {
		return err
	}
	fault.Point(fault.CommitApplied)
	_, err := w.st.commit.ExecContext(ctx)
	fault.Point(fault.CommitDurable)
	return err
}

// restore puts the writer's memory back to what it was before the group.
func (w *writer) restore() {
	w.nextSeq, w.rows = w.firstSeq, w.rows[:0]
	for name, s := range w.before {
		if s.name == "" {
			delete(w.subs, name)
			continue
		}
		copied := s
		w.subs[name] = &copied
	}
}

// refused is a batch whose conditions do not hold. It concerns that batch alone.
type refused struct{ err error }

func (r refused) Error() string { return r.err.Error() }

// request applies one batch. What can be refused comes first and is undone by a
// savepoint; the error it returns is the whole group's.
func (w *writer) request(ctx context.Context, r *request) error {
	b := r.batch
	if !r.begin() {
		r.err = store.ErrUnavailable // nobody waits for it
		return nil
	}
	if err := store.CheckPlaces(b, w.leased); err != nil {
		r.err = err
		return nil
	}
	now := b.At
	if now.IsZero() {
		now = w.s.cfg.Clock.Now()
	}
	if err := b.Check(now); err != nil {
		r.err = err
		return nil
	}
	if r.apply == nil && !conditional(b) {
		return w.effects(ctx, r, now)
	}
	if r.apply != nil { // it may read what the group did so far
		if err := w.flushEvents(ctx); err != nil {
			return err
		}
	}
	if _, err := w.st.savepoint.ExecContext(ctx); err != nil {
		return err
	}
	w.counts.begin()
	err := w.conditions(ctx, r, now)
	var no refused
	if errors.As(err, &no) {
		w.counts.drop()
		r.result, r.err = store.Result{}, no.err
		_, err = w.st.rollbackTo.ExecContext(ctx)
	}
	if err != nil {
		return err
	}
	if _, err := w.st.release.ExecContext(ctx); err != nil {
		return err
	}
	if no.err != nil {
		return nil
	}
	return w.effects(ctx, r, now)
}

// conditional reports whether applying a batch may find that it cannot be.
func conditional(b *store.Batch) bool {
	return len(b.Documents) > 0 || len(b.Release) > 0 || len(b.Unpark) > 0 ||
		len(b.Claims) > 0 || len(b.Drop) > 0 || len(b.Values) > 0 || len(b.Cursors) > 0 ||
		slices.ContainsFunc(b.Meta, func(m store.Meta) bool { return m.IfValue != nil })
}

// conditions applies what may be refused; first what somebody else may have taken,
// which no rerun mends.
func (w *writer) conditions(ctx context.Context, r *request, now time.Time) error {
	if r.apply != nil {
		return r.apply(ctx, w)
	}
	if err := w.waiting(ctx, r.batch); err != nil {
		return err
	}
	if err := w.prove(ctx, r.batch, now); err != nil {
		return err
	}
	if err := w.expect(ctx, r.batch.Meta); err != nil {
		return err
	}
	for i := range r.batch.Documents {
		version, err := w.document(ctx, &r.batch.Documents[i], now)
		if err != nil {
			return err
		}
		r.result.Versions = append(r.result.Versions, version)
	}
	return nil
}

// waiting takes away what a batch is done with of what waits.
func (w *writer) waiting(ctx context.Context, b *store.Batch) error {
	for _, id := range b.Release {
		if err := taken("deferred delivery %s is gone", id)(w.st.releaseDeferred.ExecContext(ctx, id)); err != nil {
			return err
		}
	}
	for _, p := range b.Unpark {
		if err := taken("event %d is not set aside any more", p.Seq)(w.st.unpark.ExecContext(ctx, p.Subscription, p.Group, p.Seq)); err != nil {
			return err
		}
	}
	return nil
}

// expect checks that texts are what a batch says they are.
func (w *writer) expect(ctx context.Context, list []store.Meta) error {
	for _, m := range list {
		if m.IfValue == nil {
			continue
		}
		var v string
		if err := w.st.metaGet.QueryRowContext(ctx, m.Key).Scan(&v); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if v != *m.IfValue {
			return refused{fmt.Errorf("%s is not what was expected: %w", m.Key, store.ErrTaken)}
		}
	}
	return nil
}

// effects applies what cannot be refused.
func (w *writer) effects(ctx context.Context, r *request, now time.Time) error {
	b := r.batch
	var err error
	if r.result.Seqs, err = w.appendEvents(ctx, b.Events, now); err != nil {
		return err
	}
	for i := range b.Delayed {
		added, err := w.delay(ctx, &b.Delayed[i], now)
		if err != nil {
			return err
		}
		r.result.Delayed = append(r.result.Delayed, added)
	}
	for i := range b.Defer {
		if err := w.deferDelivery(ctx, &b.Defer[i]); err != nil {
			return err
		}
	}
	for _, p := range b.Park {
		if _, err := w.st.park.ExecContext(ctx, p.Subscription, p.Group, p.Seq); err != nil {
			return err
		}
	}
	for i := range b.Executions {
		if err := w.execution(ctx, &b.Executions[i]); err != nil {
			return err
		}
	}
	for _, m := range b.Meta {
		if err := w.meta(ctx, m); err != nil {
			return err
		}
	}
	for _, a := range b.Acks { // I1: the acknowledgement is part of this commit
		if a.From <= 0 {
			a.From = a.Seq
		}
		w.fold(a.Subscription, min(a.From, a.Seq), a.Seq)
	}
	for _, f := range b.Folds {
		w.fold(f.Subscription, f.From, f.To)
	}
	return nil
}

func (w *writer) meta(ctx context.Context, m store.Meta) error {
	if m.Value == "" {
		_, err := w.st.metaDrop.ExecContext(ctx, m.Key)
		return err
	}
	_, err := w.st.metaSet.ExecContext(ctx, m.Key, m.Value)
	return err
}
