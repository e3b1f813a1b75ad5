package function

import (
	"fmt"
	"time"

	"pipelined/internal/value"
)

// Method is what can be called on a time or on a duration: now().Year().
type Method struct {
	Args     int // how many it takes
	Time     func(t time.Time, args []any) (any, error)
	Duration func(d time.Duration) any
}

// Methods are those that there are, by name.
var Methods = map[string]Method{
	"Year":         {Time: part0(time.Time.Year)},
	"Month":        {Time: part0(func(t time.Time) int { return int(t.Month()) })},
	"Day":          {Time: part0(time.Time.Day)},
	"Hour":         {Time: part0(time.Time.Hour)},
	"Minute":       {Time: part0(time.Time.Minute)},
	"Second":       {Time: part0(time.Time.Second)},
	"Weekday":      {Time: part0(func(t time.Time) int { return int(t.Weekday()) })},
	"YearDay":      {Time: part0(time.Time.YearDay)},
	"Unix":         {Time: part0(func(t time.Time) int { return int(t.Unix()) })},
	"UTC":          {Time: func(t time.Time, _ []any) (any, error) { return t.UTC(), nil }},
	"In":           {Args: 1, Time: inZone},
	"Format":       {Args: 1, Time: formatted},
	"Add":          {Args: 1, Time: func(t time.Time, args []any) (any, error) { return notNull("Add", Add, t, args[0]) }},
	"Sub":          {Args: 1, Time: func(t time.Time, args []any) (any, error) { return notNull("Sub", Subtract, t, args[0]) }},
	"Before":       {Args: 1, Time: ordered(func(c int) bool { return c < 0 })},
	"After":        {Args: 1, Time: ordered(func(c int) bool { return c > 0 })},
	"Equal":        {Args: 1, Time: ordered(func(c int) bool { return c == 0 })},
	"UnixMilli":    {Time: part0(func(t time.Time) int { return int(t.UnixMilli()) })},
	"Hours":        {Duration: func(d time.Duration) any { return d.Hours() }},
	"Minutes":      {Duration: func(d time.Duration) any { return d.Minutes() }},
	"Seconds":      {Duration: func(d time.Duration) any { return d.Seconds() }},
	"Milliseconds": {Duration: func(d time.Duration) any { return int(d.Milliseconds()) }},
	"String":       {Time: func(t time.Time, _ []any) (any, error) { return value.FormatTime(t), nil }, Duration: func(d time.Duration) any { return d.String() }},
}

func part0(f func(t time.Time) int) func(time.Time, []any) (any, error) {
	return func(t time.Time, _ []any) (any, error) { return f(t), nil }
}

func inZone(t time.Time, args []any) (any, error) {
	loc, err := zoneArg(args, 0)
	if err != nil {
		return nil, err
	}
	return t.In(loc), nil
}

func formatted(t time.Time, args []any) (any, error) {
	layout, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	return t.Format(layout), nil
}

func notNull(name string, compute func(a, b any) (any, error), t time.Time, v any) (any, error) {
	if v == nil {
		return nil, fmt.Errorf("the argument of %s is null", name)
	}
	return compute(t, v)
}

func ordered(holds func(c int) bool) func(time.Time, []any) (any, error) {
	return func(t time.Time, args []any) (any, error) {
		o, err := timeArg(args, 0)
		if err != nil {
			return nil, err
		}
		return holds(t.Compare(o)), nil
	}
}
