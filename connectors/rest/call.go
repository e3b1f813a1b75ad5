package rest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"pipelined"
	"pipelined/internal/value"
)

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

func (k *client) call(ctx context.Context, p params) (any, error) {
	target, err := k.target(p)
	if err != nil {
		return nil, err
	}
	body, contentType, err := payload(p)
	if err != nil {
		return nil, err
	}
	success, err := parseStatuses(p.Success)
	if err != nil {
		return nil, err
	}
	timeout := p.Timeout
	if timeout == 0 {
		timeout = k.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := k.send(ctx, p, target, body, contentType, false)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && k.oauth != nil {
		resp.Body.Close()
		resp, err = k.send(ctx, p, target, body, contentType, true) // the token may have been revoked
	}
	if err != nil {
		return nil, k.failure(ctx, err, p.Method, target)
	}
	defer resp.Body.Close()
	return k.answer(ctx, resp, p, target, success)
}

// target is where the request goes. A path cannot lead off the connection's host.
func (k *client) target(p params) (*url.URL, error) {
	if (p.URL != "") == (k.base != nil) {
		return nil, pipelined.NewProblem("rest/url", "The target is not clear", 500,
			"give a connection and a path, or an absolute url without a connection")
	}
	if p.URL != "" {
		u, err := url.Parse(p.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, pipelined.NewProblem("rest/url", "Not an absolute URL", 500, "url must begin with http:// or https:// and name a host")
		}
		return withQuery(u, p.Query)
	}
	path, query, _ := strings.Cut(p.Path, "?")
	rel, err := url.Parse("/" + strings.TrimLeft(path, "/"))
	if err != nil || rel.Host != "" {
		return nil, pipelined.NewProblem("rest/url", "Not a path", 500, "path must be a path below base_url; use urlEncode() for parts that come from data")
	}
	u := *k.base
	joined := k.base.JoinPath(rel.EscapedPath())
	if !strings.HasPrefix(joined.Path, strings.TrimSuffix(k.base.Path, "/")) {
		return nil, pipelined.NewProblem("rest/url", "The path leads out of base_url", 500, "use urlEncode() for parts that come from data")
	}
	u.Path, u.RawPath = joined.Path, joined.RawPath
	if strings.HasSuffix(path, "/") && !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	if query != "" {
		u.RawQuery = query
	}
	return withQuery(&u, p.Query)
}

func withQuery(u *url.URL, query map[string]any) (*url.URL, error) {
	if len(query) == 0 {
		return u, nil
	}
	q := u.Query()
	if err := fillValues(q, query); err != nil {
		return nil, err
	}
	u.RawQuery = q.Encode()
	return u, nil
}

// fillValues adds parameters; a list repeats, null leaves out.
func fillValues(q url.Values, from map[string]any) error {
	for name, v := range from {
		list, isList := value.Open(v).([]any)
		if !isList {
			list = []any{v}
		}
		for _, e := range list {
			if e == nil {
				continue
			}
			text, err := value.Text(e)
			if err != nil {
				return err
			}
			q.Add(name, text)
		}
	}
	return nil
}

// payload is the request's body and its content type.
func payload(p params) (body []byte, contentType string, err error) {
	given := 0
	for _, is := range []bool{p.Body != nil, p.Form != nil, p.Text != "", p.Binary != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, "", pipelined.NewProblem("rest/body", "More than one body", 500, "give one of body, form, text, binary")
	}
	switch {
	case p.Body != nil:
		raw, err := value.JSON(p.Body)
		return []byte(raw), "application/json", err
	case p.Form != nil:
		q := url.Values{}
		err := fillValues(q, p.Form)
		return []byte(q.Encode()), "application/x-www-form-urlencoded", err
	case p.Text != "":
		return []byte(p.Text), "text/plain; charset=utf-8", nil
	case p.Binary != nil:
		switch b := value.Scalar(p.Binary).(type) {
		case []byte:
			return b, "application/octet-stream", nil
		case string:
			raw, err := base64.StdEncoding.DecodeString(b)
			if err != nil {
				return nil, "", pipelined.NewProblem("rest/body", "Not base64", 500, "binary takes bytes or their base64 text")
			}
			return raw, "application/octet-stream", nil
		}
		return nil, "", pipelined.NewProblem("rest/body", "Not binary", 500, "binary takes bytes or their base64 text")
	}
	return nil, "", nil
}

func (k *client) send(ctx context.Context, p params, target *url.URL, body []byte, contentType string, fresh bool) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	u := *target
	r, err := http.NewRequestWithContext(ctx, p.Method, u.String(), reader)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "pipelined")
	r.Header.Set("Accept", "application/json, */*;q=0.5")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if p.IdempotencyKey != "" {
		r.Header.Set("Idempotency-Key", p.IdempotencyKey)
	}
	for _, headers := range []map[string]string{k.Headers, p.Headers} {
		for name, text := range headers {
			r.Header.Set(name, text)
		}
	}
	if err := k.authorize(ctx, r, fresh); err != nil {
		return nil, err
	}
	h := http.Client{Transport: k.transport, CheckRedirect: redirects(p.FollowRedirects, k.Auth)}
	return h.Do(r)
}

