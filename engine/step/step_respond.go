package step

import (
	"context"
	"maps"
	"slices"
	"strings"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

type respondParams struct {
	Respond respondValue `yaml:"respond" required:"" doc:"The answer. It ends nothing by itself; the last one wins."`
}

type respondValue struct {
	Status  field.JSON            `yaml:"status" doc:"HTTP status, 200 to 599; default 200, or what the error comes to for a caller: the author's own status, 502 for what a service outside said, 504 for a timeout."`
	Headers map[string]field.Text `yaml:"headers" doc:"HTTP headers."`
	Body    field.JSON            `yaml:"body" doc:"JSON; a text is sent as it is where the content-type header is not JSON. For a called pipeline, its result."`
	Problem field.JSON            `yaml:"problem" doc:"Sent as application/problem+json; status, type and title are filled in where missing."`
}

func respondControl() *Control {
	return define("respond", "Sets the answer to the HTTP caller, or the result of a called pipeline.", "", `
- respond: { status: 201, body: { id: "${{ input.id }}" } }
`, func(b *Compiler, c *field.Context, n *Node, p *respondParams) Action {
		r := &respond{status: p.Respond.Status, body: p.Respond.Body, problem: p.Respond.Problem}
		if !r.body.IsZero() && !r.problem.IsZero() {
			c.Report(CodeRespond, diag.Error, c.Pos("respond"), "respond has both body and problem",
				"Only one of them could be sent.", "keep one")
			return nil
		}
		if v, ok := r.status.Constant(); ok && !r.status.IsZero() {
			s, isInt := value.Int(v)
			if !isInt || s < 100 || s > 599 {
				c.Report(CodeRespond, diag.Error, c.Pos("respond"), "status must be an HTTP status, 200 to 599",
					"The answer could not be sent.", "write for example `status: 202`")
				return nil
			}
			r.fixed = int(s)
		}
		for _, name := range slices.Sorted(maps.Keys(p.Respond.Headers)) {
			r.headers = append(r.headers, header{name, p.Respond.Headers[name]})
		}
		if b.inLater == afterCommit {
			c.Report(CodeLater, diag.Error, c.Pos("respond"), "respond has no meaning in after_commit",
				"The answer was sent before it runs.", "respond in steps")
			return nil
		}
		b.Facts.Responds = append(b.Facts.Responds, Mention{At: n.At})
		return r
	})
}

type header struct {
	name  string
	value field.Text
}

type respond struct {
	fixed   int // the status, where it is a literal
	status  field.JSON
	headers []header
	body    field.JSON
	problem field.JSON
}

func (r *respond) Run(_ context.Context, x *execution.Execution) (any, error) {
	reply := &pipelined.Reply{Status: r.fixed}
	if r.fixed == 0 && !r.status.IsZero() {
		v, err := r.status.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		s, ok := value.Int(v)
		if !ok || s < 100 || s > 599 {
			return nil, pipelined.Problemf(pipelined.TypeExpression, "respond.status is not an HTTP status", 500,
				"it is %s", value.Describe(v))
		}
		reply.Status = int(s)
	}
	for _, h := range r.headers {
		text, err := h.value.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(h.name, "content-type") {
			reply.ContentType = text
			continue
		}
		if reply.Headers == nil {
			reply.Headers = make(map[string]string, len(r.headers))
		}
		reply.Headers[h.name] = text
	}
	if !r.problem.IsZero() {
		return nil, r.respondProblem(x, reply)
	}
	if p := x.Failed(); p != nil && reply.Status == 0 {
		reply.Status = p.Told()
	}
	if !r.body.IsZero() {
		if err := r.fillBody(x, reply); err != nil {
			return nil, err
		}
	}
	x.Respond(reply)
	return nil, nil
}

func (r *respond) fillBody(x *execution.Execution, reply *pipelined.Reply) error {
	if reply.ContentType != "" && !strings.Contains(reply.ContentType, "json") {
		v, err := r.body.Eval(x.Frame)
		if err != nil {
			return err
		}
		if b, ok := v.([]byte); ok {
			reply.Body = string(b)
			return nil
		}
		reply.Body, err = value.Text(v)
		return err
	}
	out, err := r.body.AppendJSON(nil, x.Frame)
	reply.Body = string(out)
	return err
}

// respondProblem sends what an author wrote, or `error` itself, without the parts
// that are only for the inside.
func (r *respond) respondProblem(x *execution.Execution, reply *pipelined.Reply) error {
	v, err := r.problem.Eval(x.Frame)
	if err != nil {
		return err
	}
	m, ok := value.Open(v).(map[string]any)
	if !ok {
		return pipelined.Problemf(pipelined.TypeExpression, "respond.problem is not an object", 500, "it is %s", value.Describe(v))
	}
	m = maps.Clone(m)
	for _, inside := range []string{"cause", "data", "pipeline", "step", "connector", "attempt"} {
		delete(m, inside)
	}
	if reply.Status == 0 {
		reply.Status = told(x, m)
	}
	m["status"] = reply.Status
	if _, ok := m["type"].(string); !ok {
		m["type"] = "about:blank"
	}
	raw, err := value.JSON(m)
	if err != nil {
		return err
	}
	reply.ContentType, reply.Body = "application/problem+json", string(raw)
	x.Respond(reply)
	return nil
}

// told is the status of a problem that names none for the caller. That of `error`
// itself is what the caller is told of it, not what a service outside said.
func told(x *execution.Execution, m map[string]any) int {
	s, ok := value.Int(m["status"])
	p := x.Problem()
	if p != nil && m["type"] == p.Type && (!ok || int(s) == p.Status) {
		return p.Told()
	}
	if ok && s >= 400 && s <= 599 {
		return int(s)
	}
	if p != nil {
		return p.Told()
	}
	return 500
}
