package objectstore

import (
	"encoding/json"
	"strings"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Order is one sort key.
type Order = store.Order

// ParseOrder reads sort keys as authors write them: paths, a leading - for
// descending.
func ParseOrder(paths []string) []Order {
	var out []Order
	for _, p := range paths {
		name, descending := strings.CutPrefix(p, "-")
		out = append(out, Order{Path: name, Descending: descending})
	}
	return out
}

// ordering sorts documents as the store does (see store.Query).
type ordering struct {
	keys  []Order
	paths []value.Path
}

func newOrdering(keys []Order) ordering {
	o := ordering{keys: keys}
	for _, k := range keys {
		o.paths = append(o.paths, pathOf(k.Path))
	}
	return o
}

func (o ordering) compare(a, b found) int {
	for i, k := range o.keys {
		c := store.CompareValues(value.Get(a.doc, o.paths[i]), value.Get(b.doc, o.paths[i]))
		if k.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.key.id, b.key.id)
}

// rank is the place of a kind among kinds.
func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case int, int64, float64, json.Number:
		return 1
	case bool:
		return 2
	case string:
		return 3
	}
	return 4
}
