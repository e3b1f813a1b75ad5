package expression

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

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
	withFrame(own("number", "random", "random()", "A number from 0 to below 1.", `random() < 1`, `true`, func(args ...any) (any, error) { return args[0].(*Frame).Host.Random(), nil })),
	withFrame(own("number", "randomInt", "randomInt(from, to)", "A whole number between two, both included.", `randomInt(3, 3)`, `3`, randomInt)),
	own("number", "abs", "abs(n)", "Without its sign.", `abs(-3)`, `3`, absolute),
	own("number", "ceil", "ceil(n)", "The next whole number up.", `ceil(1.2)`, `2`, number1(math.Ceil)),
	own("number", "floor", "floor(n)", "The next whole number down.", `floor(1.8)`, `1`, number1(math.Floor)),
	own("number", "round", "round(n)", "The nearest whole number.", `round(1.5)`, `2`, number1(math.Round)),
	own("number", "min", "min(a, b, …)", "The smallest, of arguments or of a list.", `min(3, 1, 2)`, `1`, extreme(-1)),
	own("number", "max", "max(a, b, …)", "The largest, of arguments or of a list.", `max(3, 1, 2)`, `3`, extreme(1)),
	own("number", "mean", "mean(list)", "The average.", `mean([1, 2, 3])`, `2`, mean),
	own("number", "median", "median(list)", "The median.", `median([1, 2, 9])`, `2`, median),
	own("number", "int", "int(v)", "A whole number, of a number or a text.", `int("12")`, `12`, toInt),
	own("number", "float", "float(v)", "A number, of a number or a text.", `float("1.5")`, `1.5`, toFloat),
}

func numberArg(args []any, i int) (float64, error) {
	f, ok := float(args[i])
	if !ok {
		return 0, fmt.Errorf("argument %d is %s, not a number", i+1, value.Describe(args[i]))
	}
	return f, nil
}

func number1(f func(float64) float64) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		n, err := numberArg(args, 0)
		if err != nil {
			return nil, err
		}
		return whole(f(n))
	}
}

func logarithm(args ...any) (any, error) {
	n, err := numberArg(args, 0)
	if err != nil || len(args) == 1 {
		return finiteOr(math.Log(n), err)
	}
	base, err := numberArg(args, 1)
	return finiteOr(math.Log(n)/math.Log(base), err)
}

