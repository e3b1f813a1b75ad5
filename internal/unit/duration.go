package unit

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// day is a unit that Go's durations lack. It is always 24 hours.
const day = 24 * time.Hour

// longest is how much text a duration may be: a sum of every unit, with room.
const longest = 100

// Duration reads a length of time: 250ms, 5s, 15m, 24h, 30d, and sums such as 1h30m. It
// has a unit and no sign; see Span.
func Duration(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	if s == "" || s[0] == '-' || s[0] == '+' || s == "0" {
		return 0, notDuration(text)
	}
	return Span(s)
}

// Span reads a difference of two times, which is a duration that may begin with - or +
// and, where it is 0, needs no unit. Without days it is what Go reads.
func Span(s string) (time.Duration, error) {
	if len(s) > longest {
		return 0, notDuration(s[:longest] + "…")
	}
	sign, body := "", s
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, body = s[:1], s[1:]
	}
	if body == "0" {
		return 0, nil
	}
	sum, rest, ok := takeDays(body)
	switch {
	case !ok:
		return 0, notDuration(s)
	case sum.Sign() == 0: // with its sign: the longest negative one has no positive counterpart
		return parse(s, sign+rest)
	case rest != "":
		d, err := parse(s, rest)
		if err != nil {
			return 0, err
		}
		sum.Add(sum, big.NewInt(int64(d)))
	}
	if sign == "-" {
		sum.Neg(sum)
	}
	if !sum.IsInt64() {
		return 0, fmt.Errorf("%q is too long for a duration: %d days are the most", s, math.MaxInt64/int64(day))
	}
	return time.Duration(sum.Int64()), nil
}

// parse reads the part of text that has no days.
func parse(text, part string) (time.Duration, error) {
	if strings.TrimLeft(part, "+-") == "" { // there were only days, and none
		return 0, nil
	}
	d, err := time.ParseDuration(part)
	if err != nil {
		return 0, notDuration(text)
	}
	return d, nil
}

func notDuration(text string) error {
	return fmt.Errorf("%q is not a duration: write 250ms, 5s, 15m, 24h or 30d", text)
}

// takeDays adds up the days of a sum, in nanoseconds, and returns the rest of it, which
// Go can read.
func takeDays(s string) (sum *big.Int, rest string, ok bool) {
	const digits = "0123456789."
	sum = new(big.Int)
	for ok = s != ""; ok && s != ""; {
		n := len(s) - len(strings.TrimLeft(s, digits))
		m := len(s)
		if i := strings.IndexAny(s[n:], digits); i >= 0 {
			m = n + i
		}
		number, unit := s[:n], s[n:m]
		if s = s[m:]; unit != "d" {
			ok = number != "" && unit != ""
			rest += number + unit
			continue
		}
		var exact *big.Rat
		if exact, ok = new(big.Rat).SetString(number); ok {
			exact.Mul(exact, new(big.Rat).SetInt64(int64(day)))
			sum.Add(sum, new(big.Int).Quo(exact.Num(), exact.Denom()))
		}
	}
	return sum, rest, ok
}
