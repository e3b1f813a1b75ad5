package rest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/clock"
)

// client is the opened connection: one pool, shared by every step that names it.
type client struct {
	connection
	base      *url.URL // nil without a connection
	transport *http.Transport
	clock     pipelined.Clock
	secrets   secrets
	oauth     *clientcredentials.Config // nil without oauth2
	tokens    tokens
}

// newClient checks what can be checked without dialling.
func newClient(c connection, env connectors.Env) (*client, error) {
	k := &client{connection: c, clock: env.Clock}
	if k.clock == nil {
		k.clock = clock.Real()
	}
	if k.Timeout <= 0 {
		k.Timeout = 30 * time.Second
	}
	if k.MaxConnections <= 0 {
		k.MaxConnections = 64
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
			return nil, errors.New("base_url must be an http or https URL, such as https://crm.example")
		}
		k.base = u
	}
	if err := k.checkAuth(); err != nil {
		return nil, err
	}
	if err := k.newTransport(env.Dir); err != nil {
		return nil, err
	}
	k.secrets = newSecrets(c, k.base)
	// A redirect of the token service would carry the client's secret elsewhere.
	k.tokens = newTokens(&http.Client{Transport: k.transport, Timeout: k.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, k.clock)
	return k, nil
}

func (k *client) newTransport(dir string) error {
	tlsConfig, err := k.TLS.config(dir)
	if err != nil {
		return err
	}
	k.transport = &http.Transport{
		TLSClientConfig:     tlsConfig,
		MaxConnsPerHost:     k.MaxConnections,
		MaxIdleConns:        k.MaxConnections,
		MaxIdleConnsPerHost: k.MaxConnections,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	if k.Proxy.IsZero() {
		return nil
	}
	proxy, err := url.Parse(k.Proxy.Reveal())
	if err != nil || proxy.Host == "" {
		return errors.New("proxy must be a URL, such as http://proxy.example:3128")
	}
	k.transport.Proxy = http.ProxyURL(proxy)
	return nil
}

// checkAuth prepares the way of authenticating. Lint knows that there is one, and
// not whether the environment leaves it empty.
func (k *client) checkAuth() error {
	a := k.Auth
	if a == nil {
		return nil
	}
	if a.Basic == nil && a.Bearer.IsZero() && a.APIKey == nil && a.OAuth2 == nil {
		return errors.New("auth.bearer is empty")
	}
	if a.APIKey != nil && a.APIKey.Header == "" && a.APIKey.Query == "" {
		return errors.New("auth.api_key: header or query is empty")
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

// authorize adds the credentials to a request.
func (k *client) authorize(r *http.Request, token *oauth2.Token) {
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
	case token != nil:
		token.SetAuthHeader(r)
	case !a.Bearer.IsZero():
		r.Header.Set("Authorization", "Bearer "+a.Bearer.Reveal())
	}
}

// Close closes idle connections.
func (k *client) Close() error {
	k.transport.CloseIdleConnections()
	return nil
}
