package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

// document is what the project writes, whatever of it.
type document struct {
	Times    int    `json:"times"`
	Attempt  int    `json:"attempt"`
	Attempts int    `json:"attempts"`
	N        int    `json:"n"`
	ID       string `json:"id"`
	Seen     []int  `json:"seen"`
	Status   string `json:"status"`
	Pipeline string `json:"pipeline"`
	Trigger  string `json:"trigger"`
	A        int    `json:"a"`
	B        int    `json:"b"`
	Email    string `json:"email"`
	Error    struct {
		Type string `json:"type"`
	} `json:"error"`
	Input struct {
		ID string `json:"id"`
	} `json:"input"`
}

// left is what an episode left behind.
type left struct {
	settings
	*ledger
	world  *world
	docs   map[string]map[string]document // by collection and id
	found  []string                       // what is wrong
	checks int
	events int64
}

var collections = []string{"orders", "accepted", "gathered", "lanes", "stubborn", "flaky", "late", "fragile", "failures", "given_up",
	"incidents", "ticks", "bulk", "bulk_items", "dead_letters", "paid",
	"trips", "tours", "undone", "marked", "branched", "people", "refused"}

// read reads the store of a stopped project.
func read(ctx context.Context, dir string) (docs map[string]map[string]document, events int64, err error) {
	s, err := sqlite.Open(filepath.Join(dir, ".pipelined", "data.db"), sqlite.Config{})
	if err != nil {
		return nil, 0, err
	}
	defer s.Close()
	docs = map[string]map[string]document{}
	for _, c := range slices.Concat(collections, fileCollections) {
		if docs[c], err = readCollection(ctx, s, c); err != nil {
			return nil, 0, err
		}
	}
	events, err = s.LastSeq(ctx)
	return docs, events, err
}

