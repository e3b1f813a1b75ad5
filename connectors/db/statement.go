package db

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// Findings about statements.
var (
	CodeSQL          = diag.Code{ID: "E262", Title: "value inside an SQL text"}
	CodePlaceholders = diag.Code{ID: "E263", Title: "placeholders of several kinds"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code { return []diag.Code{CodeSQL, CodePlaceholders} }

// statement is an SQL text, prepared for each dialect: which one it will run on is
// known only together with its connection. It never carries ${{ }}: a value in the
// text could change what the statement does.
type statement struct {
	postgres, mysql, sqlite prepared
}

// prepared is a statement with a driver's own placeholders.
type prepared struct {
	text   string
	places []place // in the order the driver wants them
	style  style
	broken error // why this dialect cannot take the statement
}

// place is where an argument goes.
type place struct {
	name  string // of :name
	index int    // from 0, of ? and $1
}

// style is how an author writes placeholders.
type style int

const (
	none     style = iota
	named          // :name
	question       // ?
	numbered       // $1
)

var errMixed = errors.New("the statement has placeholders of several kinds")

// FieldType is what the reference calls it.
func (*statement) FieldType() string { return "SQL" }

// DecodeField takes a literal text.
func (s *statement) DecodeField(c *field.Context, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		c.Report(field.CodeWrongType, diag.Error, n, "sql takes a statement", "There would be nothing to run.",
			"write an SQL text, with `|` behind `sql:` for several lines")
		return
	}
	if expression.HasTemplate(n.Value) {
		c.Report(CodeSQL, diag.Error, n, "no ${{ }} inside SQL", "Whoever controls the value would control the database.",
			"write :name in the text, and `args: { name: \"${{ … }}\" }` below it")
		return
	}
	parsed, err := parse(n.Value)
	if err != nil {
		c.Report(CodePlaceholders, diag.Error, n, err.Error(), "Which argument goes where would be a guess.",
			"use one of :name, ? and $1; write ?? for a ? that is an operator")
		return
	}
	*s = parsed
}

// parse prepares a statement. It is an error only if no dialect can take it.
func parse(text string) (statement, error) {
	var s statement
	var errs []error
	for _, d := range []dialect{postgres, mysqlDialect, sqliteDialect} {
		p, err := prepare(text, d)
		if err != nil {
			errs = append(errs, err)
			p.broken = err
		}
		*s.of(d) = p
	}
	if len(errs) == 3 {
		return statement{}, errs[0]
	}
	return s, nil
}

func (s *statement) of(d dialect) *prepared {
	switch d {
	case postgres:
		return &s.postgres
	case mysqlDialect:
		return &s.mysql
	}
	return &s.sqlite
}

// dialect is whose rules for quotes and comments hold.
type dialect string

const (
	postgres      dialect = "postgres"
	mysqlDialect  dialect = "mysql"
	sqliteDialect dialect = "sqlite"
)

// prepare replaces the placeholders of a text: :name, ? and $1 outside of quotes
// and comments. ?? is a literal ?.
func prepare(text string, d dialect) (prepared, error) {
	s := scanner{text: text, dialect: d}
	for s.at < len(text) {
		if end := s.skipped(); end > s.at {
			s.at = end
			continue
		}
		if err := s.placeholder(); err != nil {
			return prepared{}, err
		}
	}
	s.out.WriteString(text[s.copied:])
	s.text = s.out.String()
	return prepared{text: s.text, places: s.places, style: s.style}, nil
}

// place puts the driver's placeholder where the author's stood.
func (s *scanner) place(end int, as style, p place) error {
	if s.style != none && s.style != as {
		return errMixed
	}
	s.style = as
	s.places = append(s.places, p)
	mark := "?"
	if s.dialect == postgres {
		mark = fmt.Sprintf("$%d", len(s.places))
	}
	s.replace(end, mark)
	return nil
}

func (s *scanner) replace(end int, with string) {
	s.out.WriteString(s.text[s.copied:s.at])
	s.out.WriteString(with)
	s.at, s.copied = end, end
}
