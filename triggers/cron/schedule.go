package cron

import (
	"time"

	robfig "github.com/robfig/cron/v3"
)

// Schedule is a parsed schedule. It is immutable and safe for concurrent use; the
// zero value is not usable.
type Schedule struct {
	expr     string
	loc      *time.Location
	every    time.Duration        // of @every; 0: fields
	spec     *robfig.SpecSchedule // the fields, asked in readings of the clock only
	interval bool                 // the hour begins with *: see the package comment
	sunday   bool                 // Sunday was written as 7
	either   bool                 // both day fields are restricted
}

// Next returns the first moment after t, in the schedule's zone, or the zero time
// if there is none within thirty years. It is strictly increasing.
func (s Schedule) Next(t time.Time) time.Time {
	if s.every > 0 {
		return s.nextTick(t)
	}
	return s.nextMoment(t.In(s.loc))
}

// nextTick counts from the Unix epoch.
func (s Schedule) nextTick(t time.Time) time.Time {
	since := t.Sub(time.Unix(0, 0))
	n := since / s.every
	if since < 0 && since%s.every != 0 {
		n--
	}
	return time.Unix(0, 0).Add((n + 1) * s.every).In(s.loc)
}

// nextMoment walks the periods between changes of the zone's offset. Within one
// period the clock is regular, so the library is only ever asked about readings
// of a clock without changes (times labelled UTC).
func (s Schedule) nextMoment(t time.Time) time.Time {
	start, end := bounds(t)
	_, offset := t.Zone()
	after := readingAt(t, offset)
	if !s.interval && !start.IsZero() {
		// Readings the last period had already do not count a second time.
		_, before := start.Add(-1).Zone()
		if had := readingAt(start, before).Add(-1); had.After(after) {
			after = had
		}
	}
	next := s.nextReading(after)
	for !next.IsZero() {
		moment := next.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || moment.Before(end) {
			return moment.In(s.loc)
		}
		_, offset = end.Zone()
		change := readingAt(end, offset)
		if s.interval {
			next = s.nextReading(change.Add(-1))
		} else if next.Before(change) {
			return end // the gap swallowed it
		}
		_, end = bounds(end)
	}
	return time.Time{}
}

// bounds is ZoneBounds with an end that is always after t. In years for which
// the zone has only a rule, time ends a period with the 365th day, so on the last
// day of a leap year the end it gives is not after t. Ending a period early is
// harmless.
func bounds(t time.Time) (start, end time.Time) {
	start, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		end = t.Add(24 * time.Hour)
	}
	return start, end
}

// readingAt is what a clock with that offset shows, labelled UTC.
func readingAt(t time.Time, offset int) time.Time {
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// nextReading asks the library, which gives up after five years; leap days can be
// eight years apart.
func (s Schedule) nextReading(after time.Time) time.Time {
	for range 6 {
		if next := s.spec.Next(after); !next.IsZero() {
			return next
		}
		after = time.Date(after.Year()+6, 1, 1, 0, 0, 0, -1, time.UTC)
	}
	return time.Time{}
}
