package csv

// Number is how a cell becomes a number.
func Number(cell string) (string, error) { return number(cell) }

// ParseParams and FormatParams are parameters as the decoder makes them.
func ParseParams(text string, header, skip bool) any {
	p := &parseParams{Text: text, Options: Options{Header: header}, OnBadRow: "fail", MaxRows: 1000}
	p.Types = map[string]columnType{"n": {read: number}}
	if !header {
		p.Types = nil
	}
	if skip {
		p.OnBadRow = "skip"
	}
	return p
}

func FormatParams(rows any) any { return &formatParams{Rows: rows, Header: true} }
