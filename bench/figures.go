package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figures are the measured values that have a budget.
type figures struct{ list []figure }

type figure struct {
	what, unit       string
	value, must, aim float64
	more             bool // more is better
}

// atMost notes a value that must not be above must and is good below aim.
func (f *figures) atMost(what string, value float64, unit string, must, aim float64) {
	f.list = append(f.list, figure{what, unit, value, must, aim, false})
}

// atLeast notes a value that must not be below must and is good above aim.
func (f *figures) atLeast(what string, value float64, unit string, must, aim float64) {
	f.list = append(f.list, figure{what, unit, value, must, aim, true})
}

func (f figure) verdict() string {
	meets := func(limit float64) bool {
		if f.more {
			return f.value >= limit
		}
		return f.value <= limit
	}
	switch {
	case !meets(f.must):
		return "**missed**"
	case !meets(f.aim):
		return "must"
	}
	return "aim"
}

func (f *figures) print(w io.Writer) {
	if len(f.list) == 0 {
		return
	}
	fmt.Fprintf(w, "## Budgets\n\n| | measured | must | aim | meets |\n|---|---|---|---|---|\n")
	for _, x := range f.list {
		sign := "≤"
		if x.more {
			sign = "≥"
		}
		fmt.Fprintf(w, "| %s | %s %s | %s %s | %s %s | %s |\n", x.what, number(x.value), x.unit, sign, number(x.must), sign, number(x.aim), x.verdict())
	}
}

// number writes a value as precisely as a measurement is.
func number(v float64) string {
	switch {
	case v >= 1000:
		return thousands(v)
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func thousands(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// table prints a table of Markdown.
func table(head []string, rows [][]string) {
	fmt.Printf("| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range rows {
		fmt.Printf("| %s |\n", strings.Join(r, " | "))
	}
}

// median of a list that is not empty.
func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func medianOf[T any](list []T, f func(T) float64) float64 {
	out := make([]float64, len(list))
	for i, r := range list {
		out[i] = f(r)
	}
	return median(out)
}
