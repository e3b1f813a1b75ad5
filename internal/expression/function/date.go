package function

import (
	"errors"
	"strings"
	"time"

	"pipelined/internal/unit"
)

var dateFunctions = []Function{
	inEnv("date", "now", "now()", "The current time, by the engine's clock.", `now() > date("2020-01-01")`, `true`, now),
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

func now(e *Env, _ ...any) (any, error) { return e.Now(), nil }

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
