package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

func TestOlderStoresAreBroughtUp(t *testing.T) {
	t.Parallel()
	steps := sqlite.Migrations()
	for version := 1; version <= len(steps); version++ {
		t.Run(fmt.Sprint("from version ", version), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data.db")
			schema := strings.Join(steps[:version], "")
			execute(t, path, schema+fmt.Sprintf(`pragma user_version = %d;
				insert into events (seq, id, type, source, time, key, attempt, headers, data) values (7, 'a', 't', '', 0, 'k', 1, null, '{"x":1}');
				insert into documents values ('c', 'd', 3, 0, 0, 0, '{"y":2}'), ('c', 'gone', 1, 0, 0, 1, '{}'), ('other', 'd', 1, 0, 0, 0, '{}');`, version))
			if strings.Contains(schema, "document_counts") {
				execute(t, path, "insert into document_counts values ('c', 2), ('other', 1);")
			}
			if version < claimsVersion {
				execute(t, path, oldTicks)
			}
			s, err := sqlite.Open(path, sqlite.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			events, _, err := s.Read(t.Context(), 0, 10)
			if err != nil || len(events) != 1 || events[0].Seq != 7 || events[0].Data != `{"x":1}` {
				t.Errorf("events: %+v, %v", events, err)
			}
			if d, err := s.Get(t.Context(), "c", "d"); err != nil || d == nil || d.Version != 3 || d.Body != `{"y":2}` {
				t.Errorf("document: %+v, %v", d, err)
			}
			if n, err := s.Count(t.Context(), "c", store.Exact); err != nil || n != 1 { // the other one has expired
				t.Errorf("%d documents, %v", n, err)
			}
			// What came later works on it too: earlier versions and events set aside.
			r, err := s.Commit(t.Context(), &store.Batch{
				Events:    []*pipelined.Event{{ID: "b", Type: "t", Data: "{}"}},
				Documents: []store.Write{{Kind: store.Put, Collection: "c", ID: "d", Document: `{"y":3}`, History: true}, {Kind: store.Put, Collection: "c", ID: "new", Document: `{}`}},
				Park:      []store.Parked{{Subscription: "s", Group: "g", Seq: 7}},
			})
			if err != nil || r.Seqs[0] != 8 || r.Versions[0] != 4 {
				t.Errorf("commit: %+v, %v", r, err)
			}
			if version < claimsVersion {
				oldTicksAreClaims(t, s)
			}
			if _, err := s.Trim(t.Context(), time.Now(), store.Retention{}); err != nil {
				t.Fatal(err)
			}
			n, err := s.Count(t.Context(), "c", store.Exact)
			if other, oerr := s.Count(t.Context(), "other", store.Exact); err != nil || oerr != nil || n != 2 || other != 1 {
				t.Errorf("%d and %d documents, %v, %v", n, other, err, oerr)
			}
			if before, err := s.Versions(t.Context(), "c", "d"); err != nil || len(before) != 1 || before[0].Version != 3 {
				t.Errorf("earlier versions: %+v, %v", before, err)
			}
		})
	}
}

// claimsVersion is the version from which scheduled runs are claims.
const claimsVersion = 4

// oldTicks are scheduled runs as they were kept before: rows of those that are done,
// and notes of those that were started, two of them of runs that are done as well.
const oldTicks = `
	insert into ticks values ('hourly', 1772964000000000), ('hourly', 1772967600500000), ('daily', 1772928000000000);
	insert into meta values
		('open/hourly/2026-03-08T12:00:00Z', '3'), ('open/hourly/2026-03-08T12:00:00.25Z', '1'), ('open/weekly/2026-03-08T00:00:00.123456789Z', '5'),
		('open/hourly/2026-03-08T10:00:00Z', '1'), ('open/hourly/2026-03-08T11:00:00.5Z', '1'),
		('opening', 'stays'), ('engine/running', 'stays');`

func oldTicksAreClaims(t *testing.T, s *sqlite.Store) {
	t.Helper()
	held, err := s.Claims(t.Context(), store.TickClaim, "")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, c := range held {
		got += fmt.Sprintf("%s#%d ", c.Key, c.Attempts)
	}
	if want := "hourly/2026-03-08T12:00:00.000000Z#3 hourly/2026-03-08T12:00:00.250000Z#1 weekly/2026-03-08T00:00:00.123456Z#5 "; got != want {
		t.Errorf("started runs: %s, want %s", got, want)
	}
	for pipeline, want := range map[string]string{"hourly": "2026-03-08T11:00:00.5Z", "daily": "2026-03-08T00:00:00Z", "weekly": "0001-01-01T00:00:00Z"} {
		if last, err := s.LastTick(t.Context(), pipeline); err != nil || last.Format(time.RFC3339Nano) != want {
			t.Errorf("the last run of %s: %v, want %s, %v", pipeline, last, want, err)
		}
	}
	done := store.Tick{Pipeline: "hourly", Scheduled: time.Date(2026, 3, 8, 10, 0, 0, 0, time.UTC)}
	again, err := s.Claim(t.Context(), []store.Claim{done.Claim(), held[0].Claim})
	if err != nil || !errors.Is(again[0].Err, store.ErrTaken) || again[1].Attempts != 4 || again[1].Epoch == held[0].Epoch {
		t.Errorf("claimed again: %+v, %v", again, err)
	}
	if _, err := s.Commit(t.Context(), &store.Batch{Claims: []store.Claim{again[1].Claim}, Drop: []store.Claim{held[2].Claim}}); err != nil {
		t.Error(err)
	}
	if left, err := s.Metas(t.Context(), "open"); err != nil || len(left) != 1 || left[0].Key != "opening" {
		t.Errorf("notes that are left: %+v, %v", left, err)
	}
}
