package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"pipelined/connectors"
)

// client is the opened connection: one pool, shared by every step that names it.
type client struct {
	connection
	base      *url.URL // nil without a connection
	transport *http.Transport

	mu    sync.Mutex
	token *oauth2.Token
	oauth *clientcredentials.Config
}

func newClient(_ context.Context, c connection, env connectors.Env) (*client, error) {
	k := &client{connection: c}
	if k.Timeout == 0 {
		k.Timeout = 30 * time.Second
	}
	if k.MaxConnections == 0 {
		k.MaxConnections = 64
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, fmt.Errorf("base_url must be an http or https URL, such as https://crm.example")
		}
		k.base = u
	}
	if err := k.checkAuth(); err != nil {
		return nil, err
	}
	tlsConfig, err := c.TLS.config(env.Dir)
	if err != nil {
		return nil, err
	}
	k.transport = &http.Transport{
		TLSClientConfig:     tlsConfig,
		MaxConnsPerHost:     k.MaxConnections,
		MaxIdleConns:        k.MaxConnections,
		MaxIdleConnsPerHost: k.MaxConnections,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		DisableCompression:  false,
	}
	if c.Proxy != "" {
		proxy, err := url.Parse(c.Proxy)
		if err != nil {
			return nil, errors.New("proxy must be a URL")
		}
		k.transport.Proxy = http.ProxyURL(proxy)
	}
	return k, nil
}

// checkAuth makes sure that one way of authenticating is given, and prepares it.
func (k *client) checkAuth() error {
	a := k.Auth
	if a == nil {
		return nil
	}
	given := 0
	for _, is := range []bool{a.Basic != nil, !a.Bearer.IsZero(), a.APIKey != nil, a.OAuth2 != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("auth takes exactly one of basic, bearer, api_key, oauth2")
	}
	if a.APIKey != nil && (a.APIKey.Header == "") == (a.APIKey.Query == "") {
		return errors.New("auth.api_key takes either header or query")
	}
	if o := a.OAuth2; o != nil {
		k.oauth = &clientcredentials.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(),
			TokenURL: o.TokenURL, Scopes: o.Scopes}
	}
	return nil
}

// config reads the certificates; files are below the project folder.
func (t *tlsSettings) config(dir string) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	at := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(at(t.CAFile))
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file %s holds no certificate", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("tls.cert_file and tls.key_file go together")
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(at(t.CertFile), at(t.KeyFile))
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// authorize adds the credentials to a request. fresh asks for a new token.
func (k *client) authorize(ctx context.Context, r *http.Request, fresh bool) error {
	a := k.Auth
	switch {
	case a == nil:
	case a.Basic != nil:
		r.SetBasicAuth(a.Basic.Username, a.Basic.Password.Reveal())
	case a.APIKey != nil && a.APIKey.Header != "":
		r.Header.Set(a.APIKey.Header, a.APIKey.Value.Reveal())
	case a.APIKey != nil:
		q := r.URL.Query()
		q.Set(a.APIKey.Query, a.APIKey.Value.Reveal())
		r.URL.RawQuery = q.Encode()
	case a.OAuth2 != nil:
		t, err := k.oauthToken(ctx, fresh)
		if err != nil {
			return err
		}
		t.SetAuthHeader(r)
	default:
		r.Header.Set("Authorization", "Bearer "+a.Bearer.Reveal())
	}
	return nil
}

// oauthToken returns the kept token, or a new one.
func (k *client) oauthToken(ctx context.Context, fresh bool) (*oauth2.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !fresh && k.token.Valid() {
		return k.token, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: k.transport, Timeout: k.Timeout})
	t, err := k.oauth.Token(ctx)
	if err != nil {
		return nil, tokenProblem(err)
	}
	k.token = t
	return t, nil
}

// Close closes idle connections.
func (k *client) Close() error {
	k.transport.CloseIdleConnections()
	return nil
}
