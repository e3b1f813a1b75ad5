package step

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/pattern"
	"pipelined/internal/unit"
	"pipelined/internal/value"
)

type publishParams struct {
	Publish publishValue `yaml:"publish" required:"" doc:"The Event Publisher."`
}

type publishValue struct {
	Event   eventName             `yaml:"event" required:"" doc:"Event type, dotted: order.received."`
	Data    eventData             `yaml:"data" doc:"The event's document; default is input."`
	Key     field.Text            `yaml:"key" doc:"Orders and partitions; default is the key the event type declares."`
	ID      field.Text            `yaml:"id" doc:"Makes the publish idempotent: a second one of this type and id within the type's dedupe window is dropped, and counted, when this execution commits."`
	Headers map[string]field.Text `yaml:"headers" doc:"Carried along unchanged."`
	Delay   field.JSON            `yaml:"delay" doc:"A duration: the event appears that much later. Durable, holds nothing while it waits."`
}

// eventData is the data of an event, where it stands, and what is compiled in it.
type eventData struct {
	field.JSON
	node      *yaml.Node
	templates map[*yaml.Node]*expression.Template
}

// DecodeField compiles any value.
func (d *eventData) DecodeField(c *field.Context, n *yaml.Node) {
	d.node, d.templates = n, map[*yaml.Node]*expression.Template{}
	d.Compile(c, n, func(n *yaml.Node, t *expression.Template) { d.templates[n] = t })
}

// eventName is an event type, literal or with ${{ }}.
type eventName struct {
	text field.Text
	Literal
}

// DecodeField takes a dotted name; a template is allowed and checked at run time.
func (e *eventName) DecodeField(c *field.Context, n *yaml.Node) {
	e.text.DecodeField(c, n)
	e.node = n
	name, ok := e.text.Literal()
	if !ok {
		return
	}
	e.Text = name
	checkEventType(c, n, name)
}

func checkEventType(c *field.Context, n *yaml.Node, name string) {
	if reason := pattern.CheckType(name); reason != "" {
		c.Report(CodeEventType, diag.Error, n, reason, "The event could not be published.", "write a dotted name, such as order.received")
	}
}

func publishControl() *Control {
	return define("publish", "Publishes an event: durable, in the same commit as everything else this execution does.",
		"`event_id`; whether a `publish.id` was there before is known at the commit, not here", `
- publish:
    event: order.received
    key: ${{ input.id }}
    data: ${{ input }}
`, func(b *Compiler, c *field.Context, n *Node, p *publishParams) Action {
			return b.newPublish(c, n, p.Publish)
		})
}

func (b *Compiler) newPublish(c *field.Context, n *Node, v publishValue) Action {
	s := &publish{
		typ: v.Event.Text, typeText: v.Event.text, data: v.Data.JSON, key: v.Key, id: v.ID, delay: v.Delay, declared: b.Events,
	}
	if v.Data.IsZero() {
		c.Symbols.Read("input")
	}
	if v.ID.IsZero() && b.inLater == "" && !b.handler {
		b.Facts.Unkeyed = append(b.Facts.Unkeyed, Mention{v.Event.Text, n.At})
	}
	b.Facts.PublishesAny = b.Facts.PublishesAny || b.inLater == "" && !b.handler
	for _, name := range slices.Sorted(maps.Keys(v.Headers)) {
		if strings.HasPrefix(strings.ToLower(name), "pipelined-") {
			c.Report(CodeEventType, diag.Error, v.Event.node, "header "+name+" belongs to the runtime", "The event would go astray.", "give it another name")
		}
		s.headers = append(s.headers, header{name, v.Headers[name]})
	}
	if v.Event.Text == "" {
		b.Facts.Dynamic = true
		return s
	}
	b.Facts.Publishes = append(b.Facts.Publishes, Mention{v.Event.Text, c.Range(v.Event.node)})
	if s.event = b.Events[v.Event.Text]; s.event != nil {
		b.checkData(c, v, s.event.Data)
	}
	if s.event == nil && len(b.Events) > 0 {
		known := slices.Sorted(maps.Keys(b.Events))
		fix := "declare it under events: in pipelined.yaml"
		if near := diag.Suggest(v.Event.Text, known); near != "" {
			fix = "did you mean " + near + "? Otherwise " + fix
		}
		c.Report(CodeUnknownEvent, diag.Warning, v.Event.node, "pipelined.yaml declares events, but not "+v.Event.Text,
			"Its data is not checked and its retention is the default.", fix)
	}
	return s
}

// checkData holds what is published to the schema of its type.
func (b *Compiler) checkData(c *field.Context, v publishValue, want *expression.Type) {
	s := shapes{c, v.Event.Text, v.Data.templates}
	if v.Data.IsZero() {
		if input := c.Symbols.Lookup("input"); input != nil {
			s.given(v.Event.node, "", input.Type, want, diag.Error)
		}
		return
	}
	s.written(v.Data.node, "", want)
}

