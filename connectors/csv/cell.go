package csv

import (
	"errors"
	"strings"

	"pipelined/internal/value"
)

// cell is a cell as JSON.
func (t columnType) cell(cell string) (string, error) {
	if t.read == nil {
		return string(value.Quote(cell)), nil
	}
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return "null", nil
	}
	return t.read(cell)
}

var (
	errInteger = errors.New("not a whole number")
	errNumber  = errors.New("not a number")
	errBoolean = errors.New("neither true nor false")
)

func boolean(cell string) (string, error) {
	switch strings.ToLower(cell) {
	case "true", "t", "yes", "y", "1":
		return "true", nil
	case "false", "f", "no", "n", "0":
		return "false", nil
	}
	return "", errBoolean
}

func integer(cell string) (string, error) {
	sign, digits := signOf(cell)
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > value.MaxNumber {
		return "", errInteger
	}
	return sign + withoutZeros(digits), nil
}

// number writes a number as JSON does and keeps all of its digits: +.5 is 0.5,
// 007 is 7, and 1.10 stays 1.10.
func number(cell string) (string, error) {
	sign, rest := signOf(cell)
	mantissa, exponent := rest, ""
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, exponent = rest[:i], rest[i+1:]
		esign, edigits := signOf(exponent)
		if edigits == "" || strings.Trim(edigits, "0123456789") != "" || len(edigits) > 3 {
			return "", errNumber
		}
		exponent = "e" + esign + edigits
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || len(cell) > value.MaxNumber {
		return "", errNumber
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + withoutZeros(whole) + fraction + exponent, nil
}

func signOf(s string) (sign, rest string) {
	switch {
	case strings.HasPrefix(s, "-"):
		return "-", s[1:]
	case strings.HasPrefix(s, "+"):
		return "", s[1:]
	}
	return "", s
}

func withoutZeros(digits string) string {
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	return digits
}