// redirects is the policy. To another host go neither credentials of the
// connection nor, which net/http sees to, Authorization and cookies.
func redirects(policy string, a *auth) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		sameHost := next.URL.Host == via[0].URL.Host && next.URL.Scheme == via[0].URL.Scheme
		if policy == "none" || (policy != "all" && !sameHost) {
			return http.ErrUseLastResponse
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if !sameHost && a != nil {
			next.Header.Del("Authorization")
			if a.APIKey != nil && a.APIKey.Header != "" {
				next.Header.Del(a.APIKey.Header)
			}
		}
		return nil
	}
}

// answer reads the response.
func (k *client) answer(ctx context.Context, resp *http.Response, p params, target *url.URL, success []statusRange) (any, error) {
	limit := int64(p.MaxResponse)
	if limit == 0 {
		limit = 10 << 20
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, k.failure(ctx, err, p.Method, target)
	}
	if int64(len(text)) > limit {
		return nil, pipelined.Problemf("rest/too-large", "The answer is too large", 502,
			"%s %s answered more than %d bytes; raise max_response", p.Method, shown(target), limit)
	}
	if !contains(success, resp.StatusCode) {
		return nil, statusProblem(resp, text, p.Method, target)
	}
	body, err := decode(text, resp.Header.Get("Content-Type"), p.Response)
	if err != nil {
		return nil, pipelined.Problemf("rest/body", "The answer is not JSON", 502, "%s %s: %v", p.Method, shown(target), err)
	}
	return map[string]any{"status": resp.StatusCode, "headers": headerValue(resp.Header), "body": body}, nil
}

// decode reads a body as asked.
func decode(text []byte, contentType, as string) (any, error) {
	media, _, _ := mime.ParseMediaType(contentType)
	if as == "auto" || as == "" {
		switch {
		case len(text) == 0:
			return nil, nil
		case media == "application/json" || strings.HasSuffix(media, "+json"):
			as = "json"
		case strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "xml") || (media == "" && utf8.Valid(text)):
			as = "text"
		default:
			as = "binary"
		}
	}
	switch as {
	case "none":
		return nil, nil
	case "text":
		return string(text), nil
	case "binary":
		return text, nil
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	return value.Parse(text)
}

func headerValue(h http.Header) any {
	m := make(map[string]any, len(h))
	for name, list := range h {
		if len(list) == 1 {
			m[strings.ToLower(name)] = list[0]
			continue
		}
		all := make([]any, len(list))
		for i, e := range list {
			all[i] = e
		}
		m[strings.ToLower(name)] = all
	}
	return m
}

type statusRange struct{ from, to int }

func contains(list []statusRange, status int) bool {
	for _, r := range list {
		if status >= r.from && status <= r.to {
			return true
		}
	}
	return false
}

// parseStatuses reads "200-299,404".
func parseStatuses(s string) ([]statusRange, error) {
	if s == "" || s == "200-299" {
		return usual, nil
	}
	var out []statusRange
	for _, part := range strings.Split(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err1 := strconv.Atoi(strings.TrimSpace(from))
		b, err2 := a, error(nil)
		if isRange {
			b, err2 = strconv.Atoi(strings.TrimSpace(to))
		}
		if err := errors.Join(err1, err2); err != nil || a < 100 || b > 599 || a > b {
			return nil, pipelined.Problemf("rest/success", "Not a list of statuses", 500, "success takes statuses and ranges such as 200-299,404; this is %q", s)
		}
		out = append(out, statusRange{a, b})
	}
	return out, nil
}

var usual = []statusRange{{200, 299}}
