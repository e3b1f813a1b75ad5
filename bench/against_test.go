package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every arm is measured once a round, and over as many rounds as there are arms each
// is measured first, second and last as often as the others.
func TestTurns(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 4; n++ {
		for rounds := 1; rounds <= 9; rounds++ {
			var order []int
			results, err := turns(rounds, n, func(arm int) (int, error) {
				order = append(order, arm)
				return len(order), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			places := map[[2]int]int{}
			for i, arm := range order {
				places[[2]int{arm, i % n}]++
			}
			for arm := range n {
				if len(results[arm]) != rounds {
					t.Errorf("%d arms, %d rounds: arm %d has %d results", n, rounds, arm, len(results[arm]))
				}
				for r, at := range results[arm] {
					if (at-1)/n != r || order[at-1] != arm {
						t.Errorf("%d arms: result %d of arm %d was taken as number %d, of arm %d", n, r, arm, at, order[at-1])
					}
				}
				for place := range n {
					if got := places[[2]int{arm, place}]; got != rounds/n && got != (rounds+n-1)/n {
						t.Errorf("%d arms, %d rounds: arm %d is at place %d %d times", n, rounds, arm, place, got)
					}
				}
			}
		}
	}
}

func TestTurnsEndAtAnError(t *testing.T) {
	t.Parallel()
	calls, broken := 0, errors.New("broken")
	_, err := turns(3, 3, func(arm int) (int, error) {
		if calls++; calls == 5 {
			return 0, broken
		}
		return arm, nil
	})
	if !errors.Is(err, broken) || calls != 5 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// a quantity with the same value in every round of an arm.
func steady(judging judging, this, other, again float64) compared {
	c := compared{what: "it", judging: judging}
	for range 5 {
		for arm, v := range []float64{this, other, again} {
			c.rounds[arm] = append(c.rounds[arm], v)
		}
	}
	return c
}

func TestJudgement(t *testing.T) {
	t.Parallel()
	tests := []struct {
		c    compared
		want string
	}{
		{steady(less, 100, 100, 100), alike},
		{steady(more, 100, 100, 100), alike},
		{steady(less, 104, 100, 104), alike}, // the tolerance of 5 % is not used up
		{steady(less, 106, 100, 106), worse},
		{steady(more, 106, 100, 106), better},
		{steady(less, 94, 100, 94), better},
		{steady(more, 94, 100, 94), worse},
		{steady(more, 96, 100, 96), alike},
		{steady(noted, 500, 100, 500), "not judged"},
		{steady(less, 100, 100, 120), alike}, // as far from each other as from the other
		{steady(less, 108, 100, 120), alike}, // 14 % away, of which A/A explains 11
		{steady(less, 114, 100, 120), worse}, // 17 %, of which A/A explains 5
		{steady(more, 81, 100, 91), alike},   // 16 %, 12 are A/A
		{steady(more, 83, 100, 85), worse},
		{steady(less, 0.0001, 0.001, 0.0001), better},
	}
	for _, tt := range tests {
		if got := tt.c.verdict(0.05); got != tt.want {
			t.Errorf("%v: %s, want %s (ratio %.3f, noise %.3f)", tt.c.rounds, got, tt.want, tt.c.ratio(), tt.c.noise())
		}
	}
}

// varied is a comparison of binaries of which this one takes factor as long, on a
// machine whose single measurements vary by spread, and rounds by much more.
func varied(r *rand.Rand, rounds int, factor, spread float64) compared {
	c := compared{what: "it", judging: less}
	for range rounds {
		machine := math.Exp(10 * spread * r.NormFloat64())
		for arm := range armCount {
			v := 40 * machine * math.Exp(spread*r.NormFloat64())
			if arm != armOther {
				v *= factor
			}
			c.rounds[arm] = append(c.rounds[arm], v)
		}
	}
	return c
}

// Whatever the machine's noise, like binaries are seldom told apart, and binaries
// that differ by much more than it are.
func TestJudgementUnderNoise(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 1))
	const runs = 2000
	for _, rounds := range []int{3, 5, 10, 30} {
		for _, spread := range []float64{0.001, 0.01, 0.1} {
			count := map[string]int{}
			for range runs {
				count[varied(r, rounds, 1, spread).verdict(0)]++
			}
			if wrong := count[worse] + count[better]; wrong > runs*25/1000 {
				t.Errorf("%d rounds that vary by %v: like binaries differ in %d of %d runs", rounds, spread, wrong, runs)
			}
			found := 0
			for range runs {
				if varied(r, rounds, math.Exp(8*spread), spread).verdict(0) == worse {
					found++
				}
			}
			if found < runs*95/100 {
				t.Errorf("%d rounds that vary by %v: a difference of eight times that is found in %d of %d runs", rounds, spread, found, runs)
			}
		}
	}
}

func TestRatiosArePairedByRound(t *testing.T) {
	t.Parallel()
	c := compared{judging: less, rounds: [armCount][]float64{{10, 20, 40, 10, 80}, {20, 40, 80, 20, 160}, {10, 20, 40, 10, 80}}}
	if c.ratio() != 0.5 || c.control() != 1 || c.noise() > 1e-9 || c.verdict(0.05) != better {
		t.Errorf("ratio %v, control %v, noise %v, %s", c.ratio(), c.control(), c.noise(), c.verdict(0.05))
	}
}

// compare hands the binaries to the arms and names what is worse.
func TestCompare(t *testing.T) {
	t.Parallel()
	var order []string
	sc := scenario{name: "S0", take: func(b settings) (sample, error) {
		order = append(order, b.binary)
		v := map[string]float64{"mine": 3, "theirs": 2}[b.binary]
		return sample{{"requests/s", v, more}, {"CPU", v, less}, {"MB", v, noted}}, nil
	}}
	c, err := compare(settings{rounds: 3, binary: "mine", against: "theirs"}, sc)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"mine", "theirs", "mine", "theirs", "mine", "mine", "mine", "mine", "theirs"}; !slices.Equal(order, want) {
		t.Errorf("measured %v, want %v", order, want)
	}
	if got := c.failures(0.03); len(got) != 1 || got[0] != "CPU, 1.50 ×" {
		t.Errorf("worse: %q", got)
	}
	sc.take = func(b settings) (sample, error) { return nil, errors.New("does not start") }
	if _, err := compare(settings{rounds: 3, binary: "mine", against: "theirs"}, sc); err == nil || err.Error() != "this: does not start" {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	t.Chdir("..")
	text := t.TempDir() + "/text"
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		s      settings
		wanted []string
		want   string
	}{
		{settings{against: text, rounds: 3}, []string{"S7"}, "S7; there are S1, S2"},
		{settings{against: text, rounds: 2}, nil, "-rounds 3"},
		{settings{against: text, rounds: 3, tolerance: -1}, nil, "-tolerance"},
		{settings{against: text, rounds: 3, profile: "out"}, nil, "-profile"},
		{settings{against: text, rounds: 3}, []string{"S1"}, "make build"},
		{settings{against: text + "s", rounds: 3}, []string{"S1"}, "no such file"},
	} {
		if err := bench(tt.s, tt.wanted); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v %v: %v, want %s", tt.s, tt.wanted, err, tt.want)
		}
	}
}

