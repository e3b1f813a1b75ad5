package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
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

// isTransient reports whether a later try may be answered differently.
func isTransient(status int) bool {
	return slices.Contains([]int{408, 425, 429, 500, 502, 503, 504}, status)
}

// shown is a request without what may be secret: no user name, no query.
func (r request) shown() string {
	u := url.URL{Scheme: r.target.Scheme, Host: r.target.Host, Path: r.target.Path, RawPath: r.target.RawPath}
	return r.Method + " " + u.String()
}

// statusProblem is an answer outside the statuses that count as success.
func (k *client) statusProblem(resp *http.Response, r request) *pipelined.Problem {
	status, hint := resp.StatusCode, ""
	if status < 400 {
		status = http.StatusBadGateway // no error by itself, but not what was asked for
	}
	if resp.StatusCode/100 == 3 {
		hint = "; where it leads, follow_redirects does not allow"
	}
	p := pipelined.Problemf("rest/status", "The service answered with an error", status,
		"%s answered %d %s%s", r.shown(), resp.StatusCode, http.StatusText(resp.StatusCode), hint)
	p.Retriable = isTransient(resp.StatusCode)
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), k.clock.Now())
	// The body is told as far as it could be read: the status is what matters.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	data := map[string]any{"status": resp.StatusCode, "headers": headerValue(resp.Header, "set-cookie"), "body": nil}
	if decoded, err := decode(body, resp.Header.Get("Content-Type"), "auto"); err == nil {
		data["body"] = decoded
	} else {
		data["body"] = string(body)
	}
	if doc, err := value.JSON(data); err == nil {
		p.Data = k.secrets.redact(doc)
	}
	return p
}

// retryAfter reads seconds or an HTTP date; 0 if there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && s > 0 && s < 1<<31 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// failure is a call that got no answer.
func (k *client) failure(ctx context.Context, err error, r request) error {
	var p *pipelined.Problem
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded), ctx.Err() == nil && timedOut(err):
		return pipelined.NewProblem("rest/timeout", "The service did not answer in time", 504, r.shown()).Transient()
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errRedirects):
		return pipelined.Problemf("rest/redirects", "The service redirects in circles", 502, "%s: %v", r.shown(), errRedirects)
	}
	detail := r.shown() + ": " + k.secrets.replace(reason(err))
	if errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) || errors.Is(err, http.ErrSchemeMismatch) {
		return pipelined.NewProblem("rest/tls", "No secure connection to the service", 502, detail)
	}
	return pipelined.NewProblem("rest/connection", "The service cannot be reached", 502, detail).Transient()
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// reason is what went wrong without net/http's URL, which has the query.
func reason(err error) string {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	var host x509.HostnameError
	if errors.As(err, &host) {
		return "the certificate is for another host"
	}
	return err.Error()
}

// tokenProblem is a token that could not be had. What the token service says
// beyond its error code is not passed on: it may repeat the credentials.
func tokenProblem(ctx context.Context, err error, now time.Time) error {
	var r *oauth2.RetrieveError
	switch {
	case ctx.Err() != nil:
		return err
	case errors.As(err, &r):
		p := pipelined.NewProblem("rest/token", "No access token", 502,
			strings.TrimSpace(fmt.Sprintf("the token service answered %d %s", r.Response.StatusCode, oauthCode(r.ErrorCode))))
		p.Retriable = isTransient(r.Response.StatusCode)
		p.RetryAfter = retryAfter(r.Response.Header.Get("Retry-After"), now)
		return p
	}
	return pipelined.NewProblem("rest/token", "No access token", 502, "the token service cannot be reached, or its answer cannot be read").Transient()
}

// oauthCode lets through the codes RFC 6749 names.
func oauthCode(code string) string {
	if slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}, code) {
		return code
	}
	return ""
}
