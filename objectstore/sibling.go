package objectstore

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tidwall/gjson"

	"pipelined"
	"pipelined/internal/value"
)

// look is what the author was shown of a document.
type look struct {
	entry *entry   // nil: what is stored, or that nothing is
	by    *Session // a sibling that changed it since, where the branch merged its own fields into that
}

func (l look) change() uint64 {
	if l.entry == nil {
		return 0
	}
	return l.entry.change
}

// tell notes that the author is shown a document: e, or what is stored.
func (s *Session) tell(k key, e *entry) {
	if e == nil && s.parent == nil { // no map of its own, for those without branches
		if v := s.read[k]; !v.told {
			v.told = true
			s.read[k] = v
		}
		return
	}
	if s.looks == nil {
		s.looks = map[key]look{}
	}
	s.looks[k] = look{entry: e}
}

// lastLook is what the author was last shown of a document, in the branch or before
// it began, and the session that was asked.
func (s *Session) lastLook(k key) (l look, at *Session, ok bool) {
	for at = s; at != nil; at = at.parent {
		if l, ok = at.looks[k]; ok {
			return l, at, true
		}
		if at.parent == nil && at.read[k].told {
			return look{}, at, true
		}
	}
	return look{}, nil, false
}

// relook notes that the author knows a document that the branch itself changed, if it
// was shown before.
func (s *Session) relook(k key, e *entry) {
	if s.parent == nil {
		return
	}
	if _, _, ok := s.lastLook(k); ok {
		s.tell(k, e)
	}
}

// relearn notes what a branch that ended was shown. What siblings of that branch
// changed is no news to the session all of them are of.
func (s *Session) relearn(k key, l look) {
	if s.parent == nil || l.by.within(s) {
		l.by = nil
	}
	if s.looks == nil {
		s.looks = map[key]look{}
	}
	s.looks[k] = l
}

// overtaken returns what the author was shown of a document, and the sibling that has
// changed it since; nil if none has.
func (s *Session) overtaken(k key) (look, *Session) {
	if s.parent == nil {
		return look{}, nil
	}
	l, at, ok := s.lastLook(k)
	if !ok || l.by != nil {
		return l, l.by
	}
	now := s.own(k)
	if now == nil || now.change <= l.change() || now.by.within(s) {
		return l, nil
	}
	if at != s && now.by.within(at) && now.change <= s.below(at).since {
		return l, nil // done before the branches began
	}
	return l, now.by
}

// below is the branch of at that s is, or is in.
func (s *Session) below(at *Session) *Session {
	for s.parent != at {
		s = s.parent
	}
	return s
}

// writable makes sure that no sibling is at a document, and, unless the author states
// what it has to be, that none changed it after the author was shown it.
func (s *Session) writable(k key, stated bool) error {
	if s.view == nil {
		return nil
	}
	for _, h := range s.view.held[k] {
		if !s.within(h) {
			return s.held(k, h)
		}
	}
	if _, by := s.overtaken(k); by != nil && !stated {
		return s.late(k, by)
	}
	return nil
}

// mergeable is writable for a patch: what a sibling changed meanwhile stays, unless
// it is what the patch changes. Where something stays, rest is what the author knows
// of the document after the patch.
func (s *Session) mergeable(ctx context.Context, k key, patch value.Raw, stated bool) (rest look, err error) {
	if err := s.writable(k, true); err != nil || stated {
		return look{}, err
	}
	l, by := s.overtaken(k)
	if by == nil {
		return look{}, nil
	}
	shown := value.Raw("{}")
	if l.entry == nil {
		d, err := s.stored(ctx, k)
		if err != nil {
			return look{}, err
		}
		if d != nil {
			shown = value.Raw(d.Body)
		}
	} else if l.entry.exists {
		shown = l.entry.body
	}
	if touched(patch, shown, s.own(k).body) {
		return look{}, s.late(k, by)
	}
	known, err := value.MergePatch(shown, patch)
	return look{entry: &entry{exists: true, body: known, change: l.change()}, by: by}, err
}

// touched reports whether something that a patch changes is not what it was.
func touched(patch, before, now value.Raw) bool {
	found := false
	gjson.Parse(string(patch)).ForEach(func(name, v gjson.Result) bool {
		p := value.NewPath(name.Str)
		a, b := value.Exact(before, p), value.Exact(now, p)
		if x, ok := object(a); ok && v.IsObject() {
			if y, ok := object(b); ok {
				found = touched(value.Raw(v.Raw), x, y)
				return !found
			}
		}
		found = !value.Equal(a, b)
		return !found
	})
	return found
}

func object(v any) (value.Raw, bool) {
	r, ok := v.(value.Raw)
	return r, ok && r != "" && r[0] == '{'
}

// held is the conflict with a sibling that may still drop what it wrote.
func (s *Session) held(k key, by *Session) error {
	mine, other := s.siblings(by)
	return between(k, fmt.Sprintf("%s has written it, in a part that may still fail, when %s writes it too", other, mine))
}

// late is the conflict with a sibling that was faster.
func (s *Session) late(k key, by *Session) error {
	mine, other := s.siblings(by)
	return between(k, fmt.Sprintf("%s has changed it after %s had read it", other, mine))
}

func between(k key, why string) error {
	return pipelined.Problemf(TypeConflict, "Two branches change one document", http.StatusConflict,
		"%s/%s: %s; `retry` around the steps that read and write it makes one wait for the other", k.collection, k.id, why).Transient()
}

// siblings are the two branches of one group that s and o are, or are in.
func (s *Session) siblings(o *Session) (mine, other Branch) {
	for a := s; a.parent != nil; a = a.parent {
		for b := o; b.parent != nil; b = b.parent {
			if a.parent == b.parent {
				return a.name, b.name
			}
		}
	}
	panic("objectstore: two sessions of different executions")
}