// Every scenario that can be compared is, with everything checked; the binary is
// built twice from this tree, so nothing is known to be worse.
func TestAgainst(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some ninety servers")
	}
	t.Chdir("..")
	other := t.TempDir() + "/pipelined"
	if err := build(other); err != nil {
		t.Fatal(err)
	}
	s := settings{arm: 20 * time.Millisecond, rounds: minRounds, conns: 4, many: 4000, against: other, tolerance: 1e9}
	if err := bench(s, nil); err != nil && !strings.Contains(err.Error(), "worse than") { // a test does not judge time
		t.Error(err)
	}
	if about, err := describe(settings{binary: other, against: other}); err != nil || !strings.Contains(about, "the same program") {
		t.Errorf("%q, %v", about, err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	names := func(list []scenario) string {
		var out []string
		for _, sc := range list {
			out = append(out, sc.name)
		}
		return strings.Join(out, " ")
	}
	for wanted, want := range map[string]string{
		"": "S1 S2 S3a S3b S3c S4 S5 S6 S7 backlog pipelines", "S1": "S1", "S3": "S3a S3b S3c", "S6 S3b": "S3b S6", "back": "backlog",
	} {
		got, err := choose(scenarios(), strings.Fields(wanted))
		if err != nil || names(got) != want {
			t.Errorf("%q: %s, %v", wanted, names(got), err)
		}
	}
	if _, err := choose(scenarios(), []string{"S1", "S9"}); err == nil || !strings.Contains(fmt.Sprint(err), "S9; there are S1, S2, S3a") {
		t.Errorf("%v", err)
	}
}
