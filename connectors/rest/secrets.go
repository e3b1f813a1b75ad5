package rest

import (
	"encoding/base64"
	"net/url"
	"strings"

	"pipelined/internal/value"
)

// secrets are the texts that must not leave through an error (I7), in every
// spelling a service could repeat them in.
type secrets struct{ replacer *strings.Replacer }

// minSecret keeps a password of two letters from taking every message apart.
const minSecret = 4

func newSecrets(c connection, base *url.URL) secrets {
	var texts []string
	if c.Auth != nil {
		texts = append(texts, c.Auth.Bearer.Reveal())
		if b := c.Auth.Basic; b != nil {
			pair := b.Username + ":" + b.Password.Reveal()
			texts = append(texts, base64.StdEncoding.EncodeToString([]byte(pair)), b.Password.Reveal())
		}
		if a := c.Auth.APIKey; a != nil {
			texts = append(texts, a.Value.Reveal())
		}
		if o := c.Auth.OAuth2; o != nil {
			texts = append(texts, o.ClientSecret.Reveal())
		}
	}
	texts = append(texts, c.Proxy.Reveal())
	if base != nil && base.User != nil {
		password, _ := base.User.Password()
		texts = append(texts, password)
	}
	var pairs []string
	for _, t := range texts {
		if len(t) < minSecret {
			continue
		}
		quoted := strings.Trim(string(value.Quote(t)), `"`)
		for _, spelling := range []string{t, quoted, url.QueryEscape(t), url.PathEscape(t)} {
			pairs = append(pairs, spelling, "***")
		}
	}
	return secrets{strings.NewReplacer(pairs...)}
}

func (s secrets) replace(text string) string { return s.replacer.Replace(text) }

// redact replaces in a document, which stays one.
func (s secrets) redact(doc value.Raw) []byte {
	out := s.replace(string(doc))
	if raw, err := value.ParseString(out); err == nil {
		return []byte(raw)
	}
	return nil // the secret was part of the document's structure
}
