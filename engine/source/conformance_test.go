package source_test

import (
	"fmt"
	"testing"
	"time"

	"pipelined/engine/enginetest"
	"pipelined/engine/source/sourcetest"
)

// TestAFeedIsASource: the source of the other tests here passes what all others do.
func TestAFeedIsASource(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d at a time", batch), func(t *testing.T) {
			t.Parallel()
			feeds := enginetest.NewFeeds()
			feeds.Batch(batch)
			sourcetest.Run(t, sourcetest.Case{
				Trigger: feeds.Trigger(), YAML: "blocks: false", Beat: time.Second,
				Put: func(t *testing.T, dir string, n int) (want []string) {
					for i := range 5 {
						item := fmt.Sprintf(`{"i":%d,"n":%d}`, i, n)
						feeds.Of(dir).Put(fmt.Sprintf("list %d", n%2), item)
						want = append(want, item)
					}
					return want
				},
				Break: func(t *testing.T, dir string) { feeds.Of(dir).Put("list 0", "!one", "!two") },
			})
		})
	}
}
