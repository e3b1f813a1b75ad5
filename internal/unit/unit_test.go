package unit_test

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pipelined/internal/unit"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "5s": 5 * time.Second, "15m": 15 * time.Minute, "24h": 24 * time.Hour, "30d": 720 * time.Hour,
		"1h30m": 90 * time.Minute, "1d12h": 36 * time.Hour, "12h1d": 36 * time.Hour, "0.5d": 12 * time.Hour, "1.5h": 90 * time.Minute,
		"0s": 0, "0d": 0, " 5s ": 5 * time.Second, "10us": 10 * time.Microsecond, "10µs": 10 * time.Microsecond, "7ns": 7,
		"106751d": 106751 * 24 * time.Hour, "106751d23h47m16s": 106751*24*time.Hour + 23*time.Hour + 47*time.Minute + 16*time.Second,
		"0.000000000000011574d": 0, // less than a nanosecond
		"0.1d":                  8640 * time.Second,
	} {
		if got, err := unit.Duration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "0", "5", "-5s", "+5s", "s", "d", ".d", "1.2.3d", "5x", "5 s", "1h 30m", "1w", "1D", "1e3s", "1e3d", "--1s", "day", "5sd",
		"106752d", "106751d24h", "2562048h", "99999999999999999999d", "106751d2562047h", "+", "0x1d", "1_0d", "1/2d", strings.Repeat("1s", 60)} {
		if got, err := unit.Duration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		} else if !strings.Contains(err.Error(), "duration") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "-0": 0, "-5s": -5 * time.Second, "+5s": 5 * time.Second, "-1d": -24 * time.Hour, "-1d1h": -25 * time.Hour, "-1h30m": -90 * time.Minute,
		"-2562047h47m16.854775808s": math.MinInt64,
	} {
		if got, err := unit.Span(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", " 5s", "--1s", "1h-30m", "-106752d"} {
		if got, err := unit.Span(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// A span without days is what Go reads; one with days is the exact sum of its parts.
func FuzzSpan(f *testing.F) {
	for _, text := range []string{"1h30m", "-1.5d", "1d2d3h", "0", ".5s", "1.d", "106751d", "9223372036854775807ns", "µs", "1d-2h"} {
		f.Add(text)
	}
	form := regexp.MustCompile(unit.DurationPattern)
	part := regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d)`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := unit.Span(text)
		if _, err := unit.Duration(text); (err == nil) != form.MatchString(strings.TrimSpace(text)) && !tooMuch(text, err) {
			t.Errorf("%q as a duration: %v", text, err)
		}
		s := text
		if !strings.Contains(s, "d") {
			want, wantErr := time.ParseDuration(s)
			if (err == nil) != (wantErr == nil && len(s) <= 100) || err == nil && got != want {
				t.Errorf("%q: %v, %v; Go says %v, %v", text, got, err, want, wantErr)
			}
			return
		}
		if err != nil {
			return
		}
		s, negative := strings.CutPrefix(strings.TrimPrefix(s, "+"), "-")
		sum := new(big.Int)
		for s != "" {
			m := part.FindStringSubmatch(s)
			if m == nil {
				t.Fatalf("%q is %v", text, got)
			}
			sum.Add(sum, nanoseconds(t, m[1], m[2]))
			s = s[len(m[0]):]
		}
		if negative {
			sum.Neg(sum)
		}
		if !sum.IsInt64() || sum.Int64() != int64(got) {
			t.Errorf("%q is %v, the sum of its parts %v", text, int64(got), sum)
		}
	})
}

// tooMuch reports whether a duration was refused though it is well written.
func tooMuch(text string, err error) bool {
	if err == nil {
		return false
	}
	digits := strings.Map(func(r rune) rune {
		if r >= '1' && r <= '9' {
			return '0'
		}
		return r
	}, strings.TrimSpace(text))
	_, zero := unit.Duration(digits)
	return zero == nil || len(digits) > 100
}

// nanoseconds is one part of a sum.
func nanoseconds(t *testing.T, number, of string) *big.Int {
	if of != "d" {
		d, err := time.ParseDuration(number + of)
		if err != nil {
			t.Fatal(err)
		}
		return big.NewInt(int64(d))
	}
	days, ok := new(big.Rat).SetString(number)
	if !ok {
		t.Fatalf("%q is no number", number)
	}
	days.Mul(days, new(big.Rat).SetInt64(int64(24*time.Hour)))
	return new(big.Int).Quo(days.Num(), days.Denom())
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"500B": 500, "64KB": 64 << 10, "10MB": 10 << 20, "1GB": 1 << 30, "10": 10, "0": 0, " 10 MB ": 10 << 20,
		"9223372036854775807": math.MaxInt64, "8589934591GB": 8589934591 << 30} {
		if got, err := unit.Size(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "+1", "1.5MB", "1kb", "1mb", "1TB", "1 0", "1BB", "1KMB", "8589934592GB", "9223372036854775808", "0x10"} {
		if got, err := unit.Size(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// A size is its digits times a power of 1024, said a second time.
func FuzzSize(f *testing.F) {
	for _, text := range []string{"1", "64KB", "8589934592GB", "1 B", "KB"} {
		f.Add(text)
	}
	form := regexp.MustCompile(unit.SizePattern)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := unit.Size(text)
		text = strings.TrimSpace(text)
		m := form.FindStringSubmatch(text)
		if m == nil {
			if err == nil {
				t.Errorf("%q is %d", text, got)
			}
			return
		}
		want, _ := new(big.Int).SetString(strings.TrimRight(text, " BKMG"), 10)
		want.Lsh(want, map[string]uint{"KB": 10, "MB": 20, "GB": 30}[m[1]])
		if want.IsInt64() != (err == nil) || err == nil && want.Int64() != got {
			t.Errorf("%q: %d, %v; want %v", text, got, err, want)
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "order_id", "o2", "a_", "a__b"} {
		if !unit.IsName(name) || !unit.IsWord(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, text := range []string{"", "2a", "_a", "A", "aB", "a-b", "a b", "a.b", "é", "a\n"} {
		if unit.IsName(text) {
			t.Errorf("%q is a name", text)
		}
	}
	for text, want := range map[string]string{"Order-Id": "order_id", "2nd try": "nd_try", "order2": "order2", "": "my_name", "日本": "my_name", "__a__": "a", "a - b": "a_b", "Straße": "stra_e"} {
		if got := unit.SuggestName(text); got != want {
			t.Errorf("for %q: %q, want %q", text, got, want)
		}
	}
}

// What is suggested can be used, and a name is suggested as it is, but for the _ at its
// end and such as stand beside each other.
func FuzzNames(f *testing.F) {
	for _, text := range []string{"Order-Id", "a__b_", "2", "İ", "\xff"} {
		f.Add(text)
	}
	form := regexp.MustCompile(unit.NamePattern)
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := unit.IsName(text), form.MatchString(text); got != want {
			t.Errorf("IsName(%s) = %v", strconv.Quote(text), got)
		}
		name := unit.SuggestName(text)
		if !unit.IsName(name) {
			t.Errorf("for %q: %q", text, name)
		}
		if unit.IsName(text) && !strings.Contains(text, "__") && !strings.HasSuffix(text, "_") && name != text {
			t.Errorf("for the name %q: %q", text, name)
		}
	})
}
