package csv_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pipelined/connectors"
	"pipelined/connectors/connectortest"
	"pipelined/connectors/csv"
	"pipelined/internal/value"
)

const text = "text: \"${{ input }}\"\n"

func TestParse(t *testing.T) {
	t.Parallel()
	cases := []connectortest.Case{
		{Name: "cells are texts and nothing is guessed", Params: text, Input: "id,zip,price\n1,01234,1.10\n",
			Want: `{"rows": [{"id": "1", "zip": "01234", "price": "1.10"}], "count": 1, "skipped": [], "skipped_count": 0}`},
		{Name: "types make numbers, exact to the digit", Params: text + "types: { a: integer, b: number, c: boolean, d: text }\n",
			Input: "a,b,c,d\n+007,-.50,Yes,\n9007199254740993,1.10e3,0, x\n",
			Want:  `{"rows": [{"a": 7, "b": -0.50, "c": true, "d": ""}, {"a": 9007199254740993, "b": 1.10e3, "c": false, "d": " x"}]}`},
		{Name: "an empty typed cell is null", Params: text + "types: { a: integer }\n", Input: "a,b\n,\n", Want: `{"rows": [{"a": null, "b": ""}]}`},
		{Name: "a byte order mark and CR LF are no part of the data", Params: text, Input: "\ufeffa,b\r\n1,2\r\n", Want: `{"rows": [{"a": "1", "b": "2"}]}`},
		{Name: "quotes hold delimiters, quotes and lines", Params: text, Input: "a,b\n\"x,\"\"y\"\"\",\"1\n2\"\n", Want: `{"rows": [{"a": "x,\"y\"", "b": "1\n2"}]}`},
		{Name: "another delimiter", Params: text + "delimiter: \";\"\n", Input: "a;b\n1,5;2\n", Want: `{"rows": [{"a": "1,5", "b": "2"}]}`},
		{Name: "a tab as delimiter", Params: text + "delimiter: \\t\n", Input: "a\tb\n1\t2\n", Want: `{"rows": [{"a": "1", "b": "2"}]}`},
		{Name: "without a header rows are lists", Params: text + "header: false\n", Input: "1,2\n3\n", Want: `{"rows": [["1", "2"], ["3"]], "count": 2}`},
		{Name: "columns name what has no header", Params: text + "header: false\ncolumns: [x, y]\n", Input: "1,2\n", Want: `{"rows": [{"x": "1", "y": "2"}]}`},
		{Name: "columns replace a header", Params: text + "columns: [x, y]\n", Input: "a,a\n1,2\n", Want: `{"rows": [{"x": "1", "y": "2"}], "count": 1}`},
		{Name: "trim takes spaces away", Params: text + "trim: true\n", Input: "a , b\n 1 , \"2 \"\n", Want: `{"rows": [{"a": "1", "b": "2"}]}`},
		{Name: "nothing gives no rows", Params: text, Input: "", Want: `{"rows": [], "count": 0}`},
		{Name: "lazy quotes let quotes be", Params: text + "quotes: lazy\n", Input: "a\n5\" pipe\n", Want: `{"rows": [{"a": "5\" pipe"}]}`},

		{Name: "a quote where none may be is told by line and column", Params: text, Input: "a\n5\" pipe\n", Problem: "csv/parse", Status: 422, Detail: "line 2: column 2"},
		{Name: "too few cells fail", Params: text, Input: "a,b\n1,2\n3\n", Problem: "csv/parse", Detail: "line 3: 1 cells, where there are 2 columns"},
		{Name: "a cell of another type fails without being repeated", Params: text + "types: { a: integer }\n", Input: "a\nsecret\n", Problem: "csv/parse", Detail: "line 2: column a is not a whole number"},
		{Name: "no number", Params: text + "types: { a: number }\n", Input: "a\n1,5\n", Problem: "csv/parse", Detail: "line 2"},
		{Name: "a number that is only a sign", Params: text + "types: { a: number }\n", Input: "a\n-\n", Problem: "csv/parse", Detail: "not a number"},
		{Name: "an exponent without digits", Params: text + "types: { a: number }\n", Input: "a\n1e\n", Problem: "csv/parse", Detail: "not a number"},
		{Name: "NaN is no number", Params: text + "types: { a: number }\n", Input: "a\nNaN\n", Problem: "csv/parse", Detail: "not a number"},
		{Name: "neither true nor false", Params: text + "types: { a: boolean }\n", Input: "a\nmaybe\n", Problem: "csv/parse", Detail: "neither true nor false"},
		{Name: "bad rows can be skipped, and are told", Params: text + "types: { a: integer }\non_bad_row: skip\n", Input: "a,b\n1,x\n2\nz,y\n3,\"q\"r\n4,w\n",
			Want: `{"rows": [{"a": 1, "b": "x"}, {"a": 4, "b": "w"}], "count": 2, "skipped_count": 3, "skipped": [{"line": 3}, {"line": 4}, {"line": 5}]}`},
		{Name: "a name given twice", Params: text, Input: "a,a\n", Problem: "csv/parse", Detail: `two columns are called "a"`},
		{Name: "a column without a name", Params: text, Input: "a,\n", Problem: "csv/parse", Detail: "column 2 has no name"},
		{Name: "a name of a whole page", Params: text, Input: strings.Repeat("x", 300) + "\n", Problem: "csv/parse", Detail: "is there a header?"},
		{Name: "a header that is broken", Params: text, Input: "a\"b\n", Problem: "csv/parse", Detail: "line 1"},
		{Name: "a type for a column that is not there", Params: text + "types: { b: integer }\n", Input: "a\n1\n", Problem: "csv/parse", Detail: `"b"`},
		{Name: "more rows than wanted", Params: text + "max_rows: 2\n", Input: "a\n1\n2\n3\n", Problem: "csv/parse", Detail: "max_rows (2)"},
		{Name: "rows far larger than their text", Params: text, Input: strings.Repeat("n", 250) + "\n" + strings.Repeat("1\n", 20000), Problem: "csv/parse", Detail: "times as large"},
	}
	for i := range cases {
		cases[i].Operation = "csv.parse"
	}
	connectortest.Run(t, csv.Connector, cases)
}

