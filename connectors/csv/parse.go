package csv

import (
	"context"
	"errors"
	"io"
	"strings"

	"pipelined"
	"pipelined/internal/value"
)

const (
	// maxSkipped is how many skipped rows are told one by one.
	maxSkipped = 100
	// maxGrowth bounds how much larger than the text its rows may be.
	maxGrowth = 16
)

func problem(format string, args ...any) *pipelined.Problem {
	return pipelined.Problemf("csv/parse", "Not the CSV that was expected", 422, format, args...)
}

// parser turns rows into one JSON list.
type parser struct {
	*Reader
	parseParams
	out     []byte
	count   int
	skipped []any
	bad     int
}

func (*client) parse(ctx context.Context, p parseParams) (any, error) {
	r := NewReader(strings.NewReader(strings.TrimPrefix(p.Text, "\ufeff")), p.Options)
	ps := &parser{parseParams: p, Reader: r, out: []byte{'['}, skipped: []any{}}
	for i := 0; ; i++ {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		err := ps.row()
		if errors.Is(err, io.EOF) {
			break
		}
		if err = ps.forgiven(err); err != nil {
			return nil, err
		}
	}
	rows := value.Raw(append(ps.out, ']'))
	return map[string]any{"rows": rows, "count": ps.count, "skipped": ps.skipped, "skipped_count": ps.bad}, nil
}

// forgiven counts a bad row that may be skipped; any other error stays one.
func (p *parser) forgiven(err error) error {
	var bad BadRow
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad):
		return err
	case p.OnBadRow != "skip":
		return problem("%v", bad)
	}
	if p.bad++; p.bad <= maxSkipped {
		p.skipped = append(p.skipped, map[string]any{"line": bad.Line, "reason": bad.Reason})
	}
	return nil
}

// row reads one row and appends it; one that fails leaves nothing behind.
func (p *parser) row() error {
	mark := len(p.out)
	if p.count > 0 {
		p.out = append(p.out, ',')
	}
	out, err := p.Append(p.out)
	if err != nil {
		p.out = p.out[:mark]
		return err
	}
	if p.count >= p.MaxRows {
		return problem("there are more than max_rows (%d) rows", p.MaxRows)
	}
	p.out = out
	p.count++
	if len(p.out) > 1<<20+maxGrowth*len(p.Text) {
		return problem("the rows are more than %d times as large as the text; give shorter names with `columns`", maxGrowth)
	}
	return nil
}
