package daemon

import "testing"

func TestCollectorPercent(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	tests := []struct {
		what   string
		live   uint64
		before int
		want   int
	}{
		{"a small heap may grow to the floor", 8 * mb, 100, 500},
		{"a tiny one no further", 0, 100, 1500},
		{"from half the floor on the collector's own rule holds", 24 * mb, 500, 100},
		{"and stays", 500 * mb, 100, 100},
		{"what is nearly right stays", 9 * mb, 500, 500},
		{"what is not is mended, upwards", 3 * mb, 500, 1500},
		{"and downwards", 16 * mb, 500, 200},
	}
	for _, tt := range tests {
		if got := collectorPercent(tt.live, tt.before); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, got, tt.want)
		}
	}
}
