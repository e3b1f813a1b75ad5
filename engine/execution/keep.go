package execution

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pipelined"
	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// Ref is a name that steps read, "steps.reserve", and the slot it has.
type Ref struct {
	Name string
	Slot int
}

// Later is steps that run, or may run, when the flow they belong to has ended, and what
// they read of it.
type Later struct {
	Step     string // identity of the step that they undo; empty for after_commit
	Name     string // of that step, for people
	Pipeline string // whose steps they are
	Flow     Flow
	Reads    []Ref    // by slot
	Slot     int      // of the result of Step; -1 if none
	Retry    *Retries // of after_commit, where the author says how; nil: as ever
}

// Retries is how often something is tried that is retried durably.
type Retries struct {
	Attempts int // in all
	Backoff  pipelined.Backoff
	When     expression.Condition // zero: always
}

// own are slots that are whoever runs the steps' to fill.
var own = []int{SlotGlobals, SlotEnv}

// Values are what steps read, as they are kept: by name.
type Values map[string]json.RawMessage

// UnkeptError is a value that cannot be kept.
type UnkeptError struct {
	Name string
	Err  error
}

func (e *UnkeptError) Error() string { return e.Name + " cannot be kept: " + e.Err.Error() }

func (e *UnkeptError) Unwrap() error { return e.Err }

// Keep writes down what later steps read of an execution as it is now. What has no
// written form, such as a stream, is an *UnkeptError.
func (x *Execution) Keep(l *Later) (Values, error) {
	out := Values{}
	for _, r := range l.Reads {
		if slices.Contains(own, r.Slot) || r.Slot == SlotError && x.problem != nil {
			continue
		}
		v := x.Frame.Slots[r.Slot]
		if v == expression.Unset {
			continue
		}
		text, err := json.Marshal(kept{v})
		if err != nil {
			return nil, &UnkeptError{Name: r.Name, Err: reason(err)}
		}
		out[r.Name] = text
	}
	return out, nil
}

// Set replaces a value that was kept, and reports whether there was one of that name.
func (v Values) Set(name string, to any) (bool, error) {
	if _, ok := v[name]; !ok {
		return false, nil
	}
	text, err := json.Marshal(kept{to})
	if err != nil {
		return false, &UnkeptError{Name: name, Err: reason(err)}
	}
	v[name] = text
	return true, nil
}

// Get is a value that was kept; nil if there is none of that name.
func (v Values) Get(name string) any {
	var k kept
	if text, ok := v[name]; ok && json.Unmarshal(text, &k) == nil {
		return k.value
	}
	return nil
}

// reason is an error without what encoding/json says around it.
func reason(err error) error {
	if m, ok := err.(*json.MarshalerError); ok {
		return m.Err
	}
	return err
}

// Restore fills the frame with what was kept of what later steps read.
func (x *Execution) Restore(l *Later, values Values) error {
	for _, r := range l.Reads {
		text, ok := values[r.Name]
		if !ok {
			continue
		}
		var k kept
		if err := json.Unmarshal(text, &k); err != nil {
			return fmt.Errorf("read %s as it was kept: %w", r.Name, err)
		}
		x.Frame.Slots[r.Slot] = k.value
	}
	return nil
}

// Missing names what steps read and what was not kept, because they read something else
// when it was; empty if nothing is missing.
func (l *Later) Missing(values Values, unset []int) string {
	for _, r := range l.Reads {
		if _, ok := values[r.Name]; ok || slices.Contains(own, r.Slot) || r.Slot == SlotError || slices.Contains(unset, r.Slot) {
			continue
		}
		return r.Name
	}
	return ""
}

// kept is a value as it is written down: a document as a text, so that it comes back byte
// for byte, and what JSON has no form of by its kind.
type kept struct{ value any }

// written is a kept value on its way to and from JSON. One field is set.
type written struct {
	Raw   *string         `json:"r,omitempty"` // a document
	Plain json.RawMessage `json:"v,omitempty"` // null, a truth, a number, a text
	Time  *time.Time      `json:"t,omitempty"`
	Span  *time.Duration  `json:"d,omitempty"`
	Bytes *[]byte         `json:"b,omitempty"`
	Map   map[string]kept `json:"m,omitempty"`
	List  *[]kept         `json:"l,omitempty"`
}

// MarshalJSON writes the value.
func (k kept) MarshalJSON() ([]byte, error) {
	var w written
	switch v := k.value.(type) {
	case time.Time:
		w.Time = &v
	case time.Duration:
		w.Span = &v
	case []byte:
		w.Bytes = &v
	case map[string]any:
		w.Map = make(map[string]kept, len(v))
		for name, e := range v {
			w.Map[name] = kept{e}
		}
		if len(v) == 0 {
			none := "{}"
			w.Raw = &none
		}
	case []any:
		list := make([]kept, len(v))
		for i, e := range v {
			list[i] = kept{e}
		}
		w.List = &list
	case nil, bool, int, int64, float64, string:
		raw, err := value.JSON(v)
		if err != nil {
			return nil, err
		}
		w.Plain = json.RawMessage(raw)
	default:
		raw, err := value.JSON(v)
		if err != nil {
			return nil, err
		}
		text := string(raw)
		w.Raw = &text
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads the value.
func (k *kept) UnmarshalJSON(text []byte) error {
	var w written
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	switch {
	case w.Time != nil:
		k.value = *w.Time
	case w.Span != nil:
		k.value = *w.Span
	case w.Bytes != nil:
		k.value = *w.Bytes
	case w.Map != nil:
		m := make(map[string]any, len(w.Map))
		for name, e := range w.Map {
			m[name] = e.value
		}
		k.value = m
	case w.List != nil:
		list := make([]any, len(*w.List))
		for i, e := range *w.List {
			list[i] = e.value
		}
		k.value = list
	case w.Raw != nil:
		k.value = value.Raw(*w.Raw)
	default:
		k.value = value.Scalar(value.Raw(w.Plain))
	}
	return nil
}
