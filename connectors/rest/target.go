package rest

import (
	"net/url"
	"strings"

	"pipelined"
	"pipelined/internal/value"
)

// badRequest is a request that cannot be sent as it is; a later try is the same.
func badRequest(detail string) *pipelined.Problem {
	return pipelined.NewProblem("rest/request", "The request cannot be made", 500, detail)
}

// target is where the request goes. A path cannot lead out of base_url.
func (k *client) target(p params) (*url.URL, error) {
	switch {
	case p.URL != "" && k.base != nil: // I7: lint refuses it; credentials must not depend on that
		return nil, badRequest("url and connection exclude each other: with a connection, give a path below its base_url")
	case p.URL == "" && k.base == nil:
		return nil, badRequest("give a connection and a path, or an absolute url")
	}
	u := k.base
	if p.URL != "" {
		parsed, err := url.Parse(p.URL)
		if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" {
			return nil, badRequest("url must begin with http:// or https:// and name a host")
		}
		u = parsed
	}
	joined, err := below(u, p.Path)
	if err != nil {
		return nil, err
	}
	if len(p.Query) > 0 {
		q := url.Values{}
		if err := fillValues(q, p.Query); err != nil {
			return nil, badRequest("query: " + err.Error())
		}
		joined.RawQuery = joinQuery(joined.RawQuery, q.Encode())
	}
	return joined, nil
}

// below returns base with a path put behind its own. What is escaped in the path
// stays escaped, and empty segments stay empty: a service may tell them apart.
func below(base *url.URL, path string) (*url.URL, error) {
	u := *base
	path, query, _ := strings.Cut(path, "?")
	if strings.Contains(path, "#") || strings.Contains(query, "#") {
		return nil, badRequest("a path cannot have # in it; put urlEncode() around what comes from data")
	}
	if path != "" {
		escaped, err := escapePath(path)
		if err != nil {
			return nil, err
		}
		raw := strings.TrimRight(u.EscapedPath(), "/") + "/" + strings.TrimPrefix(escaped, "/")
		if u.Path, err = url.PathUnescape(raw); err != nil {
			return nil, badRequest("the path cannot be read")
		}
		u.RawPath = raw
	}
	u.RawQuery = joinQuery(escape(u.RawQuery, isQueryByte), escape(query, isQueryByte))
	u.Fragment, u.RawFragment = "", ""
	return &u, nil
}

// escapePath escapes what cannot stand in a path. It refuses dot segments, in any
// spelling: they would lead somewhere else than the author wrote.
func escapePath(path string) (string, error) {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return "", badRequest("a % in a path begins an escape such as %20; put urlEncode() around what comes from data")
		}
		if plain == "." || plain == ".." {
			return "", badRequest("a path cannot have . or .. as a segment")
		}
		segments[i] = escape(s, isPathByte)
	}
	return strings.Join(segments, "/"), nil
}

func joinQuery(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// escape escapes the bytes that may not stand where they are; what is an escape
// already stays.
func escape(s string, allowed func(byte) bool) string {
	i := 0
	for i < len(s) && allowed(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; allowed(c) || c == '%' && isEscape(s[i:]) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

func isEscape(s string) bool {
	return len(s) > 2 && strings.IndexByte(hexDigits, s[1]) >= 0 && strings.IndexByte(hexDigits, s[2]) >= 0
}

const hexDigits = "0123456789ABCDEFabcdef"

func isPathByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}

func isQueryByte(c byte) bool { return isPathByte(c) || c == '/' || c == '?' }

// fillValues adds parameters; a list repeats, null leaves out.
func fillValues(q url.Values, from map[string]any) error {
	for name, v := range from {
		list, isList := value.Open(v).([]any)
		if !isList {
			list = []any{v}
		}
		for _, e := range list {
			if value.Scalar(e) == nil {
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
