package pattern_test

import (
	"strings"
	"testing"

	"pipelined/internal/pattern"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, typ string
		want         bool
	}{
		{"order.created", "order.created", true},
		{"order.created", "order.create", false},
		{"order.created", "order.created.again", false},
		{"order.created", "order", false},
		{"order", "order", true},
		{"order.*", "order.created", true},
		{"order.*", "order.line.added", true},
		{"order.*", "order", false},
		{"order.*", "order.", false},
		{"order.*", "orders.created", false},
		{"*.created", "order.created", true},
		{"*.created", "order.line.created", false},
		{"*.created", "created", false},
		{"order.*.added", "order.line.added", true},
		{"order.*.added", "order.line.removed", false},
		{"order.*.added", "order.added", false},
		{"order.*.*", "order.line", false},
		{"order.*.*", "order.line.added.twice", true},
		{"*", "order", true},
		{"*", "order.line.added", true},
		{"*", "", false},
		{"order.*", "order.*", true},
		{"*", "pipelined.execution.failed", false},
		{"*.*", "pipelined.redrive", false},
		{"*.redrive", "pipelined.redrive", false},
		{"*.redrive", "orders.redrive", true},
		{"*", "pipelined", true},
		{"pipelined.execution.failed", "pipelined.execution.failed", true},
		{"pipelined.request.*", "pipelined.request.orders", true},
	}
	for _, tt := range tests {
		if got := pattern.Match(tt.pattern, tt.typ); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.typ, got)
		}
	}
	if pattern.MatchAny(nil, "order") || !pattern.MatchAny([]string{"a", "order.*"}, "order.b") {
		t.Error("any of none, or none of two")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"order", "order.received", "order.line_item.v2", "order.2", "order._x", "*", "order.*", "*.received", "a.*.b", "pipelined.execution.failed"} {
		if why := pattern.Check(good); why != "" {
			t.Errorf("%q is refused: %s", good, why)
		}
	}
	for bad, says := range map[string]string{
		"": "such as order.received", ".": "one dot", "order.": "one dot", ".order": "one dot", "a..b": "one dot",
		"order.re*": "whole segment", "**": "whole segment", "order received": "lower case", "order/x": "lower case", "bestätigt": "lower case",
		"order.{a}": "lower case", "order.line-item": "lower case", "Order": "lower case", "2nd.order": "begin with a letter", "_a": "begin with a letter",
	} {
		if why := pattern.Check(bad); !strings.Contains(why, says) {
			t.Errorf("%q: got %q, want %q", bad, why, says)
		}
	}
	for _, good := range []string{"order", "order.received", "order.2", "pipelined"} {
		if why := pattern.CheckType(good); why != "" {
			t.Errorf("%q is refused: %s", good, why)
		}
	}
	for bad, says := range map[string]string{"order.*": "lower case words", "*": "lower case words", "": "lower case words", "Order": "lower case words", "pipelined.x": "belong to the runtime"} {
		if why := pattern.CheckType(bad); !strings.Contains(why, says) {
			t.Errorf("%q: got %q, want %q", bad, why, says)
		}
	}
}

// A pattern as segments: what * stands for, said a second time. What can be published is
// taken by itself, and by the pattern that has * for its last segment.
func FuzzMatch(f *testing.F) {
	f.Add("order.*", "order.line.added")
	f.Add("*.created", "order.created")
	f.Add("a.*.b", "a..b")
	f.Add("*", "")
	f.Add("*", "pipelined.x")
	f.Fuzz(func(t *testing.T, p, typ string) {
		got := pattern.Match(p, typ)
		if pattern.CheckType(typ) == "" {
			last := typ[:strings.LastIndex("."+typ, ".")] + "*"
			if !pattern.Match(typ, typ) || !pattern.Match(last, typ) {
				t.Errorf("%q is not taken by itself, or not by %q", typ, last)
			}
		}
		if pattern.Check(p) != "" || pattern.Check(typ) != "" {
			return
		}
		want, have := strings.Split(p, "."), strings.Split(typ, ".")
		fits := len(have) == len(want) || len(have) > len(want) && want[len(want)-1] == "*"
		for i := 0; fits && i < len(want); i++ {
			fits = want[i] == "*" || want[i] == have[i]
		}
		if len(have) > 1 && have[0] == "pipelined" && want[0] == "*" {
			fits = false
		}
		if got != fits {
			t.Errorf("Match(%q, %q) = %v", p, typ, got)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		pattern.Match("order.*", "order.line.added")
	}
}