type publish struct {
	typ      string     // empty: typeText gives it
	typeText field.Text // with ${{ }}
	data     field.JSON
	key, id  field.Text
	headers  []header
	delay    field.JSON
	event    *EventType // what is declared of typ
	declared map[string]*EventType
}

func (s *publish) Run(_ context.Context, x *execution.Execution) (any, error) {
	ev := &pipelined.Event{Type: s.typ, Source: x.Run.Source(), Time: x.Run.Clock.Now(), Attempt: 1}
	declared := s.event
	if ev.Type == "" {
		name, err := s.typeText.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		if reason := pattern.CheckType(name); reason != "" {
			return nil, pipelined.NewProblem("publish/type", "Not an event type", 500, reason)
		}
		ev.Type, declared = name, s.declared[name]
	}
	if x.Run.Refuse != nil {
		if p := x.Run.Refuse(ev.Type); p != nil {
			return nil, p
		}
	}
	if err := s.fill(x, ev, declared); err != nil {
		return nil, err
	}
	due, err := s.due(x)
	if err != nil {
		return nil, err
	}
	x.Effects.Publish(ev, due)
	return map[string]any{"event_id": ev.ID}, nil
}

// fill evaluates the parts of the event.
func (s *publish) fill(x *execution.Execution, ev *pipelined.Event, declared *EventType) error {
	data, err := s.document(x)
	if err != nil {
		return err
	}
	ev.Data = data
	if declared != nil && declared.Validate != nil {
		if p := declared.Validate(data); p != nil {
			return p
		}
	}
	switch {
	case !s.key.IsZero():
		ev.Key, err = s.key.Eval(x.Frame)
	case declared != nil && declared.Key != nil:
		ev.Key, err = keyOf(declared.Key, x, data)
	}
	if err != nil {
		return err
	}
	if !s.id.IsZero() {
		if ev.DedupeID, err = s.id.Eval(x.Frame); err != nil {
			return err
		}
		if ev.DedupeID == "" {
			return pipelined.NewProblem("publish/id", "publish.id is empty", 500, "an empty id would make every event a duplicate of the first")
		}
		ev.ID = ev.DedupeID
		if declared != nil {
			ev.DedupeFor = declared.Dedupe
		}
	} else {
		ev.ID = x.Run.Values.NewID()
	}
	if len(s.headers) > 0 {
		ev.Headers = make(map[string]string, len(s.headers))
		for _, h := range s.headers {
			if ev.Headers[h.name], err = h.value.Eval(x.Frame); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *publish) document(x *execution.Execution) (string, error) {
	if s.data.IsZero() {
		raw, err := value.JSON(x.Frame.Slots[execution.SlotInput])
		return string(raw), err
	}
	v, err := s.data.Eval(x.Frame)
	if err != nil {
		return "", err
	}
	raw, err := value.JSON(v)
	return string(raw), err
}

func (s *publish) due(x *execution.Execution) (time.Time, error) {
	if s.delay.IsZero() {
		return time.Time{}, nil
	}
	v, err := s.delay.Eval(x.Frame)
	if err != nil {
		return time.Time{}, err
	}
	d, err := durationOf(v)
	if err != nil {
		return time.Time{}, err
	}
	if d <= 0 {
		return time.Time{}, nil
	}
	return x.Run.Clock.Now().Add(d), nil
}

// keyOf evaluates the key an event type declares over the event's data.
func keyOf(key *expression.Program, x *execution.Execution, data string) (string, error) {
	v, err := key.Eval(&expression.Frame{Slots: []any{value.Raw(data)}, Host: x.Run.Values})
	if err != nil {
		return "", err
	}
	return value.Text(v)
}

// durationOf takes a duration as an author writes it, or as an expression gives it.
func durationOf(v any) (time.Duration, error) {
	switch t := v.(type) {
	case time.Duration:
		return t, nil
	case string:
		d, err := unit.Duration(t)
		if err == nil {
			return d, nil
		}
	}
	return 0, pipelined.Problemf(pipelined.TypeExpression, "Not a duration", 500,
		"write 250ms, 5s, 15m, 24h or 30d; this is %s", value.Describe(v))
}

// Complete checks an event from outside against its type's schema and fills in
// the key the type declares, unless it has one.
func (t *EventType) Complete(ev *pipelined.Event) error {
	if t.Validate != nil {
		if p := t.Validate(ev.Data); p != nil {
			return p
		}
	}
	ev.DedupeFor = t.Dedupe
	if ev.Key != "" || t.Key == nil {
		return nil
	}
	v, err := t.Key.Eval(&expression.Frame{Slots: []any{value.Raw(ev.Data)}})
	if err != nil {
		return err
	}
	ev.Key, err = value.Text(v)
	return err
}
