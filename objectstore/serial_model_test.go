package objectstore_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// model is the documents: id to fields.
type model map[string]map[string]int

func (m model) clone() model {
	out := model{}
	for id, d := range m {
		out[id] = maps.Clone(d)
	}
	return out
}

func (m model) String() string { text, _ := json.Marshal(m); return string(text) }

// deed is what a branch did to one document, as it turned out.
type deed struct {
	kind, id, field string
	value           int
	result          int // how many documents there were, or were changed
}

func (d deed) String() string {
	return fmt.Sprintf("%s %s.%s %d → %d", d.kind, d.id, d.field, d.value, d.result)
}

// do applies a deed to m, and reports whether its result would have been the same.
func (d deed) do(m model) bool {
	doc, there := m[d.id]
	exists := 0
	if there {
		exists = 1
	}
	switch d.kind {
	case "put":
		m[d.id] = map[string]int{"x": d.value}
	case "insert": // result 0: it exists
		if exists == d.result {
			return false
		}
		if d.result == 1 {
			m[d.id] = map[string]int{"x": d.value}
		}
	case "add", "merged": // read, add one, and write: the whole document, or the field
		if d.kind == "merged" && exists != d.result {
			return false
		}
		if d.kind == "merged" && exists == 0 {
			return true
		}
		next := maps.Clone(doc)
		if next == nil {
			next = map[string]int{}
		}
		next[d.field]++
		m[d.id] = next
	case "update":
		if exists != d.result {
			return false
		}
		if there {
			doc[d.field] = d.value
		}
	case "delete":
		if exists != d.result {
			return false
		}
		delete(m, d.id)
	}
	return true
}

// explain looks for an order that gives the documents that there are.
func (p *program) explain(before, after model) bool {
	type state struct{ at, docs string }
	tried := map[state]bool{}
	pos := make([]int, len(p.threads))
	index := map[*thread]int{}
	var live []*thread // not those of a part that was dropped
	for i, t := range p.threads {
		index[t] = i
		if t.parent == nil || slices.Contains(t.parent.children, t) && slices.Contains(live, t.parent) {
			live = append(live, t)
		}
	}
	ready := func(t *thread) bool {
		i := index[t]
		if pos[i] == len(t.deeds) || t.parent != nil && pos[index[t.parent]] < t.at {
			return false
		}
		for _, c := range t.children {
			if c.at <= pos[i] && pos[index[c]] < len(c.deeds) {
				return false
			}
		}
		return true
	}
	want := after.String()
	var search func(m model) bool
	search = func(m model) bool {
		key := state{fmt.Sprint(pos), m.String()}
		if tried[key] {
			return false
		}
		tried[key] = true
		ended := true
		for _, t := range live {
			ended = ended && pos[index[t]] == len(t.deeds)
		}
		if ended {
			return m.String() == want
		}
		for _, t := range live {
			if !ready(t) {
				continue
			}
			next := m.clone()
			if !t.deeds[pos[index[t]]].do(next) {
				continue
			}
			pos[index[t]]++
			if search(next) {
				return true
			}
			pos[index[t]]--
		}
		return false
	}
	return search(before)
}
