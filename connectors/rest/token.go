package rest

import (
	"context"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"pipelined"
)

// tokens keeps the access token of a connection. Its slot is a lock that a waiting
// call can leave when its context ends, unlike a mutex.
type tokens struct {
	slot  chan *oauth2.Token
	http  *http.Client
	clock pipelined.Clock
}

func newTokens(h *http.Client, c pipelined.Clock) tokens {
	t := tokens{slot: make(chan *oauth2.Token, 1), http: h, clock: c}
	t.slot <- nil
	return t
}

// get returns the kept token, or a new one where it has run out or is the one that
// was refused. Many calls refused at once ask for one new token together.
func (t tokens) get(ctx context.Context, c *clientcredentials.Config, refused *oauth2.Token) (*oauth2.Token, error) {
	var kept *oauth2.Token
	select {
	case kept = <-t.slot:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if kept.Valid() && (refused == nil || kept.AccessToken != refused.AccessToken) {
		t.slot <- kept
		return kept, nil
	}
	fresh, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err != nil {
		t.slot <- nil
		return nil, tokenProblem(ctx, err, t.clock.Now())
	}
	t.slot <- fresh
	return fresh, nil
}
