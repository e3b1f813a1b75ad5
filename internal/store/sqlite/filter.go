package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// filters are the conditions of running searches that no index helps with. The
// statement of such a search calls a function for every document it looks at, which
// reads the body where it is, and no further than to the fields in question.
// json_extract would take the whole document apart, at four times the price.
type filters struct {
	driver *sqlite.Driver // opens connections that know the function
	last   atomic.Int64
	lists  sync.Map // number to []store.Matcher
}

// passes is the name of the function: passes(number, body).
const passes = "passes"

func newFilters() (*filters, error) {
	f := &filters{driver: &sqlite.Driver{}}
	err := f.driver.RegisterFunction(passes, &sqlite.FunctionImpl{NArgs: 2, Deterministic: true, Scalar: f.passes,
		VolatileArgs: true}) // the body is SQLite's: nothing of it may be kept
	if err != nil {
		return nil, fmt.Errorf("register the function %s: %w", passes, err)
	}
	return f, nil
}

// add gives a list of conditions a number, under which it is known until done is
// called.
func (f *filters) add(list []store.Matcher) (number int64, done func()) {
	number = f.last.Add(1)
	f.lists.Store(number, list)
	return number, func() { f.lists.Delete(number) }
}

func (f *filters) passes(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	list, known := f.lists.Load(args[0])
	body, text := args[1].(string)
	if !known || !text {
		return nil, fmt.Errorf("%s(%v, %T): there is no such search, or the document is no text", passes, args[0], args[1])
	}
	matchers := list.([]store.Matcher)
	for i := range matchers {
		if !matchers[i].Holds(value.Raw(body)) {
			return false, nil
		}
	}
	return true, nil
}

// connector opens connections to a file.
type connector struct {
	driver *sqlite.Driver
	source string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.source) }

func (c connector) Driver() driver.Driver { return c.driver }
