package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// model is a store that keeps everything in maps, as plainly as can be.
type model struct {
	seq      int64
	events   []modelEvent
	dedupe   map[string]time.Time // until when
	floors   map[string]int64
	done     map[string]map[int64]bool
	docs     map[string]modelDoc
	claims   map[string]modelClaim
	deferred map[string]int64 // id to the number of the event
	meta     map[string]string
}

type modelEvent struct {
	seq int64
	id  string
	at  time.Time
}

type modelClaim struct {
	epoch int64
	done  bool
	value string
	at    time.Time // when it was done
}

type modelDoc struct {
	body             map[string]int
	version          int64
	created, updated time.Time
	expires          time.Time
}

func (d modelDoc) expired(now time.Time) bool { return !d.expires.IsZero() && !d.expires.After(now) }

func newModel() *model {
	return &model{dedupe: map[string]time.Time{}, floors: map[string]int64{}, done: map[string]map[int64]bool{}, docs: map[string]modelDoc{},
		claims: map[string]modelClaim{}, deferred: map[string]int64{}, meta: map[string]string{}}
}

// apply commits a batch and returns what the store should.
func (m *model) apply(b *store.Batch, now time.Time) (r store.Result, err error) {
	docs := maps.Clone(m.docs)
	if m.taken(b) {
		return r, store.ErrTaken
	}
	for _, w := range b.Documents {
		v, err := write(docs, w, now)
		if err != nil {
			return store.Result{}, err
		}
		r.Versions = append(r.Versions, v)
	}
	m.docs = docs
	for _, v := range b.Values {
		m.claims[v.Key] = modelClaim{epoch: v.Epoch, value: v.Value}
	}
	for _, c := range b.Claims {
		m.claims[c.Key] = modelClaim{c.Epoch, true, m.claims[c.Key].value, now}
	}
	for _, c := range b.Drop {
		delete(m.claims, c.Key)
	}
	for _, id := range b.Release {
		delete(m.deferred, id)
	}
	for _, d := range b.Defer {
		m.deferred[d.ID] = d.Event.Seq
	}
	for _, ev := range b.Events {
		r.Seqs = append(r.Seqs, m.publish(ev, now))
	}
	for _, x := range b.Meta {
		if m.meta[x.Key] = x.Value; x.Value == "" {
			delete(m.meta, x.Key)
		}
	}
	for _, a := range b.Acks {
		m.fold(a.Subscription, a.From, a.Seq)
	}
	for _, f := range b.Folds {
		m.fold(f.Subscription, f.From, f.To)
	}
	return r, nil
}

// taken reports whether something a batch claims is not there to be claimed.
func (m *model) taken(b *store.Batch) bool {
	claimed := map[string]bool{}
	for _, a := range b.Acks {
		floor, known := m.floors[a.Subscription]
		name := fmt.Sprint(a.Subscription, a.Seq)
		if !known || a.Seq <= floor || m.done[a.Subscription][a.Seq] || claimed[name] {
			return true
		}
		claimed[name] = true
	}
	return slices.ContainsFunc(b.Folds, func(f store.Fold) bool { _, known := m.floors[f.Subscription]; return !known }) ||
		slices.ContainsFunc(slices.Concat(b.Claims, b.Drop), m.lost) ||
		slices.ContainsFunc(b.Values, func(v store.ClaimValue) bool { return m.lost(v.Claim) }) ||
		slices.ContainsFunc(b.Release, func(id string) bool { _, there := m.deferred[id]; return !there })
}

func write(docs map[string]modelDoc, w store.Write, now time.Time) (int64, error) {
	d, exists := docs[w.ID]
	exists = exists && !d.expired(now)
	if w.Kind == store.Insert && exists || w.IfVersion == -1 && exists ||
		w.IfVersion > 0 && (!exists || d.version != w.IfVersion) {
		return 0, store.ErrConflict
	}
	if w.Kind == store.Delete {
		delete(docs, w.ID)
		return 0, nil
	}
	if !exists {
		d = modelDoc{created: now}
	}
	var given map[string]*int
	if err := json.Unmarshal([]byte(w.Document), &given); err != nil {
		return 0, err
	}
	body := map[string]int{}
	for k, v := range given {
		if delete(body, k); v != nil {
			body[k] = *v
		}
	}
	d = modelDoc{body: body, version: d.version + max(1, w.Advance), created: d.created, updated: now, expires: w.Expires}
	docs[w.ID] = d
	return d.version, nil
}

