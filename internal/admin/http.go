package admin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/unit"
)

// maxBody bounds what the admin listener reads.
const maxBody = 16 << 20

// Config is what the admin API needs besides the Service.
type Config struct {
	Token    pipelined.Secret // if not empty, needed with every request but the health checks
	Ready    func() error
	Metrics  prometheus.Gatherer // nil: no /metrics
	Profiles bool                // serve Go's profiles under /debug/pprof
}

// Handler is the admin API. service returns the Service of the program in use.
func Handler(service func() *Service, c Config) http.Handler {
	r := chi.NewRouter()
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, map[string]string{"status": "ok"}) })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			writeProblem(w, pipelined.NewProblem(pipelined.TypeUnavailable, "Not ready", 503, err.Error()))
			return
		}
		writeJSON(w, 200, map[string]string{"status": "ready"})
	})
	a := api{service}
	r.Group(func(r chi.Router) {
		r.Use(bearer(c.Token))
		if c.Metrics != nil {
			r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{}))
		}
		if c.Profiles {
			profiles(r)
		}
		r.Get("/api/status", a.status)
		r.Get("/api/executions", a.executions)
		r.Get("/api/executions/{id}", a.execution)
		r.Get("/api/objects/{collection}", a.objects)
		r.Get("/api/objects/{collection}/versions", a.versions)
		r.Post("/api/events", a.publish)
		r.Post("/api/replay", a.replay)
		r.Get("/api/errors", a.errors)
		r.Post("/api/errors", a.changeErrors)
	})
	r.NotFound(func(w http.ResponseWriter, req *http.Request) {
		writeProblem(w, pipelined.NewProblem(pipelined.TypeNotFound, "No such page", 404, req.URL.Path))
	})
	return r
}

// profiles serves what `go tool pprof` reads.
func profiles(r chi.Router) {
	r.Get("/debug/pprof/profile", pprof.Profile)
	r.Get("/debug/pprof/trace", pprof.Trace)
	r.Get("/debug/pprof/*", pprof.Index)
}

func bearer(token pipelined.Secret) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if token.IsZero() {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if subtle.ConstantTimeCompare([]byte(got), []byte(token.Reveal())) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				writeProblem(w, pipelined.NewProblem("admin/unauthorized", "A token is needed", 401,
					"send the admin token of pipelined.yaml as a bearer token"))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

type api struct{ service func() *Service }

func (a api) status(w http.ResponseWriter, r *http.Request) {
	st, err := a.service().Status(r.Context())
	answer(w, st, err)
}

func (a api) executions(w http.ResponseWriter, r *http.Request) {
	q := ExecutionQuery{Pipeline: r.FormValue("pipeline"), Status: r.FormValue("status")}
	var err error
	if q.Limit, err = number(r, "limit"); err != nil {
		answer(w, nil, err)
		return
	}
	if since := r.FormValue("since"); since != "" {
		if q.Since, err = unit.Duration(since); err != nil {
			answer(w, nil, &badRequest{"since", err.Error()})
			return
		}
	}
	list, err := a.service().Executions(r.Context(), q)
	if list == nil {
		list = []store.Execution{}
	}
	answer(w, map[string]any{"executions": list}, err)
}

func (a api) execution(w http.ResponseWriter, r *http.Request) {
	x, err := a.service().Execution(r.Context(), chi.URLParam(r, "id"))
	answer(w, x, err)
}

func (a api) objects(w http.ResponseWriter, r *http.Request) {
	q := ObjectQuery{Collection: chi.URLParam(r, "collection"), Where: r.FormValue("where")}
	if order := r.FormValue("order_by"); order != "" {
		q.OrderBy = strings.Split(order, ",")
	}
	var err error
	if q.Limit, err = number(r, "limit"); err == nil {
		q.Offset, err = number(r, "offset")
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	found, err := a.service().Objects(r.Context(), q)
	answer(w, found, err)
}

// versions takes the id as a parameter, because an id may hold any character.
func (a api) versions(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	if id == "" {
		answer(w, nil, &badRequest{"id", "it is missing: say which document, ?id=…"})
		return
	}
	found, err := a.service().Versions(r.Context(), chi.URLParam(r, "collection"), id)
	answer(w, found, err)
}

func (a api) publish(w http.ResponseWriter, r *http.Request) {
	var in Event
	if !decode(w, r, &in) {
		return
	}
	id, err := a.service().PublishEvent(r.Context(), in)
	answer(w, map[string]string{"event_id": id}, err)
}

func (a api) replay(w http.ResponseWriter, r *http.Request) {
	var in Replay
	if !decode(w, r, &in) {
		return
	}
	out, err := a.service().Replay(r.Context(), in)
	answer(w, out, err)
}

// errors takes the fields of an ErrorQuery, with since as a duration: 24h.
func (a api) errors(w http.ResponseWriter, r *http.Request) {
	limit, err := number(r, "limit")
	if err != nil {
		answer(w, nil, err)
		return
	}
	q := ErrorQuery{Collection: r.FormValue("collection"), Pipeline: r.FormValue("pipeline"), Status: r.FormValue("status"),
		Where: r.FormValue("where"), Limit: limit, IDs: r.Form["id"]}
	if text := r.FormValue("since"); text != "" {
		if q.Since, err = unit.Duration(text); err != nil {
			answer(w, nil, &badRequest{"since", err.Error()})
			return
		}
	}
	out, err := a.service().Errors(r.Context(), q)
	answer(w, out, err)
}

func (a api) changeErrors(w http.ResponseWriter, r *http.Request) {
	var in ErrorChange
	if !decode(w, r, &in) {
		return
	}
	out, err := a.service().ChangeErrors(r.Context(), in)
	answer(w, out, err)
}

// decode reads a JSON body, or answers why it cannot.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		answer(w, nil, &badRequest{"body", err.Error()})
		return false
	}
	return true
}

// badRequest is a request the caller has to mend.
type badRequest struct{ what, why string }

func (b *badRequest) Error() string { return b.what + ": " + b.why }

// IsMistake reports whether an error is about what was asked, and not about the
// project or its store.
func IsMistake(err error) bool {
	var bad *badRequest
	var where *BadWhere
	var told *refused
	return errors.As(err, &bad) || errors.As(err, &told) || errors.As(err, &where) || errors.Is(err, ErrNotFound)
}

func number(r *http.Request, name string) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &badRequest{name, "not a count: " + text}
	}
	return n, nil
}

// answer writes v, or the problem err amounts to.
func answer(w http.ResponseWriter, v any, err error) {
	var p *pipelined.Problem
	switch {
	case err == nil:
		writeJSON(w, 200, v)
	case errors.Is(err, ErrNotFound):
		writeProblem(w, pipelined.NewProblem(pipelined.TypeNotFound, "Not found", 404, err.Error()))
	case IsMistake(err):
		writeProblem(w, pipelined.NewProblem(pipelined.TypeInput, "The request cannot be answered", 400, err.Error()))
	case errors.As(err, &p):
		writeProblem(w, p)
	default:
		writeProblem(w, pipelined.NewProblem(pipelined.TypeInput, "The request cannot be answered", 400, err.Error()))
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the caller is gone; there is nobody to tell
}

func writeProblem(w http.ResponseWriter, p *pipelined.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.RetryAfter/time.Second)))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // as above
}
