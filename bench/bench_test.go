package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// The baselines run as processes of this very binary.
func TestMain(m *testing.M) {
	if role := os.Getenv("BENCH_ROLE"); role != "" {
		if err := baseline(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Every scenario runs to its end with everything checked; the figures of so short a
// run say nothing.
func TestScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some thirty servers")
	}
	t.Chdir("..")
	s := settings{arm: 100 * time.Millisecond, rounds: 1, conns: 4, many: 4000, profile: t.TempDir()}
	if err := bench(s, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cpu", "allocs", "heap", "mutex", "block"} {
		if info, err := os.Stat(s.profile + "/" + name + ".pprof"); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v", name, err)
		}
	}
}

func TestAWrongAnswerIsAnError(t *testing.T) {
	t.Chdir("..")
	s, err := startBaseline("s1", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	j := job{conns: 2, each: 3, request: postOrder, check: priced}
	if r, err := load(s, j); err != nil || r.requests != 6 {
		t.Fatalf("%d requests, %v", r.requests, err)
	}
	j.check = func(conn, n, status int, answer []byte) error { return priced(conn, n+1, status, answer) }
	if _, err := load(s, j); err == nil || !strings.Contains(err.Error(), `000001","total"`) {
		t.Errorf("%v", err)
	}
}

func TestUnknownScenario(t *testing.T) {
	if err := bench(settings{}, []string{"S99"}); err == nil || !strings.Contains(err.Error(), "S99") {
		t.Errorf("%v", err)
	}
}

func TestVerdicts(t *testing.T) {
	var f figures
	f.atMost("a", 1.3, "", 1.25, 1)
	f.atMost("b", 1.2, "", 1.25, 1)
	f.atMost("c", 1.0, "", 1.25, 1)
	f.atLeast("d", 24_999, "", 25_000, 50_000)
	f.atLeast("e", 25_000, "", 25_000, 50_000)
	f.atLeast("f", 1_250_000, "", 25_000, 50_000)
	var got []string
	for _, x := range f.list {
		got = append(got, x.what+" "+x.verdict())
	}
	if want := "a **missed**, b must, c aim, d **missed**, e must, f aim"; strings.Join(got, ", ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	var out strings.Builder
	f.print(&out)
	if want := "| f | 1,250,000  | ≥ 25,000 | ≥ 50,000  | aim |"; !strings.Contains(strings.ReplaceAll(out.String(), "  |", " |"), strings.ReplaceAll(want, "  |", " |")) {
		t.Errorf("%s", out.String())
	}
}