func (m *model) publish(ev *pipelined.Event, now time.Time) int64 {
	if ev.DedupeID != "" {
		if m.dedupe[ev.DedupeID].After(now) {
			return 0
		}
		m.dedupe[ev.DedupeID] = now.Add(24 * time.Hour)
	}
	m.seq++
	m.events = append(m.events, modelEvent{m.seq, ev.ID, ev.Time})
	return m.seq
}

// lost reports whether a claim proves nothing.
func (m *model) lost(c store.Claim) bool {
	is, there := m.claims[c.Key]
	return !there || is.done || is.epoch != c.Epoch
}

// fold notes numbers as done; without a first one, the last alone.
func (m *model) fold(name string, from, to int64) {
	if from == 0 {
		from = to
	}
	for n := from; n <= to; n++ {
		if n > m.floors[name] {
			m.done[name][n] = true
		}
	}
	for m.done[name][m.floors[name]+1] {
		m.floors[name]++
		delete(m.done[name], m.floors[name])
	}
}

func (m *model) trim(now time.Time) {
	floor := m.seq
	for _, f := range m.floors {
		floor = min(floor, f)
	}
	maps.DeleteFunc(m.claims, func(_ string, c modelClaim) bool { return c.done && now.Sub(c.at) >= 30*24*time.Hour })
	waiting := slices.Collect(maps.Values(m.deferred))
	m.events = slices.DeleteFunc(m.events, func(e modelEvent) bool {
		return e.seq <= floor && now.Sub(e.at) > 7*24*time.Hour && !slices.Contains(waiting, e.seq)
	})
}

// modelled does the same random things to a store and to a model and compares.
func modelled(s *suite) {
	seed := uint64(time.Now().UnixNano())
	s.Logf("seed %d", seed)
	w := &walk{suite: s, model: newModel(), random: rand.New(rand.NewPCG(seed, 1))}
	for range 150 {
		switch w.random.IntN(12) {
		case 0:
			s.reopen()
		case 1:
			s.clock.Advance(time.Duration(w.random.IntN(60)) * time.Hour)
		case 2:
			w.subscribe()
			w.acquire()
		case 3:
			_, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep)
			s.must(err)
			w.model.trim(s.clock.Now())
		default:
			w.commits()
		}
		s.clock.Advance(time.Second)
		if w.compare(); s.Failed() {
			return
		}
	}
}

type walk struct {
	*suite
	model  *model
	random *rand.Rand
	names  int
}

func (w *walk) subscribe() {
	name := fmt.Sprint("sub", w.random.IntN(3))
	if _, known := w.model.floors[name]; known && w.random.IntN(3) == 0 {
		owed, err := w.s.Unsubscribe(w.Context(), name)
		w.must(err)
		if owed.Nothing() != (w.model.floors[name] >= w.model.seq) {
			w.Errorf("%s at %d of %d is owed %+v", name, w.model.floors[name], w.model.seq, owed)
		}
		if owed.Nothing() {
			delete(w.model.floors, name)
			delete(w.model.done, name)
		}
		return
	}
	from := int64(w.random.IntN(2)) - 1
	w.suite.subscribe(name, from)
	if _, known := w.model.floors[name]; !known {
		w.model.done[name] = map[int64]bool{}
		if w.model.floors[name] = 0; from < 0 {
			w.model.floors[name] = w.model.seq
		}
	}
}

