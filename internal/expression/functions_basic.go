package expression

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pipelined/internal/unit"
	"pipelined/internal/value"
)

// errTooMuch is the error of an expression that makes more than an expression may.
var errTooMuch = fmt.Errorf("the result is larger than %d MB", maxText>>20)

func text2(f func(s, x string) any) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, err := texts(args, 2)
		if err != nil {
			return nil, err
		}
		return f(s[0], s[1]), nil
	}
}

func trim(args ...any) (any, error) {
	s, err := texts(args, len(args))
	if err != nil {
		return nil, err
	}
	if len(s) > 1 {
		return strings.Trim(s[0], s[1]), nil
	}
	return strings.TrimSpace(s[0]), nil
}

func split(args ...any) (any, error) {
	s, err := texts(args, 2)
	if err != nil {
		return nil, err
	}
	n := -1
	if len(args) > 2 {
		if n, err = intArg(args, 2); err != nil {
			return nil, err
		}
	}
	return anyList(strings.SplitN(s[0], s[1], n)), nil
}

func replace(args ...any) (any, error) {
	s, err := texts(args, 3)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(s[0], s[1]); len(s[0])+n*(len(s[2])-len(s[1])) > maxText {
		return nil, errTooMuch
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func repeat(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	n, err := intArg(args, 1)
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, errors.New("a text cannot be repeated less than 0 times")
	case n > maxText || n*len(s) > maxText:
		return nil, errTooMuch
	}
	return strings.Repeat(s, n), nil
}

// indexOf counts in characters, as substring does.
func indexOf(find func(s, part string) int) func(args ...any) (any, error) {
	return text2(func(s, part string) any {
		i := find(s, part)
		if i < 0 {
			return -1
		}
		return utf8.RuneCountInString(s[:i])
	})
}

func join(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	between, err := textArg(args, 1)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, e := range list {
		s, err := value.Text(e)
		if err != nil {
			return nil, err
		}
		if b.Len()+len(between)+len(s) > maxText {
			return nil, errTooMuch
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func anyList[T any](list []T) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

func length(args ...any) (any, error) {
	switch t := args[0].(type) {
	case string:
		return utf8.RuneCountInString(t), nil
	case []any:
		return len(t), nil
	case map[string]any:
		return len(t), nil
	case nil:
		return nil, errors.New("null has no length; say what counts instead: v ?? []")
	}
	switch kind := value.Describe(args[0]); kind {
	case "a list", "an object":
		return value.Length(args[0]), nil
	default:
		if _, err := value.Elements(args[0]); err == nil {
			return value.Length(args[0]), nil
		}
		return nil, fmt.Errorf("%s has no length", kind)
	}
}

func typeName(args ...any) (any, error) {
	switch v := value.Scalar(args[0]).(type) {
	case int, int64:
		return "int", nil
	case time.Time:
		return "time", nil
	case time.Duration:
		return "duration", nil
	case []byte:
		return "binary", nil
	default:
		name, ok := map[string]string{"null": "nil", "true or false": "bool", "a number": "float", "a text": "string", "a list": "array", "an object": "map"}[value.Describe(v)]
		if !ok {
			return nil, fmt.Errorf("%s has no type", value.Describe(v))
		}
		return name, nil
	}
}

func first(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func last(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[len(list)-1], nil
}

func take(args ...any) (any, error) {
	list, err1 := elementsArg(args, 0)
	n, err2 := intArg(args, 1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	n = min(max(n, 0), len(list))
	return list[:n:n], nil
}

func reverse(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	out := slices.Clone(list)
	slices.Reverse(out)
	return out, err
}

func sortList(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	var order any
	if len(args) > 1 {
		order = args[1]
	}
	return sortedBy(list, list, order)
}

// uniq knows elements again by their JSON with members sorted and numbers decoded,
// which is the same for values that are equal.
func uniq(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := []any{}
	for _, e := range list {
		key, err := value.JSON(value.Decode(e))
		if err != nil {
			return nil, err
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, e)
		}
	}
	return out, nil
}

func concat(args ...any) (any, error) {
	out := []any{}
	for i := range args {
		list, err := elementsArg(args, i)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

func flatten(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, e := range list {
		if value.Describe(e) != "a list" {
			out = append(out, e)
			continue
		}
		inner, err := flatten(value.Open(e))
		if err != nil {
			return nil, err
		}
		out = append(out, inner.([]any)...)
	}
	return out, nil
}

// ofMembers makes a list of an object's members, in document order, or sorted where
// there is none.
func ofMembers(pick func(name string, v any) any) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		list, err := value.Elements(args[0])
		if err != nil || value.Describe(args[0]) != "an object" {
			return nil, fmt.Errorf("argument 1 is %s, not an object", value.Describe(args[0]))
		}
		out := make([]any, len(list))
		for i, e := range list {
			m := e.(map[string]any)
			out[i] = pick(m["key"].(string), m["value"])
		}
		return out, nil
	}
}

func fromPairs(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(list))
	for _, e := range list {
		pair, ok := value.Open(e).([]any)
		if !ok || len(pair) != 2 {
			return nil, errors.New("each element must be a pair, [name, value]")
		}
		name, err := value.Text(pair[0])
		if err != nil {
			return nil, err
		}
		out[name] = pair[1]
	}
	return out, nil
}

func absolute(args ...any) (any, error) {
	if n, ok := args[0].(int); ok {
		if n == math.MinInt {
			return nil, errOverflow
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
	sorted, err := sortedBy(list, list, nil)
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
		return nil, errOverflow
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
	return finite(f)
}

func now(args ...any) (any, error) { return args[0].(*Frame).Host.Now(), nil }

// readDate reads a time, by default in one of the forms timeArg knows.
func readDate(args ...any) (any, error) {
	if len(args) > 1 && args[1] != nil {
		return parseDate(args...)
	}
	t, err := timeArg(args, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// readDuration also knows days, as every duration in a pipeline does.
func readDuration(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	d, err := unit.Span(s)
	if err != nil {
		return nil, errors.New("the text is not a duration such as 90m, 24h or 30d")
	}
	return d, nil
}
