package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func mustParse(t testing.TB, expr string, loc *time.Location) Schedule {
	t.Helper()
	s, err := Parse(expr, loc)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return s
}

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr, zone, from string
		want                   []string
	}{
		{"every day", "30 2 * * *", "UTC", "2026-01-01T02:29:59Z", []string{"2026-01-01T02:30:00Z", "2026-01-02T02:30:00Z"}},
		{"a moment is not its own next", "30 2 * * *", "UTC", "2026-01-01T02:30:00Z", []string{"2026-01-02T02:30:00Z"}},
		{"fractions of a second", "* * * * *", "UTC", "2026-01-01T00:00:00.5Z", []string{"2026-01-01T00:01:00Z"}},
		{"a time skipped in spring runs once, after the gap", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00-05:00", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"a time at the end of the gap is the same run", "0,30 2,3 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", []string{"2026-03-08T03:00:00-04:00", "2026-03-08T03:30:00-04:00", "2026-03-09T02:00:00-04:00"}},
		{"a time that comes twice in autumn runs the first time", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00-04:00", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"asked between the two, the second does not count", "30 1 * * *", "America/New_York", "2026-11-01T01:10:00-05:00", []string{"2026-11-02T01:30:00-05:00"}},
		{"an interval goes on through spring", "0 * * * *", "Europe/Berlin", "2026-03-29T00:59:00+01:00", []string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
		{"an interval goes on through autumn", "0 * * * *", "Europe/Berlin", "2026-10-25T01:30:00+02:00", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"an interval of hours follows the clock", "0 */2 * * *", "Europe/Berlin", "2026-03-29T00:30:00+01:00", []string{"2026-03-29T04:00:00+02:00"}},
		{"a shift of half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"a midnight that does not exist", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"a day of the month whose midnight does not exist", "0 0 4 11 *", "America/Sao_Paulo", "2018-01-01T00:00:00-02:00", []string{"2018-11-04T01:00:00-02:00"}},
		{"a day that comes twice around midnight", "30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00-02:00", []string{"2018-02-17T23:30:00-02:00", "2018-02-18T23:30:00-03:00"}},
		{"leap days", "0 0 29 2 *", "Europe/Berlin", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00+01:00"}},
		{"either day field", "0 0 13 * 5", "UTC", "2026-03-01T00:00:00Z", []string{"2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z"}},
		{"a day field with * restricts the other", "0 0 */2 * 1", "UTC", "2026-03-01T00:00:00Z", []string{"2026-03-09T00:00:00Z", "2026-03-23T00:00:00Z"}},
		{"Sunday as 7", "0 0 * * 7", "UTC", "2026-03-01T00:00:00Z", []string{"2026-03-08T00:00:00Z"}},
		{"a range to Sunday", "0 0 * * 5-7", "UTC", "2026-03-04T00:00:00Z", []string{"2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z", "2026-03-13T00:00:00Z"}},
		{"a range to Sunday with a step", "0 0 * * 3-7/2,mon", "UTC", "2026-03-03T00:00:00Z", []string{"2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"}},
		{"names", "0 0 1 Jan,jul MON", "UTC", "2026-06-30T00:00:00Z", []string{"2026-07-01T00:00:00Z", "2026-07-06T00:00:00Z"}},
		{"@hourly", "@hourly", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-01T01:00:00Z"}},
		{"@daily follows the zone", "@daily", "Europe/Berlin", "2026-07-01T12:00:00Z", []string{"2026-07-02T00:00:00+02:00"}},
		{"@weekly is Sunday", "@weekly", "UTC", "2026-03-04T00:00:00Z", []string{"2026-03-08T00:00:00Z"}},
		{"@monthly", "@monthly", "UTC", "2026-03-04T00:00:00Z", []string{"2026-04-01T00:00:00Z"}},
		{"@yearly", "@yearly", "UTC", "2026-03-04T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
		{"@every is counted from the epoch", "@every 15m", "Europe/Berlin", "2026-03-29T00:50:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"}},
		{"@every of a day is midnight UTC", "@every 1d", "Europe/Berlin", "2026-03-29T00:50:00Z", []string{"2026-03-30T00:00:00Z"}},
		{"@every before the epoch", "@every 1h", "UTC", "1969-12-31T22:30:00Z", []string{"1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, tt.expr, zone(t, tt.zone))
			at := moment(t, tt.from)
			for _, want := range tt.want {
				at = s.Next(at)
				if !at.Equal(moment(t, want)) {
					t.Fatalf("got %s, want %s", at.Format(time.RFC3339), want)
				}
			}
		})
	}
}

// reading is what a clock shows at a minute, taken apart once for all schedules.
type reading struct {
	at                                int64 // minutes, as if the reading were UTC
	minute, hour, day, month, weekday int
}

func newReading(at int64) reading {
	w := time.Unix(at*60, 0).UTC()
	return reading{at, w.Minute(), w.Hour(), w.Day(), int(w.Month()), int(w.Weekday())}
}

// readings lists what the clocks of a zone show at every minute of a year in UTC.
func readings(loc *time.Location, year int) (begin time.Time, list []reading) {
	begin = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := begin; t.Year() == year; t = t.Add(time.Minute) {
		_, offset := t.In(loc).Zone()
		list = append(list, newReading((t.Unix()+int64(offset))/60))
	}
	return begin, list
}

// reader is an independent reading of the five fields, for the comparison below.
func reader(expr string) func(w reading) bool {
	f := strings.Fields(expr)
	minute, hour := members(f[0], 0, 59), members(f[1], 0, 23)
	day, month, weekday := members(f[2], 1, 31), members(f[3], 1, 12), members(f[4], 0, 6)
	either := f[2][0] != '*' && f[4][0] != '*'
	return func(w reading) bool {
		if !minute[w.minute] || !hour[w.hour] || !month[w.month] {
			return false
		}
		byDay, byWeekday := day[w.day], weekday[w.weekday]
		return byDay && byWeekday || either && (byDay || byWeekday)
	}
}

func members(text string, low, high int) (out [60]bool) {
	for item := range strings.SplitSeq(text, ",") {
		span, by, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			step, _ = strconv.Atoi(by)
		}
		from, to := low, high
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			from, _ = strconv.Atoi(a)
			if to = from; ranged {
				to, _ = strconv.Atoi(b)
			}
		}
		for v := from; v <= to; v += step {
			out[v] = true
		}
	}
	return out
}

// brute lists the moments of a year by looking at every minute of it.
func brute(expr string, begin time.Time, list []reading) []time.Time {
	interval := strings.HasPrefix(strings.Fields(expr)[1], "*")
	fits := reader(expr)
	newest := list[0].at // the furthest the clock has been
	var out []time.Time
	for i, w := range list[1:] {
		run := (interval || w.at > newest) && fits(w)
		for skipped := newest + 1; !interval && skipped < w.at; skipped++ {
			run = run || fits(newReading(skipped))
		}
		newest = max(newest, w.at)
		if run {
			out = append(out, begin.Add(time.Duration(i+1)*time.Minute))
		}
	}
	return out
}

func TestNextAgainstEveryMinuteOfAYear(t *testing.T) {
	t.Parallel()
	zones := []struct {
		name string
		year int
	}{
		{"America/New_York", 2026}, {"Europe/Berlin", 2026}, {"Australia/Lord_Howe", 2026}, {"America/Sao_Paulo", 2018}, {"UTC", 2024},
		{"Europe/Berlin", 2096}, // a leap year the zone has only a rule for
	}
	exprs := []string{
		"*/10 * * * *", "0 * * * *", "30 * * * *", "0 */2 * * *", "15 */3 * * *",
		"0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *", "30 2 * * *", "15,45 2 * * *", "*/10 1-3 * * *", "0 0-23 * * *",
		"30 23 * * *", "59 23 * * 6", "0 0 29 2 *", "0 12 1 * 1", "0 3 */2 * 0", "20 2 8-31/7 3,10,11 *",
	}
	for _, z := range zones {
		loc := zone(t, z.name)
		begin, list := readings(loc, z.year)
		for _, expr := range exprs {
			t.Run(fmt.Sprint(z.name, " ", z.year, " ", expr), func(t *testing.T) {
				t.Parallel()
				s := mustParse(t, expr, loc)
				at := begin
				for i, want := range brute(expr, begin, list) {
					from := at
					if at = s.Next(at); !at.Equal(want) {
						t.Fatalf("moment %d after %s: got %s, want %s", i, from.In(loc), at, want.In(loc))
					}
				}
			})
		}
	}
}

// Asking from any moment gives the same answer as walking there.
func TestNextDoesNotDependOnWhereItIsAskedFrom(t *testing.T) {
	t.Parallel()
	for _, z := range []string{"America/New_York", "Australia/Lord_Howe"} {
		loc := zone(t, z)
		begin, list := readings(loc, 2026)
		for _, expr := range []string{"30 1 * * *", "15 2 * * *", "*/20 * * * *", "*/20 1-2 * * *"} {
			s := mustParse(t, expr, loc)
			all := brute(expr, begin, list)
			i := 0
			for at := begin; i < len(all); at = at.Add(37 * time.Minute) {
				for i < len(all) && !all[i].After(at) {
					i++
				}
				if i == len(all) {
					break
				}
				if got := s.Next(at); !got.Equal(all[i]) {
					t.Fatalf("%s %s from %s: got %s, want %s", z, expr, at.In(loc), got, all[i].In(loc))
				}
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, code, says string }{
		{"", "E420", "the schedule is empty"},
		{"  ", "E420", "the schedule is empty"},
		{"a b c d e", "E420", `"a" cannot be the minute`},
		{"60 * * * *", "E420", "a value of minute is 0 to 59"},
		{"* 24 * * *", "E420", "a value of hour is 0 to 23"},
		{"* * 0 * *", "E420", "a value of day-of-month is 1 to 31"},
		{"* * * 13 *", "E420", "a value of month is 1 to 12"},
		{"* * * foo *", "E420", "a value of month is 1 to 12"},
		{"* * * * 8", "E420", "a value of day-of-week is 0 to 7"},
		{"* * ? * *", "E420", "write * instead of ?"},
		{"* * L * *", "E420", `"L" cannot be the day-of-month`},
		{"*-5 * * * *", "E420", `"*-5" cannot be the minute`},
		{"1,,2 * * * *", "E420", `"1,,2" cannot be the minute`},
		{", * * * *", "E420", `"," cannot be the minute`},
		{"1-2-3 * * * *", "E420", `cannot be the minute`},
		{"1/2/3 * * * *", "E420", `cannot be the minute`},
		{"-5 * * * *", "E420", `cannot be the minute`},
		{"99999999999999999999 * * * *", "E420", `cannot be the minute`},
		{"*/0 * * * *", "E420", "a step of minutes is 1 to 59"},
		{"*/90 * * * *", "E420", "for a longer interval write @every"},
		{"* 22-6 * * *", "E420", "write 22-23,0-6"},
		{"* * * *", "E421", "the schedule has 4 fields instead of five"},
		{"0 30 2 * * *", "E421", "there is no field for seconds"},
		{"0 30 2 * * * 2026", "E421", "there is no field for seconds"},
		{"@reboot", "E422", "@reboot is not a moment"},
		{"@fortnightly", "E422", "@fortnightly is not a schedule"},
		{"@daily 5", "E422", "@daily is not a schedule"},
		{"@every", "E423", `"" is not a duration`},
		{"@everyday", "E423", `"day" is not a duration`},
		{"@every5m", "E423", `"5m" is not a duration`},
		{"@every 0s", "E423", "longer than nothing"},
		{"@every -5m", "E423", "longer than nothing"},
		{"@every 500ms", "E423", "a second or longer"},
		{"@every 9999d", "E423", "a year or shorter"},
		{"@every 100000000000d", "E423", "is not a duration"},
		{"0 0 30 2 *", "E424", `"0 0 30 2 *" never comes`},
		{"0 0 31 4,6,9,11 *", "E424", `never comes`},
		{"TZ=Europe/Berlin 0 0 * * *", "E425", "remove TZ=Europe/Berlin and write it as timezone"},
		{"TZ=0", "E425", "remove TZ=0"},
		{"CRON_TZ=UTC", "E425", "remove CRON_TZ=UTC"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tt.expr, time.UTC)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if e.Code.ID != tt.code || !strings.Contains(e.Summary+" "+e.Fix, tt.says) || e.Consequence == "" {
				t.Errorf("got %s %s; %s; %s\nwant %s %s", e.Code.ID, e.Summary, e.Consequence, e.Fix, tt.code, tt.says)
			}
		})
	}
}

func TestErrorIsOneLine(t *testing.T) {
	t.Parallel()
	_, err := Parse("@reboot", time.UTC)
	if got := err.Error(); got != "@reboot is not a moment: write one of @hourly, @daily, @weekly, @monthly, @yearly, @every 15m, or five fields" {
		t.Errorf("got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/5 1-3 1,15 jan-mar mon", "@every 15m", "@every 1d", "@daily", "@reboot", "TZ=0", "CRON_TZ=UTC", "TZ=UTC * * * * *",
		"0 0 30 2 *", "0 0 29 2 *", "0 0 * * 5-7", "0 0 * * 7/2", "*-5 * * * *", "? ? ? ? ?", "1/1/1 * * * *", "99999999999999999999 * * * *", "@every -1s",
	} {
		f.Add(expr, int64(1772000000))
	}
	loc := zone(f, "Australia/Lord_Howe")
	f.Fuzz(func(t *testing.T, expr string, unix int64) {
		s, err := Parse(expr, loc)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Summary == "" || e.Fix == "" || e.Code.ID == "" {
				t.Fatalf("error without words: %#v", err)
			}
			return
		}
		at := time.Unix(unix%4_000_000_000, 0)
		for range 5 {
			next := s.Next(at)
			if !next.After(at) {
				t.Fatalf("%q: %s is not after %s", expr, next, at)
			}
			at = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	loc := zone(b, "America/New_York")
	for _, expr := range []string{"*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "@every 15m"} {
		b.Run(expr, func(b *testing.B) {
			s := mustParse(b, expr, loc)
			at := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}

func ExampleSchedule_Next() {
	newYork, _ := time.LoadLocation("America/New_York")
	s, _ := Parse("30 2 * * *", newYork)
	for at, i := time.Date(2026, 3, 7, 12, 0, 0, 0, newYork), 0; i < 2; i++ {
		at = s.Next(at)
		fmt.Println(at)
	}
	// Output:
	// 2026-03-08 03:00:00 -0400 EDT
	// 2026-03-09 02:30:00 -0400 EDT
}
