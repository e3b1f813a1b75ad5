package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReplay gives one of two pipelines its events again, on a running project and
// on a stopped one.
func TestReplay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"first", "second"} {
		text := fmt.Sprintf(`pipeline: %[1]s
trigger: { event: { types: ["job.*"] } }
steps:
  - name: before
    object_store.get: { collection: %[1]s, id: "${{ event.id }}" }
  - object_store.put: { collection: %[1]s, id: "${{ event.id }}", document: { times: "${{ (steps.before.times ?? 0) + 1 }}", key: "${{ event.key }}" } }
`, name)
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, dir)
	for i := range 5 {
		if _, errs, code := output(t, "events", "publish", "job.new", dir, "--key", fmt.Sprint("k", i%2)); code != 0 {
			t.Fatal(errs)
		}
	}
	times := func(collection string) (sum float64) {
		for _, d := range p.objects(collection) {
			sum += d["times"].(float64)
		}
		return sum
	}
	reach := func(first, second float64) {
		t.Helper()
		p.eventually(fmt.Sprintf("%v and %v", first, second), 10*time.Second, func() bool { return times("first") == first && times("second") == second })
	}
	replay := func(want int, args ...string) {
		t.Helper()
		out, errs, code := output(t, append([]string{"events", "replay", "first", dir, "--json"}, args...)...)
		var r struct{ Events int }
		if code != 0 || json.Unmarshal([]byte(out), &r) != nil || r.Events != want {
			t.Errorf("%v: exit %d, %s%s, want %d events", args, code, out, errs, want)
		}
	}
	reach(5, 5)
	replay(5, "--since", "1h", "--dry-run")
	reach(5, 5)
	replay(5, "--since", "1h")
	reach(10, 5)
	replay(2, "--key", "k1") // each event once, though it is in the log twice
	reach(12, 5)
	replay(0, "--after", "0", "--type", "other.*")
	p.stop()
	replay(5, "--after", "0")
	p.start()
	reach(17, 5)
	for _, running := range []bool{true, false} {
		for says, args := range map[string][]string{"say from where": {"first", dir}, "there is none called": {"nobody", dir, "--after", "0"}} {
			if _, errs, code := output(t, append([]string{"events", "replay"}, args...)...); code != 2 || !strings.Contains(errs, says) {
				t.Errorf("%v: exit %d: %s", args, code, errs)
			}
		}
		if running {
			p.stop()
		}
	}
}
