package program

import (
	"fmt"
	"slices"
	"strings"

	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/pattern"
	"pipelined/triggers"
	"pipelined/triggers/http"
)

// wiring checks what no single file shows: who starts what, who reads what
// others publish and write.
func (c *compiler) wiring() {
	if len(c.project.Pipelines) == 0 && !c.diags.HasErrors() {
		c.diags.Add(diag.Diagnostic{Code: CodeEmptyProject, Severity: diag.Error,
			Range:       diag.Range{File: definition.ProjectFileName},
			Summary:     "there is no pipeline in this folder",
			Consequence: "Nothing would run.",
			Fix:         "create a .yaml file with `pipeline: <name>`, a trigger and steps"})
	}
	c.routes()
	c.publishers()
	c.subscribers()
	c.records()
	c.loops()
	c.handlers()
	c.callers()
	c.afters()
	c.marks()
}

// report adds a finding at a place in a pipeline.
func (c *compiler) report(code diag.Code, sev diag.Severity, at diag.Range, summary, consequence, fix string, related ...diag.Related) {
	c.diags.Add(diag.Diagnostic{Code: code, Severity: sev, Range: at, Summary: summary,
		Consequence: consequence, Fix: fix, Related: related})
}

func (c *compiler) routes() {
	taken := map[string][]*Pipeline{}
	for _, p := range c.program.Pipelines {
		a, ok := p.Plan.(*triggers.Route)
		if !ok {
			continue
		}
		requests := http.Requests(a)
		for _, q := range taken[requests] {
			b := q.Plan.(*triggers.Route)
			c.report(CodeRouteClash, diag.Error, p.At,
				fmt.Sprintf("%s %s is also answered by pipeline %s (%s)", a.Method, a.Path, q.Name, b.Path),
				"One of the two would never be reached.", "change the path or the method of one",
				diag.Related{Range: q.At, Message: "the other pipeline"})
		}
		taken[requests] = append(taken[requests], p)
	}
}

// subscriptions calls f for every event subscription.
func (c *compiler) subscriptions(f func(*Pipeline, *triggers.Subscription)) {
	for _, p := range c.program.Pipelines {
		if s, ok := p.Plan.(*triggers.Subscription); ok {
			f(p, s)
		}
	}
}

func (c *compiler) publishers() {
	var wanted []string
	c.subscriptions(func(_ *Pipeline, s *triggers.Subscription) { wanted = append(wanted, s.Types...) })
	for _, p := range c.program.Pipelines {
		for _, m := range p.Facts.Publishes {
			if pattern.MatchAny(wanted, m.Name) {
				continue
			}
			fix := "add a pipeline with `trigger: { event: { types: [" + m.Name + "] } }`"
			if near := diag.Suggest(m.Name, wanted); near != "" {
				fix = "did you mean " + near + "? Otherwise " + fix
			}
			c.report(CodeNoSubscriber, diag.Warning, m.At, "no pipeline subscribes to "+m.Name,
				"The event is kept in the log as long as its retention says, and nothing happens.", fix)
		}
	}
}

func (c *compiler) subscribers() {
	published := map[string]bool{}
	dynamic := false
	for _, p := range c.program.Pipelines {
		dynamic = dynamic || p.Facts.Dynamic
		for _, m := range p.Facts.Publishes {
			published[m.Name] = true
		}
	}
	for name := range c.project.File.Events {
		published[name] = true // a declared type is a contract with the outside
	}
	if dynamic {
		return
	}
	names := keys(published)
	c.subscriptions(func(p *Pipeline, s *triggers.Subscription) {
		for _, wanted := range s.Types {
			if slices.ContainsFunc(names, func(n string) bool { return pattern.Match(wanted, n) }) {
				continue
			}
			fix := "declare it under events: in pipelined.yaml if it comes from outside"
			if near := diag.Suggest(wanted, names); near != "" {
				fix = "did you mean " + near + "? Otherwise " + fix
			}
			c.report(CodeNoPublisher, diag.Warning, p.At, "no pipeline publishes "+wanted+", which "+p.Name+" subscribes to",
				"Only events published from outside would start it.", fix)
		}
	})
}

