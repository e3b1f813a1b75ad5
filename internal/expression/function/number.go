package function

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"pipelined/internal/value"
)

var numberFunctions = []Function{
	own("number", "sqrt", "sqrt(n)", "Square root.", `sqrt(9)`, `3`, number1(math.Sqrt)),
	own("number", "pow", "pow(n, e)", "n to the power of e.", `pow(2, 10)`, `1024`, func(args ...any) (any, error) { return power(args[0], args[1]) }),
	own("number", "log", "log(n, base?)", "Logarithm; natural without a base.", `log(1000, 10)`, `2.9999999999999996`, logarithm),
	own("number", "roundTo", "roundTo(n, digits)", "Rounded to so many digits after the point, halves away from zero.", `roundTo(2.345, 2)`, `2.35`, roundTo),
	own("number", "trunc", "trunc(n)", "The whole part.", `trunc(-2.7)`, `-2`, number1(math.Trunc)),
	own("number", "formatNumber", "formatNumber(n, digits, decimal?, thousands?)", "A number as people write it.", `formatNumber(1234567.891, 2, ",", ".")`, `"1.234.567,89"`, formatNumber),
	own("number", "parseNumber", "parseNumber(s, decimal?, thousands?)", "A number as people write it, read; other characters are an error.", `parseNumber("1.234,50", ",", ".")`, `1234.5`, parseNumber),
	inEnv("number", "random", "random()", "A number from 0 to below 1.", `random() < 1`, `true`, func(e *Env, _ ...any) (any, error) { return e.Random(), nil }),
	inEnv("number", "randomInt", "randomInt(from, to)", "A whole number between two, both included.", `randomInt(3, 3)`, `3`, randomInt),
	own("number", "abs", "abs(n)", "Without its sign.", `abs(-3)`, `3`, absolute),
	own("number", "ceil", "ceil(n)", "The next whole number up.", `ceil(1.2)`, `2`, number1(math.Ceil)),
	own("number", "floor", "floor(n)", "The next whole number down.", `floor(1.8)`, `1`, number1(math.Floor)),
	own("number", "round", "round(n)", "The nearest whole number.", `round(1.5)`, `2`, number1(math.Round)),
	own("number", "min", "min(a, b, …)", "The smallest, of arguments or of a list.", `min(3, 1, 2)`, `1`, extreme(-1)),
	own("number", "max", "max(a, b, …)", "The largest, of arguments or of a list.", `max(3, 1, 2)`, `3`, extreme(1)),
	own("number", "mean", "mean(a, b, …)", "The average, of arguments or of a list; null of nothing.", `mean([1, 2, 3])`, `2`, mean),
	own("number", "median", "median(a, b, …)", "The median, of arguments or of a list; null of nothing.", `median([1, 2, 9])`, `2`, median),
	own("number", "int", "int(v)", "A whole number, of a number or a text.", `int("12")`, `12`, toInt),
	own("number", "float", "float(v)", "A number, of a number or a text.", `float("1.5")`, `1.5`, toFloat),
}

func logarithm(args ...any) (any, error) {
	n, err := numberArg(args, 0)
	if err != nil || len(args) == 1 {
		return finiteOr(math.Log(n), err)
	}
	base, err := numberArg(args, 1)
	return finiteOr(math.Log(n)/math.Log(base), err)
}

func roundTo(args ...any) (any, error) {
	n, err := numberArg(args, 0)
	if err != nil {
		return nil, err
	}
	digits, err := intArg(args, 1)
	if err != nil || digits < 0 || digits > 15 {
		return nil, errors.New("digits is a whole number from 0 to 15")
	}
	// Through the decimal text, so that 2.345 is rounded as it is written and not
	// as the binary number just below it.
	text := strconv.FormatFloat(n, 'f', -1, 64)
	scaled, err := strconv.ParseFloat(text+"e"+strconv.Itoa(digits), 64)
	if err != nil {
		return nil, errors.New("the number is too large")
	}
	return strconv.ParseFloat(strconv.FormatFloat(math.Round(scaled), 'f', -1, 64)+"e-"+strconv.Itoa(digits), 64)
}

func formatNumber(args ...any) (any, error) {
	n, err := numberArg(args, 0)
	if err != nil {
		return nil, err
	}
	rounded, err := roundTo(args[0], args[1])
	if err != nil {
		return nil, err
	}
	digits, _ := intArg(args, 1)
	decimal, thousands := separators(args, ".", "")
	text := strconv.FormatFloat(math.Abs(rounded.(float64)), 'f', digits, 64)
	before, after, _ := strings.Cut(text, ".")
	var b strings.Builder
	if n < 0 {
		b.WriteByte('-')
	}
	for i, c := range before {
		if i > 0 && (len(before)-i)%3 == 0 {
			b.WriteString(thousands)
		}
		b.WriteRune(c)
	}
	if after != "" {
		b.WriteString(decimal + after)
	}
	return b.String(), nil
}

