package function

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"html"
	"strings"

	"pipelined/internal/value"
)

func escapeText(args ...any) (any, error) {
	s, err := texts(args, 2)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(s[1]) {
	case "json":
		q := string(value.Quote(s[0]))
		return q[1 : len(q)-1], nil
	case "html":
		return html.EscapeString(s[0]), nil
	case "xml":
		var b strings.Builder
		err := xml.EscapeText(&b, []byte(s[0]))
		return b.String(), err
	case "csv":
		var b strings.Builder
		w := csv.NewWriter(&b)
		if err := w.Write([]string{s[0]}); err != nil {
			return nil, err
		}
		w.Flush()
		return strings.TrimSuffix(b.String(), "\n"), nil
	}
	return nil, errKind
}

var errKind = errors.New("the kind is one of json, xml, html, csv")

func unescapeText(args ...any) (any, error) {
	s, err := texts(args, 2)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(s[1]) {
	case "json":
		raw, err := value.ParseString(`"` + s[0] + `"`)
		if err != nil {
			return nil, errors.New("the text is not escaped as JSON")
		}
		return value.Scalar(raw), nil
	case "html", "xml":
		return html.UnescapeString(s[0]), nil
	case "csv":
		record, err := csv.NewReader(strings.NewReader(s[0])).Read()
		if err != nil || len(record) != 1 {
			return nil, errors.New("the text is not one CSV cell")
		}
		return record[0], nil
	}
	return nil, errKind
}
