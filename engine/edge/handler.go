package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/schema"
	"pipelined/triggers"
	httptrigger "pipelined/triggers/http"

	"github.com/go-chi/chi/v5"
)

// Endpoint is one route and what answers it.
type Endpoint struct {
	Route    *triggers.Route
	Pipeline string         // for messages
	Schema   *schema.Schema // of a JSON body; nil: any
	MaxBody  int64          // bytes; 0: what the route says, or else Config.MaxBody

	// Run answers a request. It returns after the execution is committed (I2). ctx
	// ends when the caller leaves or the route's timeout is over; Run then returns
	// soon. A nil reply without an error is 204, or 202 for an accepted route. Run is
	// called from many goroutines.
	Run func(ctx context.Context, r *Request) (*pipelined.Reply, error)
}

// Config is what all endpoints share; the zero value is usable.
type Config struct {
	Logger  *slog.Logger    // nil: nothing is logged
	MaxBody int64           // of routes that do not say; 0: 1 MiB
	Clock   pipelined.Clock // of timeouts; nil: the real one
}

const defaultMaxBody = 1 << 20

// NewHandler returns a handler that routes requests to endpoints. Two endpoints
// of one route, or a path that cannot be routed, are an error that names the
// pipelines. The handler never changes: a reload makes a new one.
func NewHandler(endpoints []Endpoint, cfg Config) (http.Handler, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	h := &handler{mux: chi.NewMux(), endpoints: map[string]map[string]*endpoint{}, log: cfg.Logger, clock: cfg.Clock, jsonType: []string{"application/json"}}
	h.matches.New = func() any { return chi.NewRouteContext() }
	taken := map[string]string{}
	for _, e := range endpoints {
		if err := h.add(e, cfg, taken); err != nil {
			return nil, err
		}
	}
	slices.Sort(h.methods)
	return h, nil
}

type handler struct {
	// mux only matches: its own way of calling handlers copies every request.
	mux       *chi.Mux
	endpoints map[string]map[string]*endpoint // by method, then by router pattern
	methods   []string
	matches   sync.Pool // of *chi.Context
	log       *slog.Logger
	clock     pipelined.Clock
	jsonType  []string // shared by all replies; nothing changes it
}

// endpoint is an Endpoint ready to run.
type endpoint struct {
	Endpoint
	schema   *schema.Schema
	maxBody  int64
	required bool
	timeout  time.Duration
}

func (h *handler) add(e Endpoint, cfg Config, taken map[string]string) error {
	r := e.Route
	pattern, err := httptrigger.Pattern(r.Path)
	if err != nil {
		return fmt.Errorf("route %s %s of %s: %w", r.Method, r.Path, e.Pipeline, err)
	}
	key := httptrigger.Requests(r)
	if other, twice := taken[key]; twice {
		return fmt.Errorf("route %s %s of %s: %s answers the same requests", r.Method, r.Path, e.Pipeline, other)
	}
	taken[key] = e.Pipeline
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}, r.Method) {
		return fmt.Errorf("route %s %s of %s: no such method", r.Method, r.Path, e.Pipeline)
	}
	ready := &endpoint{Endpoint: e, schema: e.Schema, required: r.Required || e.Schema != nil, timeout: r.Timeout}
	for _, limit := range []int64{cfg.MaxBody, r.MaxSize, e.MaxBody} {
		if limit > 0 {
			ready.maxBody = limit
		}
	}
	if r.Accepted {
		ready.timeout = 0 // the caller does not wait
	}
	h.mux.Method(r.Method, pattern, http.NotFoundHandler())
	if h.endpoints[r.Method] == nil {
		h.endpoints[r.Method] = map[string]*endpoint{}
		h.methods = append(h.methods, r.Method)
	}
	h.endpoints[r.Method][pattern] = ready
	return nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, params := h.find(r)
	if e == nil {
		h.writeProblem(w, r, h.unrouted(w, r), "")
		return
	}
	input, bad := e.input(r)
	if bad != nil {
		h.writeProblem(w, r, bad, "")
		return
	}
	req := &Request{
		Method: r.Method, Path: r.URL.Path, Params: params, Header: r.Header,
		Host: r.Host, RemoteAddr: r.RemoteAddr, Input: input,
	}
	if r.URL.RawQuery != "" {
		req.Query = r.URL.Query()
	}
	defer func() { req.Rest.Start() }()
	reply, err := h.run(r.Context(), e, req)
	switch {
	case err != nil:
		h.writeProblem(w, r, &refusal{Problem: shown(pipelined.AsProblem(err))}, req.RunID)
	case reply != nil:
		h.writeReply(w, r, e, reply, req.RunID)
	case e.Route.Accepted:
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// run calls the endpoint under the route's timeout.
func (h *handler) run(ctx context.Context, e *endpoint, req *Request) (*pipelined.Reply, error) {
	if e.timeout <= 0 {
		return e.Run(ctx, req)
	}
	late := pipelined.Problemf(pipelined.TypeTimeout, "The time limit was reached", http.StatusGatewayTimeout,
		"the route's timeout of %s is over", e.timeout).Transient()
	ctx, cancel := context.WithCancelCause(ctx)
	timer := h.clock.NewTimer(e.timeout)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-timer.C():
			cancel(late)
		case <-ctx.Done():
		}
	}()
	reply, err := e.Run(ctx, req)
	if err != nil && context.Cause(ctx) == error(late) && cutOff(err) {
		err = late
	}
	timer.Stop()
	cancel(nil)
	<-watched
	return reply, err
}

