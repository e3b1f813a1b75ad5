package edge

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"pipelined/engine/attempt"
)

// Request is one accepted HTTP request. Its fields are not changed once
// Endpoint.Run has it, except RunID.
type Request struct {
	Method, Path string
	Params       map[string]string // nil where the route has none
	Query        url.Values        // nil where there is none
	Header       http.Header
	Host         string
	RemoteAddr   string // "address:port"

	// Input is the body as a value: value.Raw of JSON, checked and byte for byte as
	// it arrived; a map of a form; string of a text; nil of nothing; else []byte.
	Input any

	// RunID is set by Endpoint.Run to the id of the execution, so that a problem
	// document can name it.
	RunID string
	// Rest is set by Endpoint.Run to what is to be done when the answer is sent.
	Rest *attempt.Rest

	once  sync.Once
	scope map[string]any
}

// Value is the `request` scope: method, path, params, query (a text, or a list
// where a name occurs more than once), headers (lower case; several of a name
// joined by ", ") and remote_addr. It is built on first use; all calls return the
// same map, which must not be changed.
func (r *Request) Value() any {
	r.once.Do(func() {
		params := make(map[string]any, len(r.Params))
		for k, v := range r.Params {
			params[k] = v
		}
		headers := make(map[string]any, len(r.Header)+1)
		for k, v := range r.Header {
			headers[strings.ToLower(k)] = strings.Join(v, ", ")
		}
		if r.Host != "" {
			headers["host"] = r.Host
		}
		r.scope = map[string]any{
			"method": r.Method, "path": r.Path, "params": params, "query": listed(r.Query),
			"headers": headers, "remote_addr": r.RemoteAddr,
		}
	})
	return r.scope
}

// listed is a query or a form as a value.
func listed(values url.Values) map[string]any {
	out := make(map[string]any, len(values))
	for k, v := range values {
		if len(v) == 1 {
			out[k] = v[0]
			continue
		}
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = item
		}
		out[k] = list
	}
	return out
}
