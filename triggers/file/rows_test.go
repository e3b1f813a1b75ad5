package file

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pipelined"
	"pipelined/connectors/csv"
)

// texts are files of many shapes, by the format they are read as.
var texts = map[string]func(r *rand.Rand) string{
	"text": func(r *rand.Rand) string { return lineBy(r, "a", "", "ä\tb", "\xff", "123456789012345", "x\r") },
	"json": func(r *rand.Rand) string {
		return lineBy(r, "1", "", ` {"a": 1}`, "{", "[2]", `"1234567890123"`, "\xff", "1 2", "\r")
	},
	"list": func(r *rand.Rand) string {
		s := "[" + strings.Repeat(" ", r.IntN(3))
		for i := range r.IntN(8) {
			if i > 0 {
				s += " ,\n"[r.IntN(2):]
			}
			s += pick(r, "1", `{"a": [1, 2]}`, "null ", `"1234567890123"`, "[]", "\"\\u00e4\"")
		}
		return s + pick(r, "]", " ]\n", "", ",]", "] 1", " 1]", "{]")
	},
	"csv": func(r *rand.Rand) string {
		return "n,s\n" + lineBy(r, "1,a", "", "2,\"b\nc\"", "3", "x,y", "4,\xff", `5,"6""7"`, `8,"a"b`, "9,123456789012345", "10,x\r")
	},
}

func lineBy(r *rand.Rand, lines ...string) string {
	s := pick(r, "", "\ufeff")
	for range r.IntN(9) {
		s += pick(r, lines...) + "\n"
	}
	return s + pick(r, "", lines[0])
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// TestRowsGoOnAnywhere: whoever begins behind any row reads the rows after it as they are
// read from the beginning, with the same bytes, lines and troubles.
func TestRowsGoOnAnywhere(t *testing.T) {
	t.Parallel()
	for kind, text := range texts {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rows, ends := 0, map[string]int{}
			for seed := range uint64(600) {
				s := text(rand.New(rand.NewPCG(seed, 1)))
				if kind != "csv" && kind != "text" && strings.HasPrefix(strings.TrimLeft(s, " \n\r\t\ufeff"), "[") != (kind == "list") {
					continue
				}
				f, file := opened(t, kind, s, seed)
				all, cursors, why := readAll(t, f, file, cursor{})
				for k, c := range cursors {
					rest, _, again := readAll(t, f, file, c)
					if why != again || len(rest) != len(all)-k-1 {
						t.Fatalf("%q: behind row %d of %d there are %d rows and then %q, not %q", s, k+1, len(all), len(rest), again, why)
					}
					for i := range rest {
						if !reflect.DeepEqual(rest[i], all[k+1+i]) {
							t.Fatalf("%q: behind row %d row %d is %+v, not %+v", s, k+1, k+2+i, rest[i], all[k+1+i])
						}
					}
				}
				whole(t, s, all)
				rows += len(all)
				ends[why]++
				file.Close()
			}
			if rows < 500 {
				t.Errorf("only %d rows", rows)
			}
			t.Log(rows, ends)
		})
	}
}

// whole holds the bytes of rows to the text: they follow one another, and leave nothing
// but space between.
func whole(t *testing.T, s string, rows []row) {
	t.Helper()
	at := int64(0)
	for i, one := range rows {
		if one.from < at || one.to <= one.from || one.to > int64(len(s)) {
			t.Fatalf("%q: row %d has the bytes %d to %d, behind %d", s, i+1, one.from, one.to, at)
		}
		at = one.to
	}
}

func opened(t *testing.T, kind, text string, seed uint64) (*folder, *os.File) {
	t.Helper()
	at := filepath.Join(t.TempDir(), fmt.Sprint(seed))
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	p := &params{Format: kind, MaxSize: 12, CSV: &csv.Options{Header: true}}
	if kind == "list" {
		p.Format = "json"
	}
	return &folder{params: p}, file
}

// readAll reads on from a cursor: the rows, the cursors behind each of them, and why
// there are no more.
func readAll(t *testing.T, f *folder, file *os.File, c cursor) (rows []row, cursors []cursor, why string) {
	t.Helper()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	c.stamp = stampOf(info)
	r, err := f.open(file, &c)
	for err == nil {
		var one row
		if one, err = r.next(); err != nil {
			break
		}
		c.Row++
		c.At = one.to
		r.at(&c)
		rows, cursors = append(rows, one), append(cursors, c)
	}
	var p *pipelined.Problem
	if !errors.Is(err, io.EOF) && !errors.As(err, &p) {
		t.Fatal(err)
	}
	if p != nil {
		return rows, cursors, p.Type
	}
	return rows, cursors, "the end"
}