func finiteOr(f float64, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return finite(f)
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

func randomInt(args ...any) (any, error) {
	f := args[0].(*Frame)
	from, err1 := intArg(args, 1)
	to, err2 := intArg(args, 2)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if to < from {
		return nil, errors.New("the second number is below the first")
	}
	return from + int(f.Host.Random()*float64(to-from+1)), nil
}

var dateFunctions = []Function{
	withFrame(own("date", "now", "now()", "The current time, by the engine's clock.", `now() > date("2020-01-01")`, `true`, now)),
	own("date", "date", "date(s, layout?, timezone?)", "A time read from text, RFC 3339 or as a Go layout says.", `date("2026-03-08") < date("2026-03-09")`, `true`, readDate),
	own("date", "duration", "duration(s)", "A duration: now() - duration(\"24h\").", `duration("90m").Hours()`, `1.5`, readDuration),
	own("date", "formatDate", "formatDate(t, layout, timezone?)", "A time as text, by a Go layout such as 2006-01-02 15:04.", `formatDate("2026-03-08T09:30:00Z", "02.01.2006 15:04", "Europe/Berlin")`, `"08.03.2026 10:30"`, formatDate),
	own("date", "parseDate", "parseDate(s, layout, timezone?)", "A time read by a Go layout.", `parseDate("08.03.2026", "02.01.2006")`, `"2026-03-08T00:00:00Z"`, parseDate),
	own("date", "addDate", "addDate(t, n, unit, timezone?)", "A time moved by so many second, minute, hour, day, week, month or year.", `addDate("2026-01-31T00:00:00Z", 1, "month")`, `"2026-02-28T00:00:00Z"`, addDate),
	own("date", "diffDate", "diffDate(start, end, unit)", "How many whole units lie between two times.", `diffDate("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "month")`, `2`, diffDate),
	own("date", "startOf", "startOf(t, unit, timezone?)", "The beginning of the day, week (Monday), month or year, hour or minute.", `startOf("2026-03-08T09:30:00Z", "month")`, `"2026-03-01T00:00:00Z"`, startOf),
	own("date", "epochMillis", "epochMillis(t)", "Milliseconds since 1970.", `epochMillis("1970-01-01T00:00:01Z")`, `1000`, epochMillis),
	own("date", "fromEpochMillis", "fromEpochMillis(n)", "The time of so many milliseconds since 1970.", `fromEpochMillis(1000)`, `"1970-01-01T00:00:01Z"`, fromEpochMillis),
}

func timeArg(args []any, i int) (time.Time, error) {
	switch t := args[i].(type) {
	case time.Time:
		return t, nil
	case string:
		for _, layout := range []string{time.RFC3339Nano, time.DateTime, time.DateOnly} {
			if parsed, err := time.Parse(layout, t); err == nil {
				return parsed, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("argument %d is %s, not a time; date(…) or parseDate(…) reads one from text", i+1, value.Describe(args[i]))
}

func zoneArg(args []any, i int) (*time.Location, error) {
	if i >= len(args) || args[i] == nil {
		return time.UTC, nil
	}
	s, err := textArg(args, i)
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q; they are named like Europe/Berlin", s)
	}
	return loc, nil
}

func formatDate(args ...any) (any, error) {
	t, err := timeArg(args, 0)
	if err != nil {
		return nil, err
	}
	layout, err1 := textArg(args, 1)
	loc, err2 := zoneArg(args, 2)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return t.In(loc).Format(layout), nil
}

func parseDate(args ...any) (any, error) {
	s, err1 := textArg(args, 0)
	layout, err2 := textArg(args, 1)
	loc, err3 := zoneArg(args, 2)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	t, err := time.ParseInLocation(layout, s, loc)
	if err != nil {
		return nil, errors.New("the text is not a time of that layout")
	}
	return t, nil
}

func addDate(args ...any) (any, error) {
	t, err1 := timeArg(args, 0)
	n, err2 := intArg(args, 1)
	unit, err3 := textArg(args, 2)
	loc, err4 := zoneArg(args, 3)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	t = t.In(loc)
	switch strings.TrimSuffix(strings.ToLower(unit), "s") {
	case "second":
		return t.Add(time.Duration(n) * time.Second), nil
	case "minute":
		return t.Add(time.Duration(n) * time.Minute), nil
	case "hour":
		return t.Add(time.Duration(n) * time.Hour), nil
	case "day":
		return t.AddDate(0, 0, n), nil
	case "week":
		return t.AddDate(0, 0, 7*n), nil
	case "month":
		return addMonths(t, n), nil
	case "year":
		return addMonths(t, 12*n), nil
	}
	return nil, errUnit
}

var errUnit = errors.New("the unit is one of second, minute, hour, day, week, month, year")

// addMonths stays in the month it comes to: a month after 31 January is the last
// day of February.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

func diffDate(args ...any) (any, error) {
	a, err1 := timeArg(args, 0)
	b, err2 := timeArg(args, 1)
	unit, err3 := textArg(args, 2)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	d := b.Sub(a)
	switch strings.TrimSuffix(strings.ToLower(unit), "s") {
	case "millisecond":
		return int(d / time.Millisecond), nil
	case "second":
		return int(d / time.Second), nil
	case "minute":
		return int(d / time.Minute), nil
	case "hour":
		return int(d / time.Hour), nil
	case "day":
		return int(d / (24 * time.Hour)), nil
	case "week":
		return int(d / (7 * 24 * time.Hour)), nil
	case "month":
		return months(a, b), nil
	case "year":
		return months(a, b) / 12, nil
	}
	return nil, errUnit
}

func months(a, b time.Time) int {
	if b.Before(a) {
		return -months(b, a)
	}
	b = b.In(a.Location())
	n := (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
	if addMonths(a, n).After(b) {
		n--
	}
	return n
}

func startOf(args ...any) (any, error) {
	t, err1 := timeArg(args, 0)
	unit, err2 := textArg(args, 1)
	loc, err3 := zoneArg(args, 2)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	t = t.In(loc)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, loc)
	switch strings.ToLower(unit) {
	case "minute":
		return t.Truncate(time.Minute), nil
	case "hour":
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, loc), nil
	case "day":
		return day, nil
	case "week":
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7), nil
	case "month":
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, loc), nil
	case "year":
		return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, loc), nil
	}
	return nil, errUnit
}

func epochMillis(args ...any) (any, error) {
	t, err := timeArg(args, 0)
	if err != nil {
		return nil, err
	}
	return int(t.UnixMilli()), nil
}

func fromEpochMillis(args ...any) (any, error) {
	n, err := intArg(args, 0)
	if err != nil {
		return nil, err
	}
	return time.UnixMilli(int64(n)).UTC(), nil
}
