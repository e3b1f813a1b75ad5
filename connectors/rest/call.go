package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"pipelined/connectors"
)

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

// request is one call on its way.
type request struct {
	params
	target *url.URL
	payload
}

func (k *client) call(ctx context.Context, p params) (any, error) {
	target, err := k.target(p)
	if err != nil {
		return nil, err
	}
	body, err := newPayload(p)
	if err != nil {
		return nil, err
	}
	r := request{p, target, body}
	if r.Timeout <= 0 {
		r.Timeout = k.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	resp, err := k.authorized(ctx, r)
	if err != nil {
		return nil, k.failure(ctx, err, r)
	}
	defer resp.Body.Close()
	return k.answer(ctx, resp, r)
}

// authorized sends the request; where a token is refused, it may have been
// revoked, so once more with a new one.
func (k *client) authorized(ctx context.Context, r request) (*http.Response, error) {
	if k.oauth == nil {
		return k.send(ctx, r, nil)
	}
	token, err := k.tokens.get(ctx, k.oauth, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.send(ctx, r, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	resp.Body.Close()
	if token, err = k.tokens.get(ctx, k.oauth, token); err != nil {
		return nil, err
	}
	return k.send(ctx, r, token)
}

func (k *client) send(ctx context.Context, r request, token *oauth2.Token) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, "", body)
	if err != nil {
		return nil, badRequest("the method cannot be used")
	}
	u := *r.target // authorize may add to it
	req.URL, req.Host = &u, u.Host
	if err := k.setHeaders(ctx, req, r); err != nil {
		return nil, err
	}
	k.authorize(req, token)
	h := http.Client{Transport: k.transport, CheckRedirect: k.redirects(r.FollowRedirects)}
	return h.Do(req)
}

// setHeaders puts the step's headers over the connection's over our own.
func (k *client) setHeaders(ctx context.Context, req *http.Request, r request) error {
	req.Header.Set("User-Agent", "pipelined")
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if k.Idempotency && req.Method != http.MethodGet && req.Method != http.MethodHead && req.Method != http.MethodOptions {
		setHeader(req, "Idempotency-Key", connectors.CallOf(ctx).Idempotency)
	}
	setHeader(req, "Idempotency-Key", r.IdempotencyKey)
	for _, headers := range []map[string]string{k.Headers, r.Headers} {
		for name, text := range headers {
			if !isToken(name) || strings.ContainsFunc(text, isControl) {
				return badRequest(fmt.Sprintf("header %q: a name has no spaces, and a text no line ends", name))
			}
			setHeader(req, name, text)
		}
	}
	return nil
}

func setHeader(req *http.Request, name, text string) {
	if strings.EqualFold(name, "Host") {
		req.Host = text
	} else if text != "" {
		req.Header.Set(name, text)
	}
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	})
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

var errRedirects = errors.New("more than 10 redirects")

// redirects is the policy. Once a redirect has left the host, nothing goes along
// that was meant for it: no credentials and no headers but those that say what the
// body is. A host further on cannot get them back by redirecting again.
func (k *client) redirects(policy string) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		home := sameHost(via[0].URL, next.URL)
		if policy == "none" || policy != "all" && !home {
			return http.ErrUseLastResponse
		}
		if len(via) >= maxRedirects {
			return errRedirects
		}
		next.Header.Del("Referer") // it has the query, and keys may be in it
		for _, r := range via {
			home = home && sameHost(via[0].URL, r.URL)
		}
		if !home {
			for name := range next.Header {
				switch name {
				case "User-Agent", "Accept", "Content-Type", "Content-Length":
				default:
					next.Header.Del(name)
				}
			}
			return nil
		}
		if a := k.Auth; a != nil && a.APIKey != nil && a.APIKey.Query != "" {
			k.authorize(next, nil)
		}
		return nil
	}
}

// sameHost compares host and port; going from http to https is staying.
func sameHost(from, to *url.URL) bool {
	if from.Hostname() != to.Hostname() {
		return false
	}
	if from.Scheme == "http" && to.Scheme == "https" && from.Port() == "" && to.Port() == "" {
		return true
	}
	return from.Scheme == to.Scheme && port(from) == port(to)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}
