package objectstore

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

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
		c := compareSort(value.Get(a.doc, o.paths[i]), value.Get(b.doc, o.paths[i]))
		if k.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.key.id, b.key.id)
}

// compareSort orders values of any kinds: null, numbers with false as 0 and true as
// 1, texts with lists and objects as their JSON.
func compareSort(a, b any) int {
	x, y := sortable(a), sortable(b)
	if c := cmp.Compare(rank(x), rank(y)); c != 0 {
		return c
	}
	c, _ := value.Compare(x, y) // of the same kind; two nulls are equal
	return c
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

// sortable is null, a number or a text.
func sortable(v any) any {
	switch t := v.(type) {
	case bool:
		if t {
			return 1
		}
		return 0
	case json.Number: // larger than any other number
		f, _ := strconv.ParseFloat(string(t), 64)
		return math.Copysign(math.MaxFloat64, f)
	case value.Raw:
		if t != "" && (t[0] == '{' || t[0] == '[') {
			return gjson.Get(string(t), "@ugly").Raw
		}
		return sortable(value.Scalar(t))
	}
	return v
}
