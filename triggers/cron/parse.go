package cron

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pipelined/internal/unit"

	robfig "github.com/robfig/cron/v3"
)

// Parse reads a schedule whose fields are meant on the clocks of loc. Every error
// is an *Error.
func Parse(expr string, loc *time.Location) (Schedule, error) {
	text := strings.TrimSpace(expr)
	switch {
	case text == "":
		return Schedule{}, fault("the schedule is empty")
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return Schedule{}, &Error{codePrefix, "the time zone stands inside the schedule",
			"The schedule could not be read.", "remove " + firstWord(text) + " and write it as timezone beside schedule"}
	case strings.HasPrefix(text, "@every"):
		return parseEvery(text, loc)
	case strings.HasPrefix(text, "@"):
		fields, ok := words()[text]
		if !ok {
			return Schedule{}, unknownWord(text)
		}
		text = fields
	}
	return parseFields(text, loc)
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// words are the schedules that have a name, as fields, so that all follow the
// same rules for daylight saving.
func words() map[string]string {
	return map[string]string{
		"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
		"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
	}
}

func unknownWord(text string) error {
	e := &Error{codeWord, fmt.Sprintf("%s is not a schedule", firstWord(text)), "The schedule could not be read.",
		"write one of @hourly, @daily, @weekly, @monthly, @yearly, @every 15m, or five fields"}
	if text == "@reboot" {
		e.Summary = "@reboot is not a moment"
		e.Consequence = "A pipeline that ran at every start would also run at every reload and crash."
	}
	return e
}

func fault(summary string) error {
	return &Error{codeSyntax, summary, "The schedule could not be read.",
		`write five fields, minute hour day-of-month month day-of-week, such as "30 2 * * *"`}
}

// maxEvery keeps an interval from being one that never comes.
const maxEvery = 366 * 24 * time.Hour

func parseEvery(text string, loc *time.Location) (Schedule, error) {
	written := strings.TrimSpace(strings.TrimPrefix(text, "@every"))
	d, err := unit.Span(written)
	e := &Error{Code: codeInterval, Consequence: "The schedule could not be kept.", Fix: "write a duration such as @every 15m"}
	switch {
	case err != nil || !strings.HasPrefix(text, "@every "):
		e.Summary = fmt.Sprintf("%q is not a duration", written)
	case d <= 0:
		e.Summary = "an interval must be longer than nothing"
	case d < time.Second:
		e.Summary = "an interval must be a second or longer"
	case d > maxEvery:
		e.Summary = "an interval must be a year or shorter"
	default:
		return Schedule{expr: text, loc: loc, every: d}, nil
	}
	return Schedule{}, e
}

// cronField is one of the five and what may stand in it.
type cronField struct {
	name     string
	min, max int
	names    []string // of min, min+1 …
}

var fieldList = [5]cronField{
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day-of-month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day-of-week", max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

func parseFields(text string, loc *time.Location) (Schedule, error) {
	parts := strings.Fields(text)
	if len(parts) != len(fieldList) {
		return Schedule{}, wrongCount(parts)
	}
	s := Schedule{expr: text, loc: loc, interval: strings.HasPrefix(parts[1], "*")}
	for i, f := range fieldList {
		for item := range strings.SplitSeq(parts[i], ",") {
			if fix := f.check(item); fix != "" {
				return Schedule{}, &Error{codeSyntax, fmt.Sprintf("%q cannot be the %s", parts[i], f.name), "The schedule could not be read.", fix}
			}
		}
	}
	parts[4], s.sunday = sundayFirst(parts[4])
	spec, err := readSpec(strings.Join(parts, " "))
	if err != nil {
		return Schedule{}, fault(err.Error())
	}
	// A day field that begins with * restricts the other, also with a step, which
	// the library forgets.
	anyDay, anyWeekday := strings.HasPrefix(parts[2], "*"), strings.HasPrefix(parts[4], "*")
	if anyDay {
		spec.Dom |= starBit
	}
	if anyWeekday {
		spec.Dow |= starBit
	}
	s.spec, s.either = spec, !anyDay && !anyWeekday
	if s.nextReading(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, &Error{codeNever, fmt.Sprintf("%q never comes", text),
			"No year has such a day, so the pipeline would never run.", "check day-of-month against month"}
	}
	return s, nil
}

func wrongCount(parts []string) error {
	e := &Error{codeFields, fmt.Sprintf("the schedule has %d fields instead of five", len(parts)), "The schedule could not be read.",
		`write minute hour day-of-month month day-of-week, such as "30 2 * * *"`}
	if len(parts) == 6 || len(parts) == 7 {
		e.Fix = "there is no field for seconds or years: remove it and write minute hour day-of-month month day-of-week. For less than a minute write @every 10s"
	}
	return e
}

var itemForm = regexp.MustCompile(`^(?:\*|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:/([0-9]{1,4}))?$`)

// check returns what to write instead of an item of the field, or "" if it is
// fine. The library accepts more than it should ("*-5", "*/90"), so this decides.
func (f cronField) check(item string) string {
	if strings.Contains(item, "?") {
		return "write * instead of ?"
	}
	allowed := fmt.Sprintf("a value of %s is %d to %d, *, a range such as %d-%d, a step such as */2, or several with commas", f.name, f.min, f.max, f.min, f.min+2)
	m := itemForm.FindStringSubmatch(item)
	if m == nil {
		return allowed
	}
	low, high := f.min, f.max
	if m[1] != "" {
		low = f.number(m[1])
		high = low
		if m[2] != "" {
			high = f.number(m[2])
		}
	}
	if low < f.min || high > f.max || high < 0 {
		return allowed
	}
	if low > high {
		return fmt.Sprintf("a range goes upwards: write %s-%d,%d-%s", m[1], f.max, f.min, m[2])
	}
	if m[3] != "" {
		step, _ := strconv.Atoi(m[3])
		if step < 1 || step > f.max-f.min {
			return fmt.Sprintf("a step of %ss is 1 to %d; for a longer interval write @every", f.name, f.max-f.min)
		}
	}
	return ""
}

// number reads a number or a name; -1 is neither.
func (f cronField) number(text string) int {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.min + i
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// sundayFirst rewrites a checked day-of-week field in which Sunday is 7.
func sundayFirst(text string) (string, bool) {
	f := fieldList[4]
	found := false
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		m := itemForm.FindStringSubmatch(item)
		low, high, step := f.number(m[1]), f.number(m[2]), 1
		if m[3] != "" {
			step, _ = strconv.Atoi(m[3])
		}
		switch {
		case m[1] == "" || low < 7 && high < 7:
			out = append(out, item)
			continue
		case m[2] == "":
			high = low // 7 alone, with or without a step
		}
		found = true
		for day := low; day <= high; day += step {
			out = append(out, strconv.Itoa(day%7))
		}
	}
	return strings.Join(out, ","), found
}

// starBit marks a field as "every" in the library's bit sets.
const starBit = 1 << 63

// readSpec is the library's parser behind a guard: it has panicked on text it
// did not expect, and an author's text must not end the process.
func readSpec(text string) (spec *robfig.SpecSchedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the schedule cannot be read: %v", r)
		}
	}()
	parsed, err := robfig.NewParser(robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow).Parse(text)
	if err != nil {
		return nil, err
	}
	return parsed.(*robfig.SpecSchedule), nil
}