// commits submits some batches at once; they are applied in the order submitted.
func (w *walk) commits() {
	type answer struct {
		r   store.Result
		err error
	}
	batches := make([]*store.Batch, 1+w.random.IntN(20))
	answers := make([]chan answer, len(batches))
	for i := range batches {
		batches[i], answers[i] = w.batch(), make(chan answer, 1)
		w.s.Submit(batches[i], func(r store.Result, err error) { answers[i] <- answer{r, err} })
	}
	for i, b := range batches {
		got := <-answers[i]
		want, err := w.model.apply(b, w.clock.Now())
		if (got.err == nil) != (err == nil) || err != nil && !errors.Is(got.err, err) {
			w.Errorf("batch %+v: %v, want %v", b, got.err, err)
			continue
		}
		if !reflect.DeepEqual(got.r, want) {
			w.Errorf("batch %+v: %+v, want %+v", b, got.r, want)
		}
	}
}

func (w *walk) batch() *store.Batch {
	b := &store.Batch{}
	n, now := w.random.IntN, w.clock.Now()
	for range n(3) {
		w.names++
		ev := &pipelined.Event{ID: fmt.Sprintf("e%06d", w.names), Type: "t", Time: now, Data: `{}`}
		if n(4) == 0 {
			ev.DedupeID = fmt.Sprint("same", n(5))
		}
		b.Events = append(b.Events, ev)
	}
	for range n(3) {
		d := store.Write{Kind: store.WriteKind(n(3)), Collection: "c", ID: fmt.Sprint("d", n(6))}
		d.Document = []string{`{"a":1}`, `{"a":3,"b":4}`, `{}`, `{"b":2}`}[n(4)]
		if n(4) == 0 {
			d.IfVersion = int64(n(4)) - 1
		}
		if n(4) == 0 {
			d.Expires = now.Add(time.Duration(n(50)) * time.Hour)
		}
		d.Advance = int64(n(3))
		b.Documents = append(b.Documents, d)
	}
	w.proofs(b)
	if n(3) == 0 {
		b.Meta = append(b.Meta, store.Meta{Key: fmt.Sprint("k", n(3)), Value: []string{"", "x", "y"}[n(3)]})
	}
	w.places(b)
	w.waiting(b)
	return b
}

// acquire takes some claims, held ones and done ones among them.
func (w *walk) acquire() {
	for range 3 {
		key := fmt.Sprint("claim", w.random.IntN(12))
		got := w.claim("k", key)[0]
		is := w.model.claims[key]
		if (got.Err != nil) != is.done || got.Err == nil && (got.Epoch == is.epoch || got.Value != is.value) {
			w.Errorf("%+v, it is %+v", got, is)
		}
		if got.Err == nil {
			w.model.claims[key] = modelClaim{epoch: got.Epoch, value: got.Value}
		}
	}
}

// proofs proves, drops or changes one claim, now and then one that is lost.
func (w *walk) proofs(b *store.Batch) {
	n := w.random.IntN
	keys := slices.Sorted(maps.Keys(w.model.claims))
	if n(4) > 0 || len(keys) == 0 {
		return
	}
	key := keys[n(len(keys))]
	c := store.Claim{Kind: "k", Key: key, Epoch: w.model.claims[key].epoch}
	if n(5) == 0 {
		c.Epoch--
	}
	switch n(3) {
	case 0:
		b.Claims = append(b.Claims, c)
	case 1:
		b.Drop = append(b.Drop, c)
	case 2:
		b.Values = append(b.Values, store.ClaimValue{Claim: c, Value: fmt.Sprint(n(9))})
	}
}

// places acknowledges or folds numbers, mostly of subscriptions that are there.
func (w *walk) places(b *store.Batch) {
	n := w.random.IntN
	name := fmt.Sprint("sub", n(3))
	_, known := w.model.floors[name]
	if !known && n(8) > 0 {
		return
	}
	lease := store.Lease{Epoch: 1}
	if known {
		lease = w.lease(name)
	}
	first := w.model.floors[name] + 1
	for range n(3) {
		a := store.Ack{Subscription: name, Epoch: lease.Epoch, Seq: first + int64(n(12))}
		if n(2) == 0 {
			a.From = max(1, a.Seq-int64(n(4)))
		}
		b.Acks = append(b.Acks, a)
	}
	if n(4) == 0 {
		from := max(1, first+int64(n(8))-4)
		b.Folds = append(b.Folds, store.Fold{Subscription: name, Epoch: lease.Epoch, From: from, To: from + int64(n(6))})
	}
}

