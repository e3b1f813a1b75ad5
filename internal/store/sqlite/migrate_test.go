package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

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
			execute(t, path, strings.Join(steps[:version], "")+
				fmt.Sprintf(`pragma user_version = %d;
				insert into events values (7, 'a', 't', '', 0, 'k', 1, null, '{"x":1}');
				insert into documents values ('c', 'd', 3, 0, 0, 0, '{"y":2}');`, version))
			s, err := sqlite.Open(path, sqlite.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			events, err := s.Read(t.Context(), 0, 10)
			if err != nil || len(events) != 1 || events[0].Seq != 7 || events[0].Data != `{"x":1}` {
				t.Errorf("events: %+v, %v", events, err)
			}
			if d, err := s.Get(t.Context(), "c", "d"); err != nil || d == nil || d.Version != 3 || d.Body != `{"y":2}` {
				t.Errorf("document: %+v, %v", d, err)
			}
			// What came later works on it too: earlier versions and events set aside.
			if err := s.Configure(t.Context(), []store.Collection{{Name: "c", History: true}}, nil); err != nil {
				t.Fatal(err)
			}
			r, err := s.Commit(t.Context(), &store.Batch{
				Events:    []*pipelined.Event{{ID: "b", Type: "t", Data: "{}"}},
				Documents: []store.Write{{Kind: store.Put, Collection: "c", ID: "d", Document: `{"y":3}`}},
				Park:      []store.Parked{{Subscription: "s", Group: "g", Seq: 7}},
			})
			if err != nil || r.Seqs[0] != 8 || r.Versions[0] != 4 {
				t.Errorf("commit: %+v, %v", r, err)
			}
			if before, err := s.Versions(t.Context(), "c", "d"); err != nil || len(before) != 1 || before[0].Version != 3 {
				t.Errorf("earlier versions: %+v, %v", before, err)
			}
		})
	}
}
