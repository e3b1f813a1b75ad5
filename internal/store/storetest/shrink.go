package storetest

import (
	"fmt"
	"strings"
	"time"

	"pipelined/internal/store"
)

// shrinks: what was written the longest ago goes, as little as is needed, and nothing of
// other collections.
func shrinks(s *suite) {
	const each = 1000
	body := `{"p":"` + strings.Repeat("x", each-len(`{"p":""}`)) + `"}`
	for i := range 500 {
		s.commit(&store.Batch{Documents: []store.Write{
			{Collection: "large", ID: fmt.Sprintf("d%03d", i), Document: body}, {Collection: "other", ID: fmt.Sprint(i), Document: body}}})
		s.clock.Advance(time.Second)
	}
	s.commit(&store.Batch{Documents: []store.Write{{Collection: "large", ID: "d000", Document: body}}}) // written again: the youngest
	for _, tt := range []struct{ most, gone, left int64 }{
		{500 * each, 0, 500}, {500*each - 1, 1, 499}, {100 * each, 399, 100}, {100*each - each/2, 1, 99}, {1 << 40, 0, 99}, {0, 99, 0}, {0, 0, 0},
	} {
		gone, err := s.s.Shrink(s.Context(), "large", tt.most)
		s.must(err)
		left, err := s.s.Count(s.Context(), "large", store.Exact)
		s.must(err)
		if gone != tt.gone || left != tt.left {
			s.Errorf("to %d bytes: %d went and %d are left, want %d and %d", tt.most, gone, left, tt.gone, tt.left)
		}
		if d, err := s.s.Get(s.Context(), "large", "d000"); tt.left > 0 && (d == nil || err != nil) {
			s.Errorf("to %d bytes: the one written last is gone", tt.most)
		}
	}
	if n, err := s.s.Count(s.Context(), "other", store.Exact); err != nil || n != 500 {
		s.Errorf("%d of another collection are left, %v", n, err)
	}
	if n, err := s.s.Shrink(s.Context(), "never", 0); err != nil || n != 0 {
		s.Errorf("one that is not there: %d, %v", n, err)
	}
}