func TestFormat(t *testing.T) {
	t.Parallel()
	const rows = "rows: \"${{ input }}\"\n"
	cases := []connectortest.Case{
		{Name: "columns in the order asked for, numbers as they are", Params: rows + "columns: [b, a]\n", Input: value.Raw(`[{"a": 1.10, "b": "x,y", "c": 0}, {"a": null}]`),
			Want: `{"text": "b,a\n\"x,y\",1.10\n,\n", "count": 2}`},
		{Name: "without columns those of the first row, sorted", Params: rows, Input: value.Raw(`[{"b": true, "a": {"x": [1]}}]`),
			Want: `{"text": "a,b\n\"{\"\"x\"\": [1]}\",true\n"}`},
		{Name: "and a row with others is not cut in silence", Params: rows, Input: value.Raw(`[{"a": 1}, {"a": 1, "z": 2}]`), Problem: "csv/rows", Detail: "row 1 has a field"},
		{Name: "lists of cells", Params: rows, Input: value.Raw(`[[1, "a"], ["b"]]`), Want: `{"text": "1,a\nb\n"}`},
		{Name: "no rows are the header alone", Params: rows + "columns: [a, b]\n", Input: value.Raw(`[]`), Want: `{"text": "a,b\n", "count": 0}`},
		{Name: "without a header", Params: rows + "header: false\ndelimiter: \"|\"\ncrlf: true\n", Input: value.Raw(`[{"a": 1, "b": 2}]`), Want: `{"text": "1|2\r\n"}`},
		{Name: "formulas are disarmed and signs of numbers stay", Params: rows + "escape_formulas: true\n", Input: value.Raw(`[["=1+1", "-5", "+49 30", "@x", "plain", "", "-x"]]`),
			Want: `{"text": "'=1+1,-5,'+49 30,'@x,plain,,'-x\n"}`},
		{Name: "formulas stay where nobody asked", Params: rows, Input: value.Raw(`[["=1"]]`), Want: `{"text": "=1\n"}`},
		{Name: "what is no list", Params: rows, Input: "x", Problem: "csv/rows", Detail: "not a text"},
		{Name: "a row that is a number", Params: rows, Input: value.Raw(`[1]`), Problem: "csv/rows", Detail: "row 0"},
	}
	for i := range cases {
		cases[i].Operation = "csv.format"
	}
	connectortest.Run(t, csv.Connector, cases)
}

func TestFindings(t *testing.T) {
	t.Parallel()
	connectortest.Golden(t, csv.Connector, "testdata/findings.txt")
	if len(csv.Codes()) != 2 {
		t.Errorf("codes: %v", csv.Codes())
	}
}

// rows is a stream of n rows.
type rows struct{ n, closed int }

func (r *rows) Next(ctx context.Context) (any, bool, error) {
	if r.n--; r.n < 0 {
		return nil, false, ctx.Err()
	}
	return value.Raw(fmt.Sprintf(`{"n":%d}`, r.n)), true, nil
}

func (r *rows) Close() error { r.closed++; return nil }

func TestFormatConsumesAStream(t *testing.T) {
	t.Parallel()
	c, err := csv.Connector.Open(t.Context(), nil, connectors.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s := &rows{n: 2}
	got, err := csv.Connector.Operations[1].Call(t.Context(), c, csv.FormatParams(s))
	if err != nil {
		t.Fatal(err)
	}
	if text := got.(map[string]any)["text"]; text != "n\n1\n0\n" || s.closed != 1 {
		t.Errorf("text %q, closed %d times", text, s.closed)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2\n", "\ufeffa;b\r\n\"x\"\"\",\r\n", "a\n-.5e3\n", "a\n\"", "a,a\n", ",\n", "a\n\xff\n", "n\n+0\n"} {
		f.Add(s, true, false)
		f.Add(s, false, true)
	}
	c, err := csv.Connector.Open(f.Context(), nil, connectors.Env{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, header, skip bool) {
		got, err := csv.Connector.Operations[0].Call(t.Context(), c, csv.ParseParams(text, header, skip))
		if err != nil {
			return
		}
		m := got.(map[string]any)
		var list []any
		if err := json.Unmarshal([]byte(m["rows"].(value.Raw)), &list); err != nil {
			t.Fatalf("%q: the rows are not JSON: %v", text, err)
		}
		if len(list) != m["count"] {
			t.Fatalf("%q: %d rows, count %v", text, len(list), m["count"])
		}
	})
}

// Whatever a number cell becomes must be a JSON number.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "007", "+.5", "5.", "1e5", "1E+05", "1e", ".", "-", "1.2.3", "0x1", "１"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		text, err := csv.Number(cell)
		if err != nil {
			return
		}
		if text == "" || (text[0] != '-' && (text[0] < '0' || text[0] > '9')) || !json.Valid([]byte(text)) {
			t.Fatalf("%q became %q", cell, text)
		}
	})
}
