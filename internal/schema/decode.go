package schema

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// decode turns valid JSON text into what the complete validator takes, with
// numbers as their text. It refuses what readers would not agree on.
func decode(text string) (any, []Violation) {
	var d decoder
	doc := d.value(gjson.Parse(text))
	return doc, d.refused
}

// maxDepth bounds recursion, and the work on a document that is all brackets.
const maxDepth = 200

type decoder struct {
	path    []string
	refused []Violation
}

func (d *decoder) refuse(keyword, message string) {
	if len(d.refused) < maxViolations {
		d.refused = append(d.refused, Violation{Pointer: pointer(d.path), Keyword: keyword, Message: message})
	}
}

func (d *decoder) value(v gjson.Result) any {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number:
		if !reasonable(v.Raw) {
			d.refuse("number", "its exponent is out of bounds")
			return json.Number("0")
		}
		return json.Number(v.Raw)
	case gjson.True, gjson.False:
		return v.Type == gjson.True
	case gjson.JSON:
		if len(d.path) >= maxDepth {
			d.refuse("depth", "it is nested too deeply")
			return nil
		}
		if v.IsArray() {
			return d.array(v)
		}
		return d.object(v)
	}
	return nil
}

func (d *decoder) array(v gjson.Result) any {
	out := []any{}
	v.ForEach(func(_, item gjson.Result) bool {
		d.path = append(d.path, strconv.Itoa(len(out)))
		out = append(out, d.value(item))
		d.path = d.path[:len(d.path)-1]
		return true
	})
	return out
}

func (d *decoder) object(v gjson.Result) any {
	out := map[string]any{}
	v.ForEach(func(key, item gjson.Result) bool {
		if _, twice := out[key.Str]; twice {
			d.refuse("duplicate", name(key.Str)+" is given twice")
		}
		d.path = append(d.path, key.Str)
		out[key.Str] = d.value(item)
		d.path = d.path[:len(d.path)-1]
		return true
	})
	return out
}

// reasonable reports whether a number can be compared exactly without building
// an enormous integer for it.
func reasonable(number string) bool {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return true
	}
	exponent, err := strconv.Atoi(strings.TrimPrefix(number[i+1:], "+"))
	return err == nil && exponent >= -1000 && exponent <= 1000
}
