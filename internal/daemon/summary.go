package daemon

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pipelined/engine/program"
	"pipelined/triggers"
)

// summary prints what runs now, where, and what a person could do next.
func summary(w io.Writer, l *Loaded, public, admin string) {
	p := l.Program
	fmt.Fprintf(w, "%s is running: %d pipelines, revision %s\n\n", p.Name, len(p.Pipelines), p.Revision)
	t := tabwriter.NewWriter(w, 2, 4, 3, ' ', 0)
	for _, q := range p.Pipelines {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", q.Name, startedBy(q), firstLine(q.Description))
	}
	t.Flush()
	fmt.Fprintf(w, "\n  http    http://%s\n  admin   http://%s\n  data    %s\n", public, admin, l.StorePath())
	fmt.Fprintf(w, "\nNext, in another terminal:\n")
	for _, line := range next(p, l.Dir, public) {
		fmt.Fprintf(w, "  %s\n", line)
	}
	fmt.Fprintf(w, "Stop with Ctrl-C: what runs ends first.\n\n")
}

// startedBy says in words what starts a pipeline.
func startedBy(p *program.Pipeline) string {
	if p.Plan == nil {
		return "called"
	}
	return p.Plan.Summary()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// next suggests commands that fit what the project has.
func next(p *program.Program, dir, public string) []string {
	var out []string
	for _, q := range p.Pipelines {
		r, ok := q.Plan.(*triggers.Route)
		if !ok || strings.Contains(r.Path, "{") {
			continue
		}
		if r.Method == "GET" {
			out = append(out, fmt.Sprintf("curl http://%s%s", public, r.Path))
		} else {
			out = append(out, fmt.Sprintf("curl -X %s http://%s%s -H 'content-type: application/json' -d '{}'", r.Method, public, r.Path))
		}
		break
	}
	out = append(out, "pipelined executions list "+dir)
	for _, q := range p.Pipelines {
		for _, m := range q.Facts.Reprocesses {
			return append(out, "pipelined objects find "+m.Collection+" "+dir)
		}
		for _, m := range q.Facts.Writes {
			return append(out, "pipelined objects find "+m.Name+" "+dir)
		}
	}
	return out
}
