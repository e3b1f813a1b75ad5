package value

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// integerOf reads a whole number that fits an int. It exists beside strconv.Atoi
// because a decimal, the other half of all numbers, must not cost an error value.
func integerOf(text string) (int, bool) {
	digits := text
	if len(text) > 0 && text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d) // 19 digits fit
	}
	switch {
	case len(digits) == len(text) && n <= math.MaxInt64:
		return int(n), true
	case len(digits) < len(text) && n <= -math.MinInt64:
		return int(-n), true
	}
	return 0, false
}

// exactNumber returns the Go number a text stands for, or Raw where writing that
// number would give another text, and for a whole number beyond 64 bits, which no
// Go number stands for.
func exactNumber(text string) any {
	if n, ok := integerOf(text); ok {
		if n == 0 && text != "0" { // -0
			return Raw(text)
		}
		return n
	}
	if whole(text) || !canonical(text) {
		return Raw(text)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Raw(text)
	}
	return f
}

// canonical reports whether a valid JSON number that is no integer is written the
// way Append would write it. Up to 15 digits no two decimals share a float64, so
// the shortest text of one is the text itself, provided it has no exponent and no
// zero at its end.
func canonical(text string) bool {
	if len(text) <= 16 && text[len(text)-1] != '0' { // the point is no digit
		plain := true
		for i := range len(text) {
			c := text[i]
			plain = plain && (c == '.' || c == '-' || c >= '0' && c <= '9')
		}
		if plain && !tiny(text) {
			return true
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	var buf [32]byte
	b, err := appendFloat(buf[:0], f)
	return err == nil && string(b) == text
}

// whole reports whether a valid JSON number has neither fraction nor exponent.
func whole(text string) bool { return strings.Trim(text, "-0123456789") == "" }

// tiny reports whether a plain decimal may be small enough to be written with an
// exponent.
func tiny(text string) bool {
	if text[0] == '-' {
		text = text[1:]
	}
	return len(text) > 6 && text[:7] == "0.00000"
}

// number is the Go number of a text, exact or not. A whole number beyond 64 bits
// and what float64 cannot hold stay text: arithmetic on them is an error, not a
// wrong result.
func number(text string) any {
	if n, ok := integerOf(text); ok {
		return n
	}
	if whole(text) && text != "-0" {
		return json.Number(text)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return json.Number(text)
	}
	return f
}