// records pairs pipelines that record failures with those that drain them, and
// hands the drain's backoff to the writer.
func (c *compiler) records() {
	drains := map[string]step.Reprocessor{}
	read := map[string]bool{}
	written := map[string]bool{}
	for _, p := range c.program.Pipelines {
		for _, r := range p.Facts.Reprocesses {
			drains[r.Collection] = r
		}
		for _, m := range p.Facts.Reads {
			read[m.Name] = true
		}
		for _, m := range p.Facts.Writes {
			written[m.Name] = true
		}
		if p.OnFailure != nil {
			written[p.OnFailure.Collection] = true
		}
	}
	for _, p := range c.program.Pipelines {
		if p.OnFailure == nil {
			continue
		}
		name := p.OnFailure.Collection
		p.OnFailure.Backoff, p.OnFailure.MaxAttempts = drains[name].Backoff, drains[name].MaxAttempts
		if !read[name] {
			c.report(CodeUndrained, diag.Warning, p.At, "failures of "+p.Name+" are recorded in "+name+", which nothing reads",
				"They stay there until someone looks.", "add a cron pipeline with `reprocess: { collection: "+name+", … }`")
		}
	}
	for _, name := range keys(drains) {
		if !written[name] {
			fix := "add `on_failure: { collection: " + name + " }` to the pipeline whose failures it is for"
			if near := diag.Suggest(name, keys(written)); near != "" {
				fix = "did you mean " + near + "?"
			}
			c.report(CodeNeverWritten, diag.Warning, drains[name].At, "nothing writes error records to "+name,
				"The reprocessor would never find any.", fix)
		}
	}
}

// loops reports events that cause each other: a pipeline that publishes, whatever
// happens in between, what starts it again.
func (c *compiler) loops() {
	next := map[*Pipeline][]*Pipeline{}
	for _, p := range c.program.Pipelines {
		for _, m := range p.Facts.Publishes {
			c.subscriptions(func(q *Pipeline, s *triggers.Subscription) {
				if pattern.MatchAny(s.Types, m.Name) {
					next[p] = append(next[p], q)
				}
			})
		}
	}
	reported := map[*Pipeline]bool{}
	for _, p := range c.program.Pipelines {
		if path := cycle(p, next); path != nil && !reported[p] {
			var names []string
			for _, q := range path {
				reported[q] = true
				names = append(names, q.Name)
			}
			c.report(CodeEventLoop, diag.Warning, p.At, "events go round: "+strings.Join(append(names, p.Name), " → "),
				"One event could cause others without end.", "make sure that a `when` or a `where` ends it; a limit on event.attempt is a good one")
		}
	}
}

// cycle returns the pipelines of a way from p back to p, or nil.
func cycle(p *Pipeline, next map[*Pipeline][]*Pipeline) []*Pipeline {
	seen := map[*Pipeline]bool{}
	var walk func(q *Pipeline, path []*Pipeline) []*Pipeline
	walk = func(q *Pipeline, path []*Pipeline) []*Pipeline {
		for _, r := range next[q] {
			if r == p {
				return path
			}
			if seen[r] {
				continue
			}
			seen[r] = true
			if found := walk(r, append(path, r)); found != nil {
				return found
			}
		}
		return nil
	}
	return walk(p, []*Pipeline{p})
}

// handlers checks the error triggers.
func (c *compiler) handlers() {
	owner := map[string]*Pipeline{}
	for _, p := range c.program.Pipelines {
		f, ok := p.Plan.(*triggers.Failures)
		if !ok {
			continue
		}
		targets := f.Pipelines
		if len(targets) == 0 {
			targets = []string{""}
		}
		for _, name := range targets {
			if name != "" && c.program.byName[name] == nil {
				fix := "correct the name"
				if near := diag.Suggest(name, c.names); near != "" {
					fix = "did you mean " + near + "?"
				}
				c.report(CodeUnknownTarget, diag.Error, p.At, "there is no pipeline called "+name+" whose errors could come here",
					"The handler would never run for it.", fix)
				continue
			}
			if first := owner[name]; first != nil {
				what := "every pipeline"
				if name != "" {
					what = name
				}
				c.report(CodeTwoHandlers, diag.Error, p.At, "errors of "+what+" already go to "+first.Name,
					"Each failure would be handled twice.", "let one pipeline handle them, and call others from it",
					diag.Related{Range: first.At, Message: "the other handler"})
				continue
			}
			owner[name] = p
		}
	}
}

// callers checks pipelines without a trigger and answers nobody waits for.
func (c *compiler) callers() {
	called := map[string]bool{}
	for _, p := range c.program.Pipelines {
		for _, m := range p.Facts.Calls {
			called[m.Name] = true
		}
	}
	for _, p := range c.program.Pipelines {
		if called[p.Name] {
			continue
		}
		if p.TriggerKind == "" {
			c.report(CodeNoCaller, diag.Warning, p.At, "nothing starts "+p.Name+": it has no trigger and no pipeline calls it",
				"It would never run.", "give it a `trigger:`, or `call` it")
			continue
		}
		route, isRoute := p.Plan.(*triggers.Route)
		if isRoute && !route.Accepted {
			continue
		}
		for _, m := range p.Facts.Responds {
			c.report(CodeNobodyListens, diag.Warning, m.At, "nobody gets this answer: "+p.Name+" has no caller who waits",
				"The step has no effect.", "remove it, or publish an event with the result")
		}
	}
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func join(names []string) string { return strings.Join(names, ", ") }
