// Package rest calls HTTP services.
//
// One connection is one pool and one set of credentials. Credentials go to the
// connection's own host only, and nothing secret is in what an error says: URLs
// are shown without user name and query, and the connection's secrets are
// replaced where a service repeats them (I7).
package rest

import (
	"context"
	"net/http"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// Connector is the `rest` connector.
var Connector = connectors.Define("rest", connectors.Doc{
	Summary: "Calls an HTTP service.",
	Details: "A step names a `connection` and a `path` below its `base_url`, or an absolute `url` without a connection.\n\n" +
		"What `${{ }}` puts into `path` or `url` is text like the rest of it: write `urlEncode(…)` around data, so that a slash or a " +
		"question mark in it stays part of its segment. A path with `..` or `#` in it is refused.\n\n" +
		"An answer outside `success` is an error `rest/status` whose `status` is the service's own; 408, 425, 429, 500, 502, 503 and 504, " +
		"time limits and failed connections are `retriable`, and Retry-After is honoured. `error.data` has the answer's `status`, `headers` " +
		"and the first 64 KB of its `body`. Other errors: `rest/timeout`, `rest/connection`, `rest/tls`, `rest/token`, `rest/too-large`, " +
		"`rest/body`, `rest/request`.\n\n" +
		"A redirect that `follow_redirects` does not allow is an answer like any other; `success: 200-399` takes it as a result. " +
		"To another host go neither credentials nor headers of one's own.",
}, open,
	connectors.Op("", connectors.Doc{
		Summary: "Sends one request and reads the answer.",
		Result:  "`status`, `headers` (lower-case names; a list where a header came more than once), `body`",
		Examples: []connectors.Example{
			{Title: "Read a customer", YAML: "url: https://crm.example/customers/${{ urlEncode(input.id) }}\n"},
			{Title: "Create an order", YAML: "method: POST\nurl: https://shop.example/orders\nbody: { id: \"${{ input.id }}\" }\ntimeout: 3s\n"},
			{Title: "A missing page is no error", YAML: "path: /stock/${{ urlEncode(input.sku) }}\nquery: { warehouse: [north, south] }\nsuccess: 200-299,404\n", Connection: "crm"},
		},
	}, effectOf, (*client).call),
).WithoutConnection()

// effectOf goes by the method, as RFC 9110 has it: safe ones only read, PUT and
// DELETE may be repeated, POST and PATCH may where a key makes them so.
func effectOf(conn any, p params) connectors.Effect {
	e := connectors.Effect{Outside: true, Reads: true}
	switch p.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		e.Idempotent = true
	case http.MethodPut, http.MethodDelete:
		e.Writes, e.Idempotent = true, true
	default:
		k, known := conn.(*connection)
		e.Writes, e.Idempotent = true, p.IdempotencyKey != "" || known && k != nil && k.Idempotency
	}
	return e
}

type connection struct {
	BaseURL        string            `yaml:"base_url" required:"" doc:"Every path is below this URL."`
	Auth           *auth             `yaml:"auth" doc:"How the service knows us."`
	Headers        map[string]string `yaml:"headers" doc:"Sent with every request; for keys and passwords use auth, which is never shown."`
	Timeout        time.Duration     `yaml:"timeout" default:"30s" doc:"Limit for one call, where the step sets none."`
	TLS            *tlsSettings      `yaml:"tls" doc:"Certificates, where the system's are not enough."`
	MaxConnections int               `yaml:"max_connections" default:"64" min:"1" max:"10000" doc:"Connections at a time."`
	Proxy          pipelined.Secret  `yaml:"proxy" doc:"URL of a proxy; default is none, whatever the environment says."`
	Idempotency    bool              `yaml:"idempotency" default:"false" doc:"Send an Idempotency-Key of the step's own with POST, PUT, PATCH and DELETE, the same at every try."`
}

type auth struct {
	_ field.ExactlyOne `keys:"basic,bearer,api_key,oauth2"`

	Basic  *basicAuth       `yaml:"basic" doc:"User name and password."`
	Bearer pipelined.Secret `yaml:"bearer" doc:"A token sent as Authorization: Bearer."`
	APIKey *apiKeyAuth      `yaml:"api_key" doc:"A key in a header or in the query."`
	OAuth2 *oauth2Auth      `yaml:"oauth2" doc:"Client credentials; tokens are kept until they expire, and renewed once after a 401."`
}

