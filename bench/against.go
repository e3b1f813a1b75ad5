package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// The arms of a comparison.
const (
	armThis = iota
	armOther
	armAgain // this once more: how far the two are apart is noise
	armCount
)

// compareAll puts this binary, another one and this one again through scenarios in
// turn. It is an error if this one does worse in any.
func compareAll(b settings, chosen []scenario) error {
	about, err := describe(b)
	if err != nil {
		return err
	}
	printHead(b)
	fmt.Printf("Against %s. Medians of the rounds, in which the arms alternate. Noise is how far from 1 the ratio of like binaries\n"+
		"would come out, going by A/A; worse and better are further than that and %s %% besides.\n\n", about, number(b.tolerance*100))
	var failures []string
	for _, sc := range chosen {
		c, err := compare(b, sc)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Printf("## %s %s\n\n", sc.name, sc.about)
		c.print(b.tolerance)
		fmt.Println()
		for _, f := range c.failures(b.tolerance) {
			failures = append(failures, sc.name+" "+f)
		}
	}
	if len(failures) > 0 {
		return fmt.Errorf("worse than %s: %s", b.against, strings.Join(failures, "; "))
	}
	return nil
}

// describe checks that the other binary is one, and says which.
func describe(b settings) (string, error) {
	info, err := buildinfo.ReadFile(b.against)
	if err != nil {
		return "", fmt.Errorf("read the binary to compare with: %w; make one with make build in a checkout of the other version", err)
	}
	name := filepath.Base(b.against)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			name += " of " + s.Value
		}
	}
	mine, err := os.ReadFile(b.binary)
	if err != nil {
		return "", err
	}
	theirs, err := os.ReadFile(b.against)
	if err != nil {
		return "", err
	}
	if bytes.Equal(mine, theirs) {
		name += ", which is the same program, byte for byte"
	}
	return name, nil
}

// compare measures the arms of one scenario in turn.
func compare(b settings, sc scenario) (comparison, error) {
	samples, err := turns(b.rounds, armCount, func(arm int) (sample, error) {
		own, name := b, "this"
		if arm == armOther {
			own.binary, name = b.against, "other"
		}
		s, err := sc.take(own)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return s, err
	})
	if err != nil {
		return nil, err
	}
	return collect(samples), nil
}

// sample is what one measurement found.
type sample []quantity

// quantity is one thing measured.
type quantity struct {
	what    string
	value   float64
	judging judging
}

// judging says which values of a quantity are good.
type judging int

const (
	noted judging = iota // too noisy, or not the point
	less
	more
)

// comparison is what the arms of one scenario found.
type comparison []compared

// compared is one quantity, measured by all arms in every round.
type compared struct {
	what    string
	judging judging
	rounds  [armCount][]float64
}

// collect turns samples, by arm and round, into quantities.
func collect(samples [][]sample) comparison {
	c := make(comparison, len(samples[armThis][0]))
	for i, q := range samples[armThis][0] {
		c[i].what, c[i].judging = q.what, q.judging
		for arm := range samples {
			for _, s := range samples[arm] {
				c[i].rounds[arm] = append(c[i].rounds[arm], s[i].value)
			}
		}
	}
	return c
}

// ratio is this binary, the mean of its two arms, by the other: the median of the
// rounds, since what disturbs a machine often lasts a whole one.
func (c compared) ratio() float64 {
	return c.median(func(r int) float64 {
		return math.Sqrt(c.rounds[armThis][r]*c.rounds[armAgain][r]) / c.rounds[armOther][r]
	})
}

// control is what the ratio is between the two arms that are alike.
func (c compared) control() float64 {
	return c.median(func(r int) float64 { return c.rounds[armAgain][r] / c.rounds[armThis][r] })
}

func (c compared) median(of func(round int) float64) float64 {
	list := make([]float64, len(c.rounds[armThis]))
	for r := range list {
		list[r] = of(r)
	}
	return median(list)
}

// minRounds is how many rounds it takes to tell how much of a difference is noise.
const minRounds = 3

// noise is by what factor, less one, the ratio of like binaries stays away from 1 in
// 99 of 100 runs: what single measurements vary by beside what their round and their
// arm explain, as much of it as is left in the ratio, by Student's t for so few. It
// is at least what A/A differs by.
func (c compared) noise() float64 {
	t := []float64{3.75, 3.14, 2.90, 2.76, 2.68, 2.62, 2.58, 2.55} // of 4, 6, 8 … degrees of freedom
	n := len(c.rounds[armThis])
	free := float64((n - 1) * (armCount - 1))
	single := math.Sqrt(c.unexplained() / free)
	const ofMedian = 1.25 // a median varies by that much more than a mean
	ratio := t[min(n-minRounds, len(t)-1)] * single * math.Sqrt(1.5/float64(n)) * ofMedian
	return max(math.Exp(ratio)-1, apart(c.control()))
}

// unexplained is the sum of squares of what is left of the logarithms of all
// measurements after the means of their rounds and of their arms.
func (c compared) unexplained() (squares float64) {
	n := len(c.rounds[armThis])
	var ofArm [armCount]float64
	ofRound, all := make([]float64, n), 0.0
	for arm, list := range c.rounds {
		for r, v := range list {
			l := math.Log(v)
			ofArm[arm] += l / float64(n)
			ofRound[r] += l / armCount
			all += l / float64(n*armCount)
		}
	}
	for arm, list := range c.rounds {
		for r, v := range list {
			d := math.Log(v) - ofArm[arm] - ofRound[r] + all
			squares += d * d
		}
	}
	return squares
}

// apart is how much larger one of two values is than the other, by their ratio.
func apart(ratio float64) float64 { return max(ratio, 1/ratio) - 1 }

const (
	worse  = "**worse**"
	better = "better"
	alike  = "alike"
)

// verdict is how this binary does beside the other: worse or better if the two are
// further apart than noise and the tolerance.
func (c compared) verdict(tolerance float64) string {
	ratio := c.ratio()
	switch {
	case c.judging == noted:
		return "not judged"
	case apart(ratio) <= c.noise()+tolerance:
		return alike
	case (ratio > 1) == (c.judging == more):
		return better
	}
	return worse
}

// failures names the quantities in which this binary does worse.
func (c comparison) failures(tolerance float64) []string {
	var names []string
	for _, q := range c {
		if q.verdict(tolerance) == worse {
			names = append(names, fmt.Sprintf("%s, %s ×", q.what, number(q.ratio())))
		}
	}
	return names
}

func (c comparison) print(tolerance float64) {
	var rows [][]string
	for _, q := range c {
		rows = append(rows, []string{q.what, number(median(q.rounds[armThis])), number(median(q.rounds[armOther])), number(median(q.rounds[armAgain])),
			fmt.Sprintf("%.3f", q.ratio()), fmt.Sprintf("%.3f", q.control()), fmt.Sprintf("± %.3f", q.noise()), q.verdict(tolerance)})
	}
	table([]string{"", "this", "other", "this again", "this ÷ other", "A/A", "noise", ""}, rows)
}
