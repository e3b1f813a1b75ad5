package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"pipelined"
	"pipelined/internal/value"
)

// maxErrorBody is how much of a failed answer goes into error.data.
const maxErrorBody = 64 << 10

// retriable are the statuses a later try may change.
var retriable = []int{408, 425, 429, 500, 502, 503, 504}

// statusProblem is an answer outside the statuses that count as success.
func statusProblem(resp *http.Response, body []byte, method string, target *url.URL) *pipelined.Problem {
	status := resp.StatusCode
	if status < 400 {
		status = http.StatusBadGateway // a redirect that was not followed, or a 1xx to 3xx nobody asked for
	}
	p := pipelined.Problemf("rest/status", "The service answered with an error", status,
		"%s %s answered %s", method, shown(target), resp.Status)
	p.Retriable = slices.Contains(retriable, resp.StatusCode)
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	decoded, err := decode(body[:min(len(body), maxErrorBody)], resp.Header.Get("Content-Type"), "auto")
	if err != nil {
		decoded = string(body[:min(len(body), maxErrorBody)])
	}
	data, err := value.JSON(map[string]any{"status": resp.StatusCode, "headers": headerValue(resp.Header), "body": decoded})
	if err == nil {
		p.Data = []byte(data)
	}
	return p
}

// retryAfter reads seconds or an HTTP date; 0 if there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// failure is a call that got no answer. What it says has no query and no user
// name, where keys and passwords may be.
func (k *client) failure(ctx context.Context, err error, method string, target *url.URL) error {
	var p *pipelined.Problem
	if errors.As(err, &p) {
		return p
	}
	what := method + " " + shown(target)
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return pipelined.Problemf("rest/timeout", "The service did not answer in time", 504, "%s", what).Transient()
	case errors.As(err, &certificate), errors.As(err, &record):
		return pipelined.Problemf("rest/tls", "No secure connection to the service", 502, "%s: %v", what, inner(err))
	}
	return pipelined.Problemf("rest/connection", "The service cannot be reached", 502, "%s: %v", what, inner(err)).Transient()
}

// inner takes the URL, with its query, out of net/http's errors.
func inner(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// shown is a URL without what may be secret.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// tokenProblem is a token that could not be had.
func tokenProblem(err error) error {
	var r *oauth2.RetrieveError
	if errors.As(err, &r) {
		p := pipelined.Problemf("rest/token", "No access token", 502, "the token service answered %s %s", r.Response.Status, r.ErrorCode)
		p.Retriable = slices.Contains(retriable, r.Response.StatusCode)
		return p
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return pipelined.NewProblem("rest/token", "No access token", 502, fmt.Sprint(inner(err))).Transient()
}
