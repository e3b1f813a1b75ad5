package engine

import (
	"fmt"
	"net/http"
	"time"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/triggers"
)

// limited is a subscription that wants no more than so many events to wait for it.
type limited struct {
	pipeline string
	types    []string
	most     int64
}

func limitedOf(p *program.Program) (out []limited) {
	for _, q := range p.Pipelines {
		if plan, ok := q.Plan.(*triggers.Subscription); ok && plan.MaxBacklog > 0 {
			out = append(out, limited{q.Name, plan.Types, plan.MaxBacklog})
		}
	}
	return out
}

// refuse says why no event of a type can be published now. Those that publish are
// told, and may wait by their own retry; nothing that was published is dropped.
func (e *Engine) refuse(l *loaded) func(eventType string) *pipelined.Problem {
	if len(l.limited) == 0 {
		return nil
	}
	return func(eventType string) *pipelined.Problem {
		for _, s := range l.limited {
			if !program.Matches(s.types, eventType) {
				continue
			}
			if n := e.broker.Backlog(s.pipeline); n >= s.most {
				p := pipelined.NewProblem("publish/backlog", "Too many events wait", http.StatusServiceUnavailable,
					fmt.Sprintf("%d events wait for %s, which takes %s and allows %d", n, s.pipeline, eventType, s.most)).Transient()
				p.RetryAfter = time.Second
				return p
			}
		}
		return nil
	}
}
