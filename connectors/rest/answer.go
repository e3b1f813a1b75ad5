package rest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"pipelined"
	"pipelined/internal/value"
)

// defaultMaxResponse is for clients used without the decoder's defaults.
const defaultMaxResponse = 10 << 20

// answer reads the response into the step's result.
func (k *client) answer(ctx context.Context, resp *http.Response, r request) (any, error) {
	if !r.Success.contain(resp.StatusCode) {
		return nil, k.statusProblem(resp, r)
	}
	result := map[string]any{"status": resp.StatusCode, "headers": headerValue(resp.Header), "body": nil}
	if r.Response == "none" {
		return result, nil
	}
	limit := int64(r.MaxResponse)
	if limit <= 0 {
		limit = defaultMaxResponse
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, k.failure(ctx, err, r)
	}
	if int64(len(text)) > limit {
		return nil, pipelined.Problemf("rest/too-large", "The answer is too large", 502,
			"%s answered more than %d bytes; raise max_response", r.shown(), limit)
	}
	body, err := decode(text, resp.Header.Get("Content-Type"), r.Response)
	if err != nil {
		return nil, pipelined.Problemf("rest/body", "The answer is not what it should be", 502, "%s: %v", r.shown(), err)
	}
	result["body"] = body
	return result, nil
}

// decode reads a body as asked.
func decode(text []byte, contentType, as string) (any, error) {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, parameters = "", nil
	}
	if as == "auto" || as == "" {
		as = kindOf(media, text)
	}
	switch {
	case as == "binary":
		return text, nil
	case as == "text":
		return decodeText(text, parameters["charset"])
	case len(bytes.TrimSpace(text)) == 0:
		return nil, nil
	}
	raw, err := value.Parse(bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	return raw, nil
}

// kindOf goes by the content type, and by the text only where there is none.
func kindOf(media string, text []byte) string {
	switch {
	case len(text) == 0, media == "application/json", strings.HasSuffix(media, "+json"):
		return "json"
	case strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "/xml"), strings.HasSuffix(media, "+xml"),
		media == "application/x-www-form-urlencoded", media == "" && utf8.Valid(text):
		return "text"
	}
	return "binary"
}

func decodeText(text []byte, charset string) (any, error) {
	if charset == "" || strings.EqualFold(charset, "utf-8") {
		return string(text), nil
	}
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return nil, fmt.Errorf("the charset of the body is not known; `response: binary` gives the bytes")
	}
	plain, err := enc.NewDecoder().Bytes(text)
	return string(plain), err
}

// headerValue has lower-case names; a header that came more than once is a list.
func headerValue(h http.Header, without ...string) map[string]any {
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
	for _, name := range without {
		delete(m, name)
	}
	return m
}