// waiting defers a delivery of an event of the log, or releases one.
func (w *walk) waiting(b *store.Batch) {
	if len(w.model.events) > 0 && w.random.IntN(4) == 0 {
		ev := w.model.events[w.random.IntN(len(w.model.events))]
		w.names++
		b.Defer = append(b.Defer, store.Deferred{ID: fmt.Sprint("w", w.names), Subscription: "waits", Due: epoch, Attempt: 2, Event: store.StoredEvent{Seq: ev.seq, Event: pipelined.Event{ID: ev.id, Data: `{}`}}})
	}
	if ids := slices.Sorted(maps.Keys(w.model.deferred)); len(ids) > 0 && w.random.IntN(5) == 0 {
		b.Release = append(b.Release, ids[w.random.IntN(len(ids))])
	}
}

func (w *walk) compare() {
	now := w.clock.Now()
	var events []modelEvent
	list, _, err := w.s.Read(w.Context(), 0, 1_000_000)
	w.must(err)
	for _, e := range list {
		events = append(events, modelEvent{e.Seq, e.ID, e.Time})
	}
	if !slices.EqualFunc(events, w.model.events, func(a, b modelEvent) bool { return a.seq == b.seq && a.id == b.id && a.at.Equal(b.at) }) {
		w.Errorf("the log holds %d events, want %d: %v, want %v", len(events), len(w.model.events), events, w.model.events)
	}
	w.compareDocuments(now)
	for _, sub := range w.subscriptions() {
		done := map[int64]bool{}
		at := w.lease(sub.Name)
		for _, a := range at.Done {
			for n := a.From; n <= a.To; n++ {
				done[n] = true
			}
		}
		if sub.Floor != w.model.floors[sub.Name] || at.Floor != sub.Floor || !maps.Equal(done, w.model.done[sub.Name]) {
			w.Errorf("%s is at %d %v, want %d %v", sub.Name, sub.Floor, at.Done, w.model.floors[sub.Name], w.model.done[sub.Name])
		}
	}
	deferred, err := w.s.Deferred(w.Context(), store.WaitQuery{Subscription: "waits"})
	w.must(err)
	last, err := w.s.LastSeq(w.Context())
	w.must(err)
	if len(deferred) != len(w.model.deferred) || last != w.model.seq || len(w.subscriptions()) != len(w.model.floors) {
		w.Errorf("%d deliveries wait, the last event is %d, want %d, %d", len(deferred), last, len(w.model.deferred), w.model.seq)
	}
	w.compareClaims()
	for i := range 3 {
		key := fmt.Sprint("k", i)
		if v, err := w.s.Meta(w.Context(), key); err != nil || v != w.model.meta[key] {
			w.Errorf("%s is %q, want %q, %v", key, v, w.model.meta[key], err)
		}
	}
}

func (w *walk) compareClaims() {
	var want, got []string
	for _, key := range slices.Sorted(maps.Keys(w.model.claims)) {
		if is := w.model.claims[key]; !is.done {
			want = append(want, key+is.value)
		}
	}
	list, err := w.s.Claims(w.Context(), "k", "")
	w.must(err)
	for _, c := range list {
		got = append(got, c.Key+c.Value)
	}
	if !slices.Equal(got, want) {
		w.Errorf("held are %v, want %v", got, want)
	}
}

func (w *walk) compareDocuments(now time.Time) {
	got := map[string]modelDoc{}
	w.must(w.s.Find(w.Context(), store.Query{Collection: "c"}, func(d *store.Document) (bool, error) {
		m := modelDoc{version: d.Version, created: d.CreatedAt, updated: d.UpdatedAt}
		if err := json.Unmarshal([]byte(d.Body), &m.body); err != nil {
			return false, err
		}
		got[d.ID] = m
		return true, nil
	}))
	want := map[string]modelDoc{}
	for id, d := range w.model.docs {
		if !d.expired(now) {
			d.expires = time.Time{}
			want[id] = d
		}
	}
	if !reflect.DeepEqual(got, want) || w.count() != int64(len(want)) {
		w.Errorf("documents %v, want %v", got, want)
	}
}
