package rest

import (
	"bytes"
	"encoding/base64"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"

	"pipelined/internal/value"
)

// payload is a request's body and its content type.
type payload struct {
	body        []byte
	contentType string
}

func newPayload(p params) (payload, error) {
	switch {
	case p.Body != nil:
		raw, err := value.JSON(p.Body)
		if err != nil {
			return payload{}, badRequest("body: " + err.Error())
		}
		return payload{[]byte(raw), "application/json"}, nil
	case p.Form != nil:
		q := url.Values{}
		if err := fillValues(q, p.Form); err != nil {
			return payload{}, badRequest("form: " + err.Error())
		}
		return payload{[]byte(q.Encode()), "application/x-www-form-urlencoded"}, nil
	case p.Text != "":
		return payload{[]byte(p.Text), "text/plain; charset=utf-8"}, nil
	case p.Binary != nil:
		b, err := bytesOf(p.Binary)
		return payload{b, "application/octet-stream"}, err
	case p.Multipart != nil:
		return multipartPayload(p.Multipart)
	}
	return payload{}, nil
}

// bytesOf takes bytes, or their base64 text.
func bytesOf(v any) ([]byte, error) {
	switch b := value.Scalar(v).(type) {
	case []byte:
		return b, nil
	case string:
		if raw, err := base64.StdEncoding.DecodeString(b); err == nil {
			return raw, nil
		}
	}
	return nil, badRequest("binary takes bytes or their base64 text")
}

func multipartPayload(parts []part) (payload, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		content := []byte(p.Text)
		if p.Binary != nil {
			var err error
			if content, err = bytesOf(p.Binary); err != nil {
				return payload{}, err
			}
		}
		pw, err := w.CreatePart(p.header())
		if err != nil {
			return payload{}, err
		}
		if _, err := pw.Write(content); err != nil {
			return payload{}, err
		}
	}
	if err := w.Close(); err != nil {
		return payload{}, err
	}
	return payload{b.Bytes(), w.FormDataContentType()}, nil
}

func (p part) header() textproto.MIMEHeader {
	h := textproto.MIMEHeader{}
	disposition := `form-data; name="` + quoted(p.Name) + `"`
	contentType := p.ContentType
	if p.Filename != "" {
		disposition += `; filename="` + quoted(p.Filename) + `"`
	}
	if contentType == "" && p.Binary != nil {
		contentType = "application/octet-stream"
	}
	h.Set("Content-Disposition", disposition)
	if contentType != "" {
		h.Set("Content-Type", headerText(contentType))
	}
	return h
}

// quoted escapes as browsers do: a name cannot end its own quotes or its line.
func quoted(s string) string {
	return strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(s)
}

// headerText keeps a text from beginning a header of its own.
func headerText(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}
