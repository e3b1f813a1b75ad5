package edge

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"pipelined"
	"pipelined/internal/schema"
	"pipelined/internal/value"
)

const (
	invalidTitle = "The request is not what the route takes"

	// typeIncomplete is a body that ended, or stopped coming, before it was whole.
	typeIncomplete = "request/incomplete"

	// firstChunk is how much memory a request gets for its word alone; a longer
	// body gets more as it comes.
	firstChunk = 1 << 20
	// maxParts bounds the fields of a multipart form.
	maxParts = 1000
)

// refusal is a problem with the schema's findings.
type refusal struct {
	*pipelined.Problem
	violations []schema.Violation
}

func refuse(typ, title string, status int, detail string) *refusal {
	return &refusal{Problem: pipelined.NewProblem(typ, title, status, detail)}
}

func invalid(detail string) *refusal {
	return refuse(pipelined.TypeInput, invalidTitle, http.StatusBadRequest, detail)
}

func unsupported(detail string) *refusal {
	return refuse(pipelined.TypeMediaType, "The body is of a type the route does not take", http.StatusUnsupportedMediaType, detail)
}

// input reads and checks a body and returns it as a value.
func (e *endpoint) input(r *http.Request) (any, *refusal) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, e.empty()
	}
	if r.ContentLength > e.maxBody {
		return nil, e.tooLarge()
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, unsupported("send the body without a Content-Encoding")
	}
	kind, bad := e.kindOf(r.Header)
	if bad != nil {
		return nil, bad
	}
	b, bad := e.read(r)
	if bad != nil {
		return nil, bad
	}
	if len(b) == 0 {
		return nil, e.empty()
	}
	return e.decode(kind, b)
}

func (e *endpoint) empty() *refusal {
	if e.required {
		return invalid("the body is empty")
	}
	return nil
}

func (e *endpoint) tooLarge() *refusal {
	return &refusal{Problem: pipelined.Problemf(pipelined.TypeTooLarge, "The body is too large", http.StatusRequestEntityTooLarge,
		"the limit is %d bytes", e.maxBody)}
}

// read takes the whole body into one buffer of the announced size, so that
// nothing is copied or grown for an honest request.
func (e *endpoint) read(r *http.Request) ([]byte, *refusal) {
	if n := r.ContentLength; n > 0 && n <= firstChunk {
		b := make([]byte, n)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, e.unread(err)
		}
		return b, nil
	}
	// One byte more than allowed tells a body that is too large from one that is not.
	b, err := io.ReadAll(io.LimitReader(r.Body, e.maxBody+1))
	switch {
	case err != nil:
		return nil, e.unread(err)
	case int64(len(b)) > e.maxBody:
		return nil, e.tooLarge()
	}
	return b, nil
}

func (e *endpoint) unread(err error) *refusal {
	if _, limited := errors.AsType[*http.MaxBytesError](err); limited {
		return e.tooLarge()
	}
	bad := refuse(typeIncomplete, "The body did not arrive", http.StatusBadRequest, "the body ended before it was complete")
	bad.Retriable = true
	return bad
}

// bodyKind is how a body is understood.
type bodyKind struct {
	form     int
	boundary string // of a multipart form
}

const (
	formJSON = iota
	formURLEncoded
	formMultipart
	formText
	formBytes
)

// kindOf decides by Content-Type. The common case parses and allocates nothing.
func (e *endpoint) kindOf(h http.Header) (bodyKind, *refusal) {
	list := h["Content-Type"]
	if len(list) == 0 || list[0] == "" || list[0] == "application/json" {
		return bodyKind{}, nil
	}
	typ, params, err := mime.ParseMediaType(list[0])
	if err != nil {
		return bodyKind{}, unsupported("the Content-Type cannot be read")
	}
	if typ == "application/json" || strings.HasSuffix(typ, "+json") {
		return bodyKind{}, nil
	}
	if e.schema != nil {
		return bodyKind{}, unsupported("send application/json")
	}
	switch {
	case typ == "application/x-www-form-urlencoded":
		return bodyKind{form: formURLEncoded}, nil
	case typ == "multipart/form-data" && params["boundary"] != "":
		return bodyKind{form: formMultipart, boundary: params["boundary"]}, nil
	case strings.HasPrefix(typ, "text/") || typ == "application/xml" || strings.HasSuffix(typ, "+xml") || typ == "application/yaml":
		if c := strings.ToLower(params["charset"]); c != "" && c != "utf-8" && c != "us-ascii" {
			return bodyKind{}, unsupported("send text as UTF-8")
		}
		return bodyKind{form: formText}, nil
	}
	return bodyKind{form: formBytes}, nil
}

func (e *endpoint) decode(kind bodyKind, b []byte) (any, *refusal) {
	switch kind.form {
	case formJSON:
		return e.json(b)
	case formURLEncoded:
		values, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, invalid("the form cannot be read")
		}
		return listed(values), nil
	case formMultipart:
		return parts(multipart.NewReader(bytes.NewReader(b), kind.boundary))
	case formText:
		if !utf8.Valid(b) {
			return nil, invalid("the text is not UTF-8")
		}
		return string(b), nil
	}
	return b, nil
}

// json checks the bytes once and keeps them as they are (I9).
func (e *endpoint) json(b []byte) (any, *refusal) {
	doc, err := value.Parse(b)
	if err != nil {
		return nil, invalid("the body is not valid JSON: " + err.Error())
	}
	if e.schema != nil {
		if violations := e.schema.Validate(doc); len(violations) > 0 {
			bad := invalid("the body does not fit the schema")
			bad.violations = violations
			return nil, bad
		}
	}
	return doc, nil
}

// parts reads a multipart form: a field is its text, a file is a map of filename,
// content_type and content; a name that occurs more than once is a list.
func parts(form *multipart.Reader) (any, *refusal) {
	out := map[string]any{}
	for range maxParts {
		part, err := form.NextPart()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, invalid("the form cannot be read")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, invalid("the form cannot be read")
		}
		var v any = string(content)
		if file := part.FileName(); file != "" {
			v = map[string]any{"filename": file, "content_type": part.Header.Get("Content-Type"), "content": content}
		} else if !utf8.Valid(content) {
			v = content
		}
		add(out, part.FormName(), v)
	}
	return nil, invalid("the form has too many fields")
}

func add(form map[string]any, name string, v any) {
	switch have := form[name].(type) {
	case nil:
		form[name] = v
	case []any:
		form[name] = append(have, v)
	default:
		form[name] = []any{have, v}
	}
}