type basicAuth struct {
	Username string           `yaml:"username" required:"" doc:"User name."`
	Password pipelined.Secret `yaml:"password" required:"" doc:"Password."`
}

type apiKeyAuth struct {
	_ field.ExactlyOne `keys:"header,query"`

	Header string           `yaml:"header" doc:"Name of the header."`
	Query  string           `yaml:"query" doc:"Name of the query parameter."`
	Value  pipelined.Secret `yaml:"value" required:"" doc:"The key."`
}

type oauth2Auth struct {
	TokenURL     string           `yaml:"token_url" required:"" doc:"Where tokens come from."`
	ClientID     string           `yaml:"client_id" required:"" doc:"Client id."`
	ClientSecret pipelined.Secret `yaml:"client_secret" required:"" doc:"Client secret."`
	Scopes       []string         `yaml:"scopes" doc:"Scopes to ask for."`
}

type tlsSettings struct {
	_ field.Together `keys:"cert_file,key_file"`

	CAFile             string `yaml:"ca_file" doc:"PEM file of the authorities to trust, instead of the system's."`
	CertFile           string `yaml:"cert_file" doc:"PEM file of the client's certificate."`
	KeyFile            string `yaml:"key_file" doc:"PEM file of the client's key."`
	ServerName         string `yaml:"server_name" doc:"Name to expect in the server's certificate."`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify" doc:"Accept any certificate. Only for tests: anyone in between can read and change everything."`
}

// CheckFields warns of a connection that anyone can listen to.
func (t *tlsSettings) CheckFields(c *field.Context) {
	if t.InsecureSkipVerify {
		c.Report(CodeInsecure, diag.Warning, c.Pos("insecure_skip_verify"), "certificates are not checked",
			"Anyone in between can read and change everything, credentials included.",
			"remove it, and name the service's authority in ca_file")
	}
}

type params struct {
	_ field.AtMostOne `keys:"url,path"`
	_ field.AtMostOne `keys:"url" beside:"connection"`
	_ field.AtMostOne `keys:"body,form,text,binary,multipart"`

	Method          string            `yaml:"method" enum:"GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS" default:"GET" doc:"HTTP method."`
	Path            string            `yaml:"path" doc:"Path below the connection's base_url."`
	URL             string            `yaml:"url" doc:"Absolute URL, without a connection."`
	Query           map[string]any    `yaml:"query" doc:"Query parameters; a list repeats the parameter, null leaves it out."`
	Headers         map[string]string `yaml:"headers" doc:"Request headers."`
	Body            any               `yaml:"body" doc:"Sent as JSON."`
	Form            map[string]any    `yaml:"form" doc:"Sent as application/x-www-form-urlencoded."`
	Text            string            `yaml:"text" doc:"Sent as text/plain, or as the content-type header says."`
	Binary          any               `yaml:"binary" doc:"Bytes, or their base64 text; sent as application/octet-stream, or as the content-type header says."`
	Multipart       []part            `yaml:"multipart" doc:"Sent as multipart/form-data."`
	Timeout         time.Duration     `yaml:"timeout" doc:"Limit for this call; default is the connection's."`
	FollowRedirects string            `yaml:"follow_redirects" enum:"none,same_host,all" default:"same_host" doc:"Which redirects to follow; credentials never go to another host."`
	Response        string            `yaml:"response" enum:"auto,json,text,binary,none" default:"auto" doc:"How to read the body; auto goes by the content type."`
	MaxResponse     field.Size        `yaml:"max_response" default:"10MB" doc:"Largest answer to read."`
	Success         statuses          `yaml:"success" doc:"Statuses that are no error, such as 200-299,404; default is 200-299."`
	IdempotencyKey  string            `yaml:"idempotency_key" doc:"Sent as Idempotency-Key."`
}

type part struct {
	_ field.AtMostOne `keys:"text,binary"`

	Name        string `yaml:"name" required:"" doc:"Name of the field."`
	Text        string `yaml:"text" doc:"The field's text."`
	Binary      any    `yaml:"binary" doc:"Or a file: bytes, or their base64 text."`
	Filename    string `yaml:"filename" doc:"Name of the file."`
	ContentType string `yaml:"content_type" doc:"Type of the content; default for a file is application/octet-stream."`
}

// open prepares a client; nothing is dialled until the first call.
func open(_ context.Context, c connection, env connectors.Env) (*client, error) {
	return newClient(c, env)
}
