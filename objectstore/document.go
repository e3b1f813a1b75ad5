package objectstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/unit"
	"pipelined/internal/value"
)

// TimeFormat is how times are written in documents: RFC 3339 with a fixed number
// of digits, so that comparing the texts compares the times.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Problem types of the object store.
const (
	TypeConflict   = pipelined.TypeConflict    // the document exists, is at another version, or has a value that is taken
	TypeTooMany    = "object_store/too-many"   // more documents than a find without a limit takes
	TypeDocument   = "object_store/document"   // not a document that can be stored
	TypeCollection = "object_store/collection" // not the name of a collection
)

// ErrStale says that a document has changed since the execution first saw it, so
// that what was computed may be wrong: the execution has to run again. It is a
// signal, not a failure of a step.
var ErrStale = errors.New("a document has changed since it was read")

// StaleError is ErrStale with the document that changed.
type StaleError struct{ Collection, ID string }

func (e *StaleError) Error() string { return e.Collection + "/" + e.ID + ": " + ErrStale.Error() }

// Unwrap returns ErrStale.
func (e *StaleError) Unwrap() error { return ErrStale }

func checkCollection(name string) error {
	if unit.IsName(name) {
		return nil
	}
	return pipelined.Problemf(TypeCollection, "Not the name of a collection", 400,
		"%q: a collection is named with lower case letters, digits and _", name)
}

// check makes sure that doc can be stored, and takes its _ fields away.
func check(collection string, doc value.Raw) (value.Raw, error) {
	if err := checkCollection(collection); err != nil {
		return "", err
	}
	if doc == "" || doc[0] != '{' {
		return "", pipelined.Problemf(TypeDocument, "Not a document", 400,
			"a document of %s must be an object, this is %s", collection, value.Describe(doc))
	}
	return strip(collection, value.Raw(strings.TrimRight(string(doc), " \t\r\n")))
}

// ownFields are what every document has beside what its author wrote.
func ownFields() []string { return []string{"_id", "_version", "_created_at", "_updated_at"} }

// strip takes the fields every document has out of one that was read before, and
// refuses others that begin with _.
func strip(collection string, doc value.Raw) (value.Raw, error) {
	if !strings.Contains(string(doc), `"_`) && !strings.Contains(string(doc), `"\u`) { // \u005f is a _ too
		return doc, nil
	}
	var out strings.Builder
	out.WriteByte('{')
	var bad string
	stripped := false
	gjson.Parse(string(doc)).ForEach(func(k, v gjson.Result) bool {
		if strings.HasPrefix(k.Str, "_") {
			if !isOwn(k.Str) {
				bad = k.Str
				return false
			}
			stripped = true
			return true
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.WriteString(k.Raw)
		out.WriteByte(':')
		out.WriteString(v.Raw)
		return true
	})
	if bad != "" {
		return "", pipelined.Problemf(TypeDocument, "Not a document", 400,
			"%s: fields of a document of %s that begin with _ belong to the store", bad, collection)
	}
	if !stripped {
		return doc, nil
	}
	out.WriteByte('}')
	return value.Raw(out.String()), nil
}

func isOwn(name string) bool {
	return slices.Contains(ownFields(), name)
}

// Shown is a stored document with its _ fields, as a step sees it.
func Shown(d *store.Document) value.Raw {
	return withFields(value.Raw(d.Body), d.ID, d.Version, d.CreatedAt, d.UpdatedAt)
}

// shown is an own document with its _ fields; a version nobody knows is 0.
func (s *Session) shown(k key, e *entry) value.Raw {
	return withFields(e.body, k.id, e.version, e.created, s.now())
}

func withFields(body value.Raw, id string, version int64, created, updated time.Time) value.Raw {
	b := make([]byte, 0, len(body)+len(id)+130)
	b = append(b, strings.TrimRight(string(body[:len(body)-1]), " \t\r\n")...)
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(append(b, `"_id":`...), value.Quote(id)...)
	b = fmt.Appendf(b, `,"_version":%d`, version)
	b = append(b, `,"_created_at":"`...)
	b = created.UTC().AppendFormat(b, TimeFormat)
	b = append(b, `","_updated_at":"`...)
	b = updated.UTC().AppendFormat(b, TimeFormat)
	return value.Raw(append(b, '"', '}'))
}