// separators are the last two arguments of formatNumber, or of parseNumber moved
// by one.
func separators(args []any, decimal, thousands string) (string, string) {
	if len(args) > 2 {
		if s, ok := args[2].(string); ok {
			decimal = s
		}
	}
	if len(args) > 3 {
		if s, ok := args[3].(string); ok {
			thousands = s
		}
	}
	return decimal, thousands
}

func parseNumber(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	decimal, thousands := separators(append([]any{nil}, args...), ".", "")
	if thousands != "" {
		s = strings.ReplaceAll(s, thousands, "")
	}
	if decimal != "." {
		s = strings.ReplaceAll(s, decimal, ".")
	}
	raw, err := value.ParseString(strings.TrimPrefix(strings.TrimSpace(s), "+"))
	if err == nil {
		if v := value.Scalar(raw); value.Describe(v) == "a number" {
			return v, nil
		}
	}
	return nil, errors.New("the text is not a number")
}

func randomInt(e *Env, args ...any) (any, error) {
	from, err1 := intArg(args, 0)
	to, err2 := intArg(args, 1)
	switch err := errors.Join(err1, err2); {
	case err != nil:
		return nil, err
	case to < from:
		return nil, errors.New("the second number is below the first")
	case float64(to)-float64(from) >= 1<<53:
		return nil, errors.New("the two numbers are too far apart")
	}
	return from + int(e.Random()*float64(to-from+1)), nil
}

func absolute(args ...any) (any, error) {
	if n, ok := args[0].(int); ok {
		if n == math.MinInt {
			return nil, ErrOverflow
		}
		return max(n, -n), nil
	}
	n, err := numberArg(args, 0)
	return finiteOr(math.Abs(n), err)
}

// numbers are all numbers of arguments that are numbers or lists of them.
func numbers(args []any) ([]any, error) {
	var out []any
	for _, a := range args {
		list, isList := value.Open(a).([]any)
		if !isList {
			list = []any{a}
		}
		for _, e := range list {
			if _, ok := float(e); !ok {
				return nil, fmt.Errorf("numbers are needed, not %s", value.Describe(e))
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// extreme is the largest number, or the smallest for -1; null where there is none.
func extreme(sign int) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		list, err := numbers(args)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		best := list[0]
		for _, e := range list[1:] {
			if c, _ := value.Compare(e, best); c*sign > 0 {
				best = e
			}
		}
		return best, nil
	}
}

func mean(args ...any) (any, error) {
	list, err := numbers(args)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	sum := 0.0
	for _, e := range list {
		n, _ := float(e)
		sum += n
	}
	return whole(sum / float64(len(list)))
}

func median(args ...any) (any, error) {
	list, err := numbers(args)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	sorted, err := Sorted(list, list, nil)
	if err != nil {
		return nil, err
	}
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 1 {
		return middle, nil
	}
	a, _ := float(sorted[len(sorted)/2-1])
	b, _ := float(middle)
	return whole(a/2 + b/2)
}

var errNumber = errors.New("the text is not a number")

// toInt cuts decimals off. A whole number keeps all its digits.
func toInt(args ...any) (any, error) {
	v := value.Scalar(args[0])
	if s, ok := v.(string); ok {
		if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			return n, nil
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(f) {
			return nil, errNumber
		}
		v = f
	}
	if n, ok := value.Int(v); ok {
		return int(n), nil
	}
	f, ok := float(v)
	switch {
	case !ok && value.Describe(v) == "a number", math.Abs(f) >= 1<<63:
		return nil, ErrOverflow
	case !ok:
		return nil, fmt.Errorf("argument 1 is %s, not a number", value.Describe(args[0]))
	}
	return int(f), nil
}

func toFloat(args ...any) (any, error) {
	v := value.Scalar(args[0])
	if f, ok := float(v); ok {
		return f, nil
	}
	if kind := value.Describe(v); kind != "a text" && kind != "a number" {
		return nil, fmt.Errorf("argument 1 is %s, not a number", kind)
	}
	s, err := value.Text(v)
	if err != nil {
		return nil, err
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return nil, errNumber
	}
	return Finite(f)
}
