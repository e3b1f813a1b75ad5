package edge

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"pipelined"
	"pipelined/internal/schema"
	httptrigger "pipelined/triggers/http"
)

// problemBase makes a URI of a problem type; the reference page of the type is
// there.
const problemBase = "https://pipelined.dev/errors/"

// shown is what a caller may know of a problem. What happened between a pipeline
// and its connectors stays in the log (I7): no cause and no data ever, a detail
// only where an author wrote it, or where it is about the request itself.
func shown(p *pipelined.Problem) *pipelined.Problem {
	out := &pipelined.Problem{Type: p.Type, Title: p.Title, Status: p.Status, Retriable: p.Retriable, RetryAfter: p.RetryAfter}
	if !strings.HasPrefix(p.Type, "request/") {
		out.Status = p.Told()
	}
	if out.Status < 400 || out.Status > 599 {
		out.Status = http.StatusInternalServerError
	}
	if p.Own || out.Status < 500 && strings.HasPrefix(p.Type, "request/") && p.Connector == "" {
		out.Detail = p.Detail
	}
	return out
}

// document is a problem on the wire, RFC 9457.
type document struct {
	Type       string             `json:"type"`
	Title      string             `json:"title"`
	Status     int                `json:"status"`
	Detail     string             `json:"detail,omitempty"`
	Instance   string             `json:"instance"`
	Retriable  bool               `json:"retriable"`
	Run        string             `json:"run,omitempty"`
	Violations []schema.Violation `json:"violations,omitempty"`
}

func (h *handler) writeProblem(w http.ResponseWriter, r *http.Request, p *refusal, run string) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	doc := document{
		Type: typeURI(p.Type), Title: p.Title, Status: p.Status, Detail: p.Detail,
		Instance: r.URL.EscapedPath(), Retriable: p.Retriable, Run: run, Violations: p.violations,
	}
	if err := enc.Encode(doc); err != nil {
		panic("http: a problem document cannot be written: " + err.Error())
	}
	header := w.Header()
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter + time.Second - 1) / time.Second
		header["Retry-After"] = []string{strconv.FormatInt(int64(seconds), 10)}
	}
	header["Content-Type"] = []string{"application/problem+json"}
	header["Content-Length"] = []string{strconv.Itoa(b.Len())}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // a caller that has left cannot be told anything
	}
}

// typeURI leaves types that are URIs already.
func typeURI(typ string) string {
	if strings.Contains(typ, ":") {
		return typ
	}
	return problemBase + typ
}

// writeReply writes what the pipeline responds, byte for byte.
func (h *handler) writeReply(w http.ResponseWriter, r *http.Request, e *endpoint, reply *pipelined.Reply, run string) {
	status := reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	if status < 200 || status > 599 {
		h.log.Error("reply has no usable status", "pipeline", e.Pipeline, "execution", run, "status", status)
		h.writeProblem(w, r, refuse(pipelined.TypeInternal, "An unexpected error happened", http.StatusInternalServerError, ""), run)
		return
	}
	header := w.Header()
	for name, text := range reply.Headers {
		h.setHeader(header, name, text, e, run)
	}
	bodyless := status == http.StatusNoContent || status == http.StatusNotModified
	switch {
	case reply.ContentType != "":
		header["Content-Type"] = []string{reply.ContentType}
	case !bodyless && header["Content-Type"] == nil && reply.Body != "":
		header["Content-Type"] = h.jsonType
	}
	if bodyless {
		w.WriteHeader(status)
		return
	}
	header["Content-Length"] = []string{strconv.Itoa(len(reply.Body))}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, reply.Body) // see writeProblem
	}
}

// setHeader leaves out what is not the pipeline's to say: how the message is
// framed, and what is no header at all.
func (h *handler) setHeader(header http.Header, name, text string, e *endpoint, run string) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Keep-Alive":
		return
	}
	if name == "" || strings.ContainsFunc(name, httptrigger.NotToken) || strings.ContainsAny(text, "\r\n\x00") {
		h.log.Warn("reply header left out", "pipeline", e.Pipeline, "execution", run, "header", strconv.Quote(name))
		return
	}
	header[name] = []string{text}
}
