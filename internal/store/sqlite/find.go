package sqlite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"pipelined/internal/store"
)

// short reports whether a condition has few enough values to be compared one by one.
// SQLite looks a long list up in a tree.
func short(c store.Condition) bool {
	const few = 64
	list, _ := c.Value.([]any)
	return len(list) <= few
}

// literal quotes a text for SQL. Partial indexes are only found by literals.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// maxPlaces bounds the ways of reading one path; four numbers in it make 16.
const maxPlaces = 16

var errPath = errors.New("a path may hold at most four numbers")

// extract is the SQL expression of a path, the same text in indexes and queries. A
// number in it is a place in a list or a member of that name, which SQLite keeps
// apart, so the path is read both ways.
func extract(path string) (string, error) {
	places := []string{"$"}
	for segment := range strings.SplitSeq(path, ".") {
		member := member(segment)
		n := len(places)
		for i := range n {
			if isIndex(segment) {
				places = append(places, places[i]+"["+segment+"]")
			}
			places[i] += member
		}
		if len(places) > maxPlaces {
			return "", fmt.Errorf("%s: %w", path, errPath)
		}
	}
	for i, p := range places {
		places[i] = "json_extract(body, " + literal(p) + ")"
	}
	if len(places) == 1 {
		return places[0], nil
	}
	return "coalesce(" + strings.Join(places, ", ") + ")", nil
}

// member is a segment as the name of a member in a path of SQLite's.
func member(segment string) string {
	return `."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(segment) + `"`
}

// memberPath is a path of members only.
func memberPath(path string) string {
	var b strings.Builder
	b.WriteByte('$')
	for segment := range strings.SplitSeq(path, ".") {
		b.WriteString(member(segment))
	}
	return b.String()
}

// isIndex reports whether a segment can be a place in a list.
func isIndex(segment string) bool {
	const longest = 9 // SQLite reads no larger places
	return segment != "" && len(segment) <= longest && strings.Trim(segment, "0123456789") == ""
}

// order is the SQL of sort keys, ties by id.
func order(list []store.Order) (string, error) {
	columns := map[string]string{"_id": "id", "_version": "version", "_created_at": "created", "_updated_at": "updated"}
	var out []string
	for _, o := range list {
		col, own := columns[o.Path]
		if !own {
			var err error
			if col, err = extract(o.Path); err != nil {
				return "", err
			}
		}
		if o.Descending {
			col += " desc"
		}
		out = append(out, col)
	}
	return strings.Join(append(out, "id"), ", "), nil
}

// condition is a comparison in SQL. It may hold for more documents than meant,
// never for fewer: SQLite reads false as 0 and true as 1, lists and objects as
// texts, and the last digit of a long decimal may come out one off. ok is false if
// SQL cannot say it.
func condition(c store.Condition) (text string, args []any, ok bool) {
	col, ok := column(c)
	if !ok {
		return "", nil, false
	}
	switch c.Op {
	case "in":
		list, isList := c.Value.([]any)
		if !isList {
			return "", nil, false
		}
		return oneOf(col, list)
	case "==":
		return oneOf(col, []any{c.Value})
	case "<", "<=", ">", ">=":
		return compared(col, c.Op, c.Value)
	}
	return "", nil, false
}

// column is what a condition compares. The columns of id and version would turn
// what they are compared with into their own kind, so they take no other.
func column(c store.Condition) (col string, ok bool) {
	switch c.Path {
	case "_id":
		return "id", only[string](c.Value)
	case "_version":
		return "version", only[int64](c.Value)
	case "_created_at", "_updated_at":
		return "", false // kept as numbers, compared as texts
	}
	col, err := extract(c.Path)
	return col, err == nil
}

// only reports whether a value, or every value of a list, is a T.
func only[T any](v any) bool {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	return !slices.ContainsFunc(list, func(e any) bool { _, is := e.(T); return !is })
}

// maxList bounds the values of a condition.
const maxList = 1000

// oneOf is equality with any of some values.
func oneOf(col string, list []any) (text string, args []any, ok bool) {
	if len(list) > maxList {
		return "", nil, false
	}
	var ways []string
	var exact, close []any
	for _, v := range list {
		switch t := v.(type) {
		case nil:
			ways = append(ways, col+" is null")
		case bool:
			exact = append(exact, map[bool]int{false: 0, true: 1}[t])
		case int64:
			exact = append(exact, t)
		case string:
			if strings.ContainsRune(t, '\uFFFD') { // may stand for what SQLite reads otherwise
				return "", nil, false
			}
			exact = append(exact, t)
		case float64:
			ways = append(ways, col+" between ? and ?")
			close = append(close, below(t), above(t))
		default:
			return "", nil, false
		}
	}
	switch {
	case len(exact) == 1:
		ways = append(ways, col+" = ?")
	case len(exact) > 1:
		ways = append(ways, col+" in (?"+strings.Repeat(", ?", len(exact)-1)+")")
	case len(ways) == 0:
		return "0", nil, true
	}
	return "(" + strings.Join(ways, " or ") + ")", append(close, exact...), len(ways) <= maxList/4
}

// compared is an ordered comparison with a number or a text. The empty text, which
// sorts after every number and before every other text, keeps the search among
// values of the same kind.
func compared(col, op string, v any) (text string, args []any, ok bool) {
	up := op[0] == '>'
	switch t := v.(type) {
	case int64:
		if up {
			return "(" + col + " >= ? and " + col + " < '')", []any{t}, true
		}
		return col + " <= ?", []any{t}, true
	case float64:
		if up {
			return "(" + col + " >= ? and " + col + " < '')", []any{below(t)}, true
		}
		return col + " <= ?", []any{above(t)}, true
	case string:
		if strings.ContainsFunc(t, afterSurrogates) {
			return "", nil, false
		}
		if up {
			return col + " " + op + " ?", []any{t}, true
		}
		return "(" + col + " >= '' and " + col + " " + op + " ?)", []any{t}, true
	}
	return "", nil, false
}

// afterSurrogates reports a character that half a surrogate pair, which a document
// may hold, sorts on another side of in SQLite than here, where it is U+FFFD.
func afterSurrogates(r rune) bool { return r >= 0xE000 && r <= 0xFFFD }

// below and above leave room for a last digit that SQLite reads one off.
func below(f float64) float64 {
	return math.Nextafter(math.Nextafter(f, math.Inf(-1)), math.Inf(-1))
}

func above(f float64) float64 {
	return math.Nextafter(math.Nextafter(f, math.Inf(1)), math.Inf(1))
}
