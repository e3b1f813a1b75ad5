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
		{"a small heap may double and grow by 48 MB", 8 * mb, 100, 700},
		{"a tiny one no further", 0, 100, 1300},
		{"so may a large one", 48 * mb, 500, 200},
		{"and stays", 500 * mb, 100, 100},
		{"what is nearly right stays", 9 * mb, 600, 600},
		{"what is not is mended, upwards", 4 * mb, 500, 1300},
		{"and downwards", 16 * mb, 700, 400},
	}
	for _, tt := range tests {
		if got := collectorPercent(tt.live, tt.before); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, got, tt.want)
		}
	}
}