// readCollection reads documents, and holds their count to them.
func readCollection(ctx context.Context, s *sqlite.Store, c string) (map[string]document, error) {
	docs := map[string]document{}
	err := s.Find(ctx, store.Query{Collection: c}, func(d *store.Document) (bool, error) {
		var doc document
		if err := json.Unmarshal([]byte(d.Body), &doc); err != nil {
			return false, fmt.Errorf("%s/%s: %w", c, d.ID, err)
		}
		docs[d.ID] = doc
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	n, err := s.Count(ctx, c, store.Exact)
	if err == nil && n != int64(len(docs)) {
		err = fmt.Errorf("%s holds %d documents and counts %d", c, len(docs), n)
	}
	return docs, err
}

func (l *left) wrongf(format string, args ...any) {
	if len(l.found) < 50 {
		l.found = append(l.found, fmt.Sprintf(format, args...))
	}
}

func (l *left) expect(ok bool, format string, args ...any) {
	l.checks++
	if !ok {
		l.wrongf(format, args...)
	}
}

// once holds a collection to the ids that must be in it, each once, and to those
// that may.
func (l *left) once(collection string, times int, must, may func(id string) bool, ids []string) {
	there := l.docs[collection]
	for _, id := range ids {
		d, ok := there[id]
		l.expect(ok || !must(id), "%s: %s is lost", collection, id)
		l.expect(!ok || may(id), "%s: %s happened, but was refused", collection, id)
		l.expect(!ok || d.Times == times, "%s: %s happened %d times, not %d", collection, id, d.Times, times)
	}
	for id := range there {
		l.expect(slices.Contains(ids, id) || may(id), "%s: %s came from nowhere", collection, id)
	}
}

// check compares what is left with the ledger.
func (l *left) check() {
	l.found = append(l.found, l.wrong...)
	happened := func(id string) bool { _, ok := l.docs["orders"][id]; return ok }
	var orders []string
	for id, f := range l.orders {
		orders = append(orders, id)
		l.expect(f != done || happened(id), "order %s was answered and is lost", id)
		l.expect(f != refused || !happened(id), "order %s was refused and happened", id)
		l.expect(!happened(id) || l.docs["orders"][id].Times == 1, "order %s happened %d times", id, l.docs["orders"][id].Times)
	}
	for c, times := range map[string]int{"gathered": 3, "flaky": 1, "late": 1} {
		l.once(c, times, happened, happened, orders)
	}
	l.attempts()
	l.order("lanes", happened)
	l.order("stubborn", happened)
	l.failures(orders, happened)
	for _, c := range []struct {
		collection string
		asked      map[string]fate
	}{{"accepted", l.accepted}, {"paid", l.payments}} {
		for id, f := range c.asked {
			d, ok := l.docs[c.collection][id]
			l.expect(ok || f != done, "%s: %s was accepted and is lost", c.collection, id)
			l.expect(!ok || f != refused, "%s: %s was refused and happened", c.collection, id)
			l.expect(!ok || d.Times == 1, "%s: %s happened %d times", c.collection, id, d.Times)
		}
	}
	l.bulkItems()
	l.everyTick()
	l.sagas(orders, happened)
	l.marks(orders, happened)
	l.branches(orders, happened)
	l.people(orders, happened)
}

// attempts holds what a flaky event counted to how often it was told to fail.
func (l *left) attempts() {
	for id, d := range l.docs["flaky"] {
		want := max(1, 1+d.N%l.retries)
		l.expect(d.Attempt == want, "flaky: %s succeeded at attempt %d, not %d", id, d.Attempt, want)
	}
}

// order holds every lane to the order it was asked in, without gaps but for what
// did not happen.
func (l *left) order(collection string, happened func(string) bool) {
	for key, asked := range l.lanes {
		var want []int
		for _, o := range asked {
			if happened(o.ID) {
				want = append(want, o.N)
			}
		}
		got := l.docs[collection][key].Seen
		l.expect(slices.Equal(got, want), "%s: lane %s was %v, not %v", collection, key, got, want)
	}
}

// failures holds every failed order to its one way out.
func (l *left) failures(orders []string, happened func(string) bool) {
	records := map[string]document{}
	for id, d := range l.docs["failures"] {
		l.expect(d.Pipeline == "fragile", "failures: %s is of %s", id, d.Pipeline)
		l.expect(d.Error.Type == "crash/fragile", "failures: %s is %s", id, d.Error.Type)
		_, twice := records[d.Input.ID]
		l.expect(!twice, "failures: %s has two records", d.Input.ID)
		records[d.Input.ID] = d
	}
	letters := map[string]int{}
	for id, d := range l.docs["dead_letters"] {
		if d.Pipeline == "tours" && d.Error.Type == "crash/tour" || d.Pipeline == "trips" && d.Error.Type == "crash/sold_out" {
			continue // what failed as it was told to: see sagas
		}
		l.expect(d.Pipeline == "broken" && d.Error.Type == "crash/broken", "dead_letters: %s of %s: %s", id, d.Pipeline, d.Error.Type)
		letters[d.Input.ID]++
	}
	for _, id := range orders {
		if !happened(id) {
			continue
		}
		var n int
		_, _ = fmt.Sscanf(id[strings.LastIndex(id, "-")+1:], "%d", &n)
		need := 1 // the attempt that succeeds
		if n%5 == 0 {
			need = 1 + n%4
		}
		passed, okPassed := l.docs["fragile"][id]
		rec, recorded := records[id]
		gone, gaveUp := l.docs["given_up"][id]
		if need <= l.limit {
			l.expect(okPassed && passed.Times == 1 && passed.Attempt == need, "fragile: %s should pass at attempt %d: %+v", id, need, passed)
			l.expect(recorded == (need > 1) && (!recorded || rec.Status == "resolved" && rec.Attempts == need-1), "fragile: the record of %s: %+v", id, rec)
			l.expect(!gaveUp, "fragile: %s was given up", id)
		} else {
			l.expect(!okPassed, "fragile: %s should not pass: %+v", id, passed)
			l.expect(recorded && rec.Status == "exhausted" && rec.Attempts == l.limit, "fragile: the record of %s should be exhausted: %+v", id, rec)
			l.expect(gaveUp && gone.Times == 1 && gone.Attempts == l.limit, "fragile: %s should be given up once: %+v", id, gone)
		}
		broken := 0
		if n%7 == 0 {
			broken = 1
		}
		l.expect(letters[id] == broken, "broken: %s has %d dead letters, not %d", id, letters[id], broken)
		l.expect(l.docs["incidents"][id].Times == broken, "broken: %s reached the handler %d times, not %d", id, l.docs["incidents"][id].Times, broken)
	}
}

// bulkItems holds every accepted bulk to all its items. The documents are inserted,
// so a doubled one would have failed and left a dead letter.
func (l *left) bulkItems() {
	for _, c := range []string{"bulk", "bulk_items"} {
		items := map[string]int{}
		for _, d := range l.docs[c] {
			items[d.ID]++
		}
		for id, f := range l.bulks {
			n := items[id]
			l.expect(n == l.bulk || n == 0 && f != done, "%s: %s has %d of %d items", c, id, n, l.bulk)
			l.expect(n == 0 || f != refused, "%s: %s was refused and happened", c, id)
		}
	}
}

// everyTick wants every second between the first and the last tick.
func (l *left) everyTick() {
	var at []time.Time
	for id := range l.docs["ticks"] {
		t, err := time.Parse(time.RFC3339Nano, id)
		l.expect(err == nil, "ticks: %s is no time", id)
		at = append(at, t)
	}
	slices.SortFunc(at, time.Time.Compare)
	for i := 1; i < len(at); i++ {
		l.expect(at[i].Sub(at[i-1]) == time.Second, "ticks: %s follows %s", at[i].Format(time.TimeOnly), at[i-1].Format(time.TimeOnly))
	}
}
