package event

import (
	"strings"
	"testing"
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
	}
	for _, tt := range tests {
		if got := Match(tt.pattern, tt.typ); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.typ, got)
		}
	}
}

func TestValidPattern(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"order", "order.received", "order.line-item.v2", "com.Example.x_y", "*", "order.*", "*.received", "a.*.b"} {
		if !ValidPattern(good) {
			t.Errorf("%q is refused: %s", good, whyNot(good))
		}
	}
	for bad, says := range map[string]string{
		"": "such as order.received", ".": "one dot", "order.": "one dot", ".order": "one dot", "a..b": "one dot",
		"order.re*": "whole segment", "**": "whole segment", "order received": "letters", "order/x": "letters", "bestätigt": "letters", "order.{a}": "letters",
	} {
		if ValidPattern(bad) || !strings.Contains(whyNot(bad), says) {
			t.Errorf("%q: got %q, want %q", bad, whyNot(bad), says)
		}
	}
}

// A pattern as regular text: what * stands for, said a second time.
func FuzzMatch(f *testing.F) {
	f.Add("order.*", "order.line.added")
	f.Add("*.created", "order.created")
	f.Add("a.*.b", "a..b")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, pattern, typ string) {
		if !ValidPattern(pattern) || !ValidPattern(typ) {
			Match(pattern, typ) // must not panic
			return
		}
		p, s := strings.Split(pattern, "."), strings.Split(typ, ".")
		want := len(s) == len(p) || len(s) > len(p) && p[len(p)-1] == "*"
		for i := 0; want && i < len(p); i++ {
			want = p[i] == "*" || p[i] == s[i]
		}
		if got := Match(pattern, typ); got != want {
			t.Errorf("Match(%q, %q) = %v", pattern, typ, got)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Match("order.*", "order.line.added")
	}
}
