package admin

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"pipelined/engine"
)

// collector turns the engine's counts into metrics, at the moment they are asked
// for, so that counting costs the hot path an atomic addition and no more.
type collector struct {
	version string
	view    func() engine.View
}

// Metrics in base units, counters ending in _total, no ids in labels.
var (
	descBuild     = desc("build_info", "The program itself; always 1.", "version", "go")
	descRuns      = desc("runs_total", "Executions by how they ended. A failed run that something handled counts as failed.", "pipeline", "status")
	descUnhandled = desc("runs_unhandled_total", "Failed executions that nothing handled; they are in dead_letters.", "pipeline")
	descDropped   = desc("events_dropped_total", "Events a subscription did not run, by reason: filtered by where, or expired: older than max_age, or stale.", "pipeline", "reason")
	descReruns    = desc("reruns_total", "Executions run again because another one changed the same document first.", "pipeline")
	descTaken     = desc("outcomes_taken_total", "Outcomes dropped because somebody else had claimed what they were of.", "pipeline")
	descTicks     = desc("schedule_ticks_dropped_total", "Scheduled runs that did not take place, by reason: missed, overlap.", "pipeline", "reason")
	descPublished = desc("events_published_total", "Events that entered the log.", "event")
	descDuplicate = desc("events_duplicate_total", "Events that were dropped because their publish.id had been there within the type's dedupe window.", "event")
	descBacklog   = desc("event_backlog", "Deliveries in memory that wait for a place.", "pipeline")
	descRunning   = desc("runs_in_flight", "Deliveries handed out and not yet committed.", "pipeline")
	descWaiting   = desc("event_retries_waiting", "Deliveries that wait for their retry.", "pipeline")
	descAside     = desc("event_set_aside", "Events in the store that wait because too many of their tenant or key do.", "pipeline")
	descSource    = desc("source_connected", "Whether a source reads: 0 while it waits to begin again.", "pipeline", "trigger")
	descSourced   = desc("source_events_total", "Events a source brought, by whether they could be decoded.", "pipeline", "decoded")
	descRestarts  = desc("source_restarts_total", "How often a source ended and was begun again.", "pipeline")
	descLag       = desc("event_lag", "Numbers of the log a subscription has not looked at yet.", "pipeline")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pipelined_"+name, help, labels, nil)
}

// NewRegistry returns the metrics of a running engine.
func NewRegistry(e *engine.Engine, version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{version, e.View})
	return r
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(descBuild, 1, c.version, runtime.Version())
	view := c.view()
	for _, p := range view.Pipelines {
		counter(descRuns, p.OK, p.Pipeline, "ok")
		counter(descRuns, p.Failed, p.Pipeline, "failed")
		counter(descRuns, p.Retrying, p.Pipeline, "retrying")
		counter(descRuns, p.Rejected, p.Pipeline, "rejected")
		counter(descUnhandled, p.Failed-p.Handled, p.Pipeline)
		counter(descDropped, p.Filtered, p.Pipeline, "filtered")
		counter(descDropped, p.Expired, p.Pipeline, "expired")
		counter(descReruns, p.Reruns, p.Pipeline)
		counter(descTaken, p.Taken, p.Pipeline)
		counter(descTicks, p.MissedTicks, p.Pipeline, "missed")
		counter(descTicks, p.SkippedTicks, p.Pipeline, "overlap")
	}
	for typ, n := range view.Published {
		counter(descPublished, n, typ)
	}
	for typ, n := range view.Duplicates {
		counter(descDuplicate, n, typ)
	}
	for _, s := range view.Sources {
		reading := int64(0)
		if s.Reading {
			reading = 1
		}
		gauge(descSource, reading, s.Pipeline, s.Trigger)
		counter(descSourced, s.Events-s.Failed, s.Pipeline, "yes")
		counter(descSourced, s.Failed, s.Pipeline, "no")
		counter(descRestarts, s.Restarts, s.Pipeline)
	}
	for _, s := range view.Subscriptions {
		gauge(descBacklog, int64(s.Ready), s.Name)
		gauge(descRunning, int64(s.Running), s.Name)
		gauge(descWaiting, int64(s.Waiting), s.Name)
		gauge(descAside, int64(s.Aside), s.Name)
		gauge(descLag, s.Lag, s.Name)
	}
}