// cutOff reports whether an error only says that the context ended.
func cutOff(err error) bool {
	p, told := errors.AsType[*pipelined.Problem](err)
	return errors.Is(err, context.Canceled) || told && p.Type == pipelined.TypeCanceled
}

// find routes a request. A slash too many at the end does not matter, and HEAD is
// answered like GET.
func (h *handler) find(r *http.Request) (*endpoint, map[string]string) {
	path, escaped := routePath(r.URL)
	e, params := h.match(r.Method, path, escaped)
	if e == nil && r.Method == http.MethodHead {
		e, params = h.match(http.MethodGet, path, escaped)
	}
	return e, params
}

func (h *handler) match(method, path string, escaped bool) (*endpoint, map[string]string) {
	routes := h.endpoints[method]
	if routes == nil {
		return nil, nil
	}
	m := h.matches.Get().(*chi.Context)
	defer h.matches.Put(m)
	m.Reset()
	e := routes[h.mux.Find(m, method, path)]
	if shorter, slash := strings.CutSuffix(path, "/"); slash && shorter != "" && (e == nil || hasEmpty(m)) {
		m.Reset()
		e = routes[h.mux.Find(m, method, shorter)]
	}
	if e == nil || hasEmpty(m) {
		return nil, nil
	}
	return e, paramsOf(m, escaped)
}

// hasEmpty reports whether a parameter would be empty, as in /orders//lines: such
// a path is not the route's.
func hasEmpty(m *chi.Context) bool {
	for i, name := range m.URLParams.Keys {
		if m.URLParams.Values[i] == "" && name != "*" {
			return true
		}
	}
	return false
}

// paramsOf copies the parameters, which belong to the pool.
func paramsOf(m *chi.Context, escaped bool) map[string]string {
	if len(m.URLParams.Keys) == 0 {
		return nil
	}
	out := make(map[string]string, len(m.URLParams.Keys))
	for i, name := range m.URLParams.Keys {
		v := m.URLParams.Values[i]
		if escaped {
			v = strings.NewReplacer("%2F", "/", "%25", "%").Replace(v)
		}
		if name == "*" {
			name = httptrigger.RestParam
		}
		out[name] = v
	}
	return out
}

// routePath is the path routes are matched against: decoded, except that an
// escaped slash stays one character of its segment. escaped says that parameters
// have to be decoded once more.
func routePath(u *url.URL) (path string, escaped bool) {
	if u.RawPath == "" {
		return u.Path, false
	}
	kept := strings.NewReplacer("%2f", "%252F", "%2F", "%252F", "%25", "%2525").Replace(u.RawPath)
	path, err := url.PathUnescape(kept)
	if err != nil {
		return u.Path, false
	}
	return path, true
}

// unrouted is the answer where no route fits: 405 if only the method is wrong.
func (h *handler) unrouted(w http.ResponseWriter, r *http.Request) *refusal {
	path, escaped := routePath(r.URL)
	var allowed []string
	for _, method := range h.methods {
		if e, _ := h.match(method, path, escaped); e != nil {
			allowed = append(allowed, method)
			if method == http.MethodGet && !slices.Contains(h.methods, http.MethodHead) {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	if len(allowed) == 0 {
		return refuse(pipelined.TypeNotFound, "There is nothing at this address", http.StatusNotFound, "no route fits the path")
	}
	list := strings.Join(allowed, ", ")
	w.Header()["Allow"] = []string{list}
	return refuse(pipelined.TypeMethod, "The method is not allowed here", http.StatusMethodNotAllowed, "the path takes "+list)
}
