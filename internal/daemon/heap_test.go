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
		{"a small heap may grow to the floor", 8 * mb, 100, 700},
		{"a tiny one no further", 0, 100, 1500},
		{"from half the floor on the collector's own rule holds", 32 * mb, 700, 100},
		{"and stays", 500 * mb, 100, 100},
		{"what is nearly right stays", 9 * mb, 700, 700},
		{"what is not is mended, upwards", 4 * mb, 700, 1500},
		{"and downwards", 16 * mb, 700, 300},
	}
	for _, tt := range tests {
		if got := collectorPercent(tt.live, tt.before); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, got, tt.want)
		}
	}
}
