package function_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pipelined/internal/expression/function"
)

// extremes are what a source of randomness may give: from 0 to just below 1.
var extremes = []float64{0, 0.25, 0.5, 0.999, math.Nextafter(1, 0)}

func call(t *testing.T, random float64, name string, args ...any) (any, error) {
	t.Helper()
	return function.Named(name).Call(&function.Env{Random: func() float64 { return random }}, args)
}

// TestRandomIntStaysBetween, whatever the two numbers and the randomness are.
func TestRandomIntStaysBetween(t *testing.T) {
	for _, pair := range [][2]int{{0, 0}, {3, 3}, {1, 6}, {-6, -1}, {-5, 5}, {math.MinInt, math.MinInt + 9}, {math.MaxInt - 9, math.MaxInt}, {0, 1<<53 - 1}} {
		for _, r := range extremes {
			v, err := call(t, r, "randomInt", pair[0], pair[1])
			if n, ok := v.(int); err != nil || !ok || n < pair[0] || n > pair[1] {
				t.Errorf("randomInt(%d, %d) at %v gives %v, %v", pair[0], pair[1], r, v, err)
			}
		}
	}
	for _, pair := range [][2]int{{2, 1}, {math.MinInt, math.MaxInt}, {-1, math.MaxInt}, {0, 1 << 53}} {
		if v, err := call(t, 0.5, "randomInt", pair[0], pair[1]); err == nil {
			t.Errorf("randomInt(%d, %d) gives %v", pair[0], pair[1], v)
		}
	}
}

// TestRandomStringTakesCharacters of its alphabet, whatever bytes they are made of.
func TestRandomStringTakesCharacters(t *testing.T) {
	for _, alphabet := range []string{"a", "abc", "äöü", "日本", "a😀é"} {
		for _, r := range extremes {
			v, err := call(t, r, "randomString", 5, alphabet)
			s, ok := v.(string)
			if err != nil || !ok || utf8.RuneCountInString(s) != 5 || strings.Trim(s, alphabet) != "" || !utf8.ValidString(s) {
				t.Errorf("randomString(5, %q) at %v gives %q, %v", alphabet, r, v, err)
			}
		}
	}
	for _, args := range [][]any{{-1}, {function.MaxText + 1}, {function.MaxText, "日"}, {3, ""}} {
		if v, err := call(t, 0, "randomString", args...); err == nil {
			t.Errorf("randomString(%v) gives %.20v", args, v)
		}
	}
}

// TestEveryFunctionCanBeCalledOrLoops: what is declared is one or the other, and one
// that is not pure takes its environment.
func TestEveryFunctionCanBeCalledOrLoops(t *testing.T) {
	impure := map[string]bool{"now": true, "uuid": true, "random": true, "randomInt": true, "randomString": true}
	for _, f := range function.All() {
		if f.Pure() == impure[f.Name] {
			t.Errorf("%s: pure is %v", f.Name, f.Pure())
		}
		if f.Loop() && !f.Pure() {
			t.Errorf("%s is a loop and takes an environment", f.Name)
		}
	}
}
