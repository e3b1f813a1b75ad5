// Package http answers HTTP requests with pipelines.
package http

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"pipelined"
	"pipelined/internal/field"
	"pipelined/internal/schema"
	"pipelined/triggers"
)

// Trigger is the `http` trigger.
var Trigger = triggers.Define("http", triggers.Doc{
	Summary: "Runs a pipeline for each HTTP request.",
}, plan)

type params struct {
	Path string `yaml:"path" required:"" doc:"Path of the route."`
}

func plan(p *params, c *field.Context) triggers.Plan { panic("not yet") }

// Clash reports whether two routes would answer the same requests.
func Clash(a, b *triggers.Route) bool { panic("not yet") }

// Request is one accepted HTTP request.
type Request struct {
	Method, Path string
	Params       map[string]string
	Query        url.Values
	Header       http.Header
	RemoteAddr   string
	Input        any // value.Raw of a JSON body; map of a form, string of text, nil of nothing, else []byte

	// RunID is set by Endpoint.Run: the execution, named in problem documents.
	RunID string
}

// Value is the `request` scope; built on first use.
func (r *Request) Value() any { panic("not yet") }

// Endpoint is one route and what answers it.
type Endpoint struct {
	Route    *triggers.Route
	Pipeline string
	Schema   *schema.Schema // nil: none
	MaxBody  int64          // 0: that of the route
	Run      func(ctx context.Context, r *Request) (*pipelined.Reply, error)
}

// Config is what all endpoints share.
type Config struct {
	Logger  *slog.Logger // nil: nothing is logged
	MaxBody int64        // of routes that say nothing; 0: 1 MB
	Clock   pipelined.Clock
}

// NewHandler routes requests to endpoints.
func NewHandler(endpoints []Endpoint, cfg Config) (http.Handler, error) { panic("not yet") }
