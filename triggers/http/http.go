// Package http answers HTTP requests with pipelines.
//
// The first half is the trigger: what an author writes, checked at load, down to
// every path the router would panic on or silently replace. The second half,
// NewHandler, is the edge the engine listens with: it routes, reads and checks a
// body, hands a Request to Endpoint.Run and writes what comes back.
//
// What holds at the edge: a body is read once, never beyond its limit, and kept
// as the bytes that arrived (I9); every refusal is an RFC 9457 problem document;
// what happened inside, between pipeline and connectors, is told to a caller only
// as far as the author said it (I7). No 2xx is written before Run returns, and
// Run returns after the commit (I2).
package http

import (
	"net/textproto"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// Trigger is the `http` trigger.
var Trigger = triggers.Define("http", triggers.Doc{
	Summary: "Runs a pipeline for each HTTP request to a route.",
	Details: details,
	Examples: []triggers.Example{
		{Title: "Take an order and answer when it is done", YAML: `method: POST
path: /orders
body:
  schema: schemas/order.json
  max_size: 64KB
timeout: 10s
`},
		{Title: "Take a payment once, however often the caller repeats it", YAML: "method: POST\npath: /payments\nidempotency: { ttl: 48h, required: true }\n"},
		{Title: "Read one order", YAML: "method: GET\npath: /orders/{id}\n"},
		{Title: "Answer as soon as the request is safe, and work afterwards", YAML: "method: POST\npath: /imports/{source:[a-z]+}/*\nrespond: accepted\n"},
	},
	Findings: Codes(),
}, scope, plan)

const details = "`{name}` in a path takes one segment and is `request.params.name`; `{name:[0-9]+}` only takes what fits; a `*` as the\n" +
	"last segment takes the rest and is `request.params.rest`. Text wins over a parameter, whatever the order of the files.\n" +
	"A request may have a slash at its end that the path has not. HEAD is answered by the GET route.\n\n" +
	"`input` is the body: JSON as it came, a form as a map, text as a text, an empty body as null, anything else as bytes. A\n" +
	"body without a Content-Type is JSON. With a schema only JSON is taken, and an empty body is refused.\n\n" +
	"With `idempotency`, as draft-ietf-httpapi-idempotency-key-header has it, the answer is stored with the effects, in one\n" +
	"commit. The same key again gets that answer, with the header `Idempotency-Replayed: true`; with another path, query or\n" +
	"body it is a 422; while the first one still runs, a 409. What failed left nothing behind and runs again."

type params struct {
	Method      string        `yaml:"method" required:"" enum:"GET,POST,PUT,PATCH,DELETE" doc:"HTTP method."`
	Path        string        `yaml:"path" required:"" doc:"Path of the route, such as /orders/{id}."`
	Body        *body         `yaml:"body" doc:"What the body must be."`
	Timeout     time.Duration `yaml:"timeout" doc:"How long a caller waits at most; then the answer is a 504 and the execution is cancelled."`
	Idempotency *idempotency  `yaml:"idempotency" doc:"Requests with a key that was used before get the first one's answer, and nothing happens again."`
	Respond     string        `yaml:"respond" enum:"wait,accepted" default:"wait" doc:"wait answers when the pipeline is done; accepted answers 202 as soon as the request is durable."`
}

type body struct {
	Schema   string     `yaml:"schema" doc:"JSON Schema file below the project folder; a body that violates it is a 400."`
	MaxSize  field.Size `yaml:"max_size" default:"1MB" doc:"A larger body is a 413."`
	Required bool       `yaml:"required" doc:"An empty body is a 400. Always so with a schema."`
}

type idempotency struct {
	Header   string        `yaml:"header" default:"Idempotency-Key" doc:"Header with the key: a text in quotes, or without."`
	TTL      time.Duration `yaml:"ttl" default:"24h" doc:"How long a key is known."`
	Required bool          `yaml:"required" doc:"A request without a key is a 400."`
}

// scope has the request; where the path is known, with the names of its parameters.
func scope(p *params) triggers.Scope {
	text := &expression.Type{Kind: value.String}
	texts := &expression.Type{Kind: value.Object, Open: true}
	params := texts
	if pieces, bad := parsePath(p.Path); bad == nil {
		params = &expression.Type{Kind: value.Object, Fields: map[string]*expression.Type{}, Origin: "the parameters of the path"}
		for _, name := range names(pieces) {
			params.Fields[name] = text
		}
	}
	return triggers.Scope{triggers.NameRequest: triggers.Object(map[string]*expression.Type{
		"method": text, "path": text, "params": params, "query": texts, "headers": texts, "remote_addr": text},
		"body", "the body of the request is input", "header", "one header is request.headers.name")}
}

func plan(p *params, c *field.Context) triggers.Plan {
	fine := true
	inBody := *c
	inBody.Node = c.Pos("body")
	wrong := func(at *field.Context, key string, code diag.Code, summary, consequence, fix string) {
		c.Report(code, diag.Error, at.Pos(key), summary, consequence, fix)
		fine = false
	}
	pieces, bad := parsePath(p.Path)
	if bad != nil {
		wrong(c, "path", bad.code, bad.summary, "No request could be routed to the pipeline.", bad.fix)
	}
	if p.Timeout > 0 && p.Respond == "accepted" {
		c.Report(codeNoEffect, diag.Warning, c.Pos("timeout"), "timeout has no effect with respond: accepted",
			"The caller does not wait for the pipeline.", "write timeout at the pipeline itself to limit the execution")
	}
	r := &triggers.Route{Method: p.Method, Path: p.Path, Params: names(pieces), Timeout: p.Timeout, Accepted: p.Respond == "accepted"}
	if b := p.Body; b != nil {
		if p.Method == "GET" {
			wrong(c, "body", codeBody, "a GET request has no body", "Callers could not send what is asked for.", "remove body, or use POST")
		}
		if b.Schema != "" && !inside(b.Schema) {
			wrong(&inBody, "schema", codeSchema, b.Schema+" is not below the project folder", "The schema could not be read.", "write a path such as schemas/order.json")
		}
		r.Schema, r.MaxSize, r.Required = b.Schema, int64(b.MaxSize), b.Required || b.Schema != ""
	}
	if i := p.Idempotency; i != nil {
		if p.Method == "GET" {
			c.Report(codeNoEffect, diag.Warning, c.Pos("idempotency"), "idempotency has no effect with GET", "A GET request changes nothing.", "remove it")
		}
		if i.Header == "" || strings.ContainsFunc(i.Header, NotToken) {
			wrong(c, "idempotency", codeHeader, strconv.Quote(i.Header)+" is not the name of a header", "No request could have a key.", "write a name such as Idempotency-Key")
		}
		if i.TTL <= 0 {
			wrong(c, "idempotency", codeHeader, "ttl must be longer than nothing", "No key would ever be known.", "write a duration such as 24h")
		}
		r.Idempotency = &triggers.Idempotency{Header: textproto.CanonicalMIMEHeaderKey(i.Header), TTL: i.TTL, Required: i.Required}
	}
	if !fine {
		return nil
	}
	return r
}

// inside reports whether a file name stays below the project folder.
func inside(name string) bool {
	return filepath.IsLocal(name) && !strings.Contains(name, `\`) && path.Clean(name) == name
}

// names are the parameters of a path.
func names(pieces []piece) []string {
	var out []string
	for _, p := range pieces {
		if p.name != "" {
			out = append(out, p.name)
		}
	}
	return out
}
