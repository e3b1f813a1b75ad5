package value

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// MergePatch merges patch into doc as RFC 7396 says. Members the patch does not
// name stay byte for byte, and in their place; new ones follow.
func MergePatch(doc, patch Raw) (Raw, error) {
	if !isObject(patch) {
		return "", fmt.Errorf("a merge patch must be an object, this is %s", Describe(patch))
	}
	return Raw(merge(string(doc), string(patch))), nil
}

func isObject(r Raw) bool { return len(r) > 0 && r[0] == '{' }

// member has its key as written, so that what a patch does not name stays byte for
// byte.
type member struct{ key, raw string }

func merge(doc, patch string) string {
	var changes []member
	index := map[string]int{}
	gjson.Parse(patch).ForEach(func(k, v gjson.Result) bool {
		if _, twice := index[k.Str]; !twice {
			index[k.Str] = len(changes)
			changes = append(changes, member{k.Raw, v.Raw})
		}
		return true
	})
	var out strings.Builder
	out.WriteByte('{')
	add := func(key, raw string) {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.WriteString(key)
		out.WriteByte(':')
		out.WriteString(raw)
	}
	done := make([]bool, len(changes))
	if isObject(Raw(doc)) {
		gjson.Parse(doc).ForEach(func(k, v gjson.Result) bool {
			i, named := index[k.Str]
			if !named {
				add(k.Raw, v.Raw)
				return true
			}
			if done[i] {
				return true
			}
			done[i] = true
			if raw, keep := merged(v.Raw, changes[i].raw); keep {
				add(k.Raw, raw)
			}
			return true
		})
	}
	for i, c := range changes {
		if raw, keep := merged("", c.raw); keep && !done[i] {
			add(c.key, raw)
		}
	}
	out.WriteByte('}')
	return out.String()
}

// merged is the new value of one member; keep is false if it goes.
func merged(old, patch string) (raw string, keep bool) {
	switch {
	case patch == "null":
		return "", false
	case isObject(Raw(patch)):
		return merge(old, patch), true
	}
	return patch, true
}
