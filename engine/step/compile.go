package step

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/execution"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// Compiler turns the steps of one pipeline into Flows. Use one per pipeline; it
// is not safe for concurrent use. Findings go to the Context's Diags; a flow with
// findings must not run.
type Compiler struct {
	Controls    ControlSet
	Connectors  *connectors.Set
	Connections map[string]*Connection
	// Shared collects the families used without a connection.
	Shared map[string]*Connection
	// Events declared in the project file, by type.
	Events map[string]*EventType
	// Pipelines are the names a call step may use.
	Pipelines []string
	Pipeline  string

	// Env declares the environment, at execution.SlotEnv; nil leaves it open.
	Env *expression.Symbol
	// Facts collects what the wiring lint wants to know of this pipeline.
	Facts Facts

	base     *expression.Symbols
	slots    int
	varSlots []int
	vars     map[string]*expression.Symbol
	names    map[string]*yaml.Node // every step name, for "runs later" and duplicates
	declared map[string]bool
	equal    map[string]int // steps without a name, by their digest
	loops    int            // how many loops, branches and handlers we are inside of
	handler  bool           // inside on_error, catch or compensate
}

// Connection is a connection of the project file, or what a family without one uses.
type Connection struct {
	Name      string
	Connector *connectors.Connector
	// Index is where the opened client stands among those of a revision.
	Index int
}

// EventType is what publishing an event of a declared type adds.
type EventType struct {
	Key      *expression.Program // over `data` in slot execution.SlotInput of its own frame; nil if none
	Validate func(data string) *pipelined.Problem
	Data     *expression.Type // what the schema says of the data; nil if nothing
}

// Facts is what a pipeline does, as far as other pipelines care.
type Facts struct {
	Publishes   []Mention // event types
	Calls       []Mention // pipelines
	Writes      []Mention // collections written
	Reads       []Mention // collections read
	Reprocesses []Reprocessor
	Responds    []Mention
	Dynamic     bool // publishes a type that is only known at run time
	// CommitsParts: a loop commits on its way.
	CommitsParts bool
}

// Mention is one place that names something.
type Mention struct {
	Name string
	At   diag.Range
}

// Reprocessor is what the writer of error records needs of the reprocess step
// that drains their collection.
type Reprocessor struct {
	Collection  string
	MaxAttempts int
	Backoff     pipelined.Backoff
	At          diag.Range
}

// options every step takes, beside its action.
type options struct {
	Name       field.Name           `yaml:"name" doc:"Unique in the pipeline; the result is steps.<name> in everything after it."`
	When       expression.Condition `yaml:"when" doc:"Bare expression; false skips the step, whose result is then null."`
	Timeout    time.Duration        `yaml:"timeout" doc:"Limit for the step, each try."`
	Retry      *retryOptions        `yaml:"retry" doc:"Tries again in memory, for short trouble."`
	Compensate Block                `yaml:"compensate" doc:"Steps that undo this one: when the flow fails after it succeeded, they run, last first, before on_error."`
	OnError    Handler              `yaml:"on_error" doc:"fail (default), continue (the result is null and steps.<name>.error says why), or a list of steps with error in scope."`
}

type retryOptions struct {
	Attempts int           `yaml:"attempts" required:"" min:"1" max:"100" doc:"Tries in all: 3 is one try and two more."`
	Backoff  string        `yaml:"backoff" enum:"constant,exponential" default:"exponential" doc:"How the wait grows."`
	Initial  time.Duration `yaml:"initial" default:"200ms" doc:"The first wait."`
	Max      time.Duration `yaml:"max" default:"10s" doc:"The longest wait, also for a server's Retry-After."`
	Jitter   string        `yaml:"jitter" enum:"none,full" default:"full" doc:"full waits a random part of the backoff, so that many callers do not come back at once."`
	When     Later         `yaml:"when" doc:"Bare expression over error; default error.retriable."`
}

var optionKeys = []string{"name", "when", "timeout", "retry", "compensate", "on_error"}

// OptionsShape describes the options every step takes.
func OptionsShape() *field.Shape { return optionsShape() }

var optionsShape = sync.OnceValue(field.Of[options])

// Block is a list of steps, kept until the step around it has declared what is
// in their scope.
type Block struct{ node *yaml.Node }

// DecodeField keeps the node.
func (b *Block) DecodeField(_ *field.Context, n *yaml.Node) { b.node = n }

// Later is any value, kept until its scope is known.
type Later struct{ node *yaml.Node }

// DecodeField keeps the node.
func (l *Later) DecodeField(_ *field.Context, n *yaml.Node) { l.node = n }

// Handler is the value of on_error.
type Handler struct {
	node   *yaml.Node
	policy ErrorPolicy
}

// DecodeField accepts fail, continue or a list of steps.
func (h *Handler) DecodeField(c *field.Context, n *yaml.Node) {
	switch {
	case n.Kind == yaml.SequenceNode:
		h.policy, h.node = HandleSteps, n
	case n.Kind == yaml.ScalarNode && n.Value == "fail":
		h.policy = FailFlow
	case n.Kind == yaml.ScalarNode && n.Value == "continue":
		h.policy = Continue
	default:
		c.Report(CodeOnError, diag.Error, n, "on_error takes fail, continue or a list of steps",
			"The runtime would not know what to do when the step fails.",
			"write `on_error: continue`, or a list of steps below on_error")
	}
}

// Start prepares the symbols of a pipeline whose trigger gives input the type t:
// the names every expression may use, every variable any step sets, and every
// step name, so that a step used before it ran is explained.
func (b *Compiler) Start(steps *yaml.Node, handlers *yaml.Node, trigger string, t *expression.Type) *expression.Symbols {
	b.slots = execution.BaseSlots
	b.vars = map[string]*expression.Symbol{}
	b.names = map[string]*yaml.Node{}
	b.declared = map[string]bool{}
	b.equal = map[string]int{}
	for _, n := range []*yaml.Node{steps, handlers} {
		b.scan(n)
	}
	syms := expression.NewSymbols(nil)
	DeclareBase(syms, trigger, t)
	if b.Env != nil {
		syms.Declare("env", b.Env)
	}
	b.base = syms
	syms.Declare("vars", &expression.Symbol{Slot: -1, Closed: true, Members: b.vars})
	syms.Declare("steps", &expression.Symbol{Slot: -1, Closed: true, Members: b.later(nil)})
	return syms
}

// Slots is how many slots a frame of this pipeline has, and which of them are
// variables.
func (b *Compiler) Slots() (int, []int) { return b.slots, b.varSlots }

// scan collects the variables and step names of a list of steps at any depth.
func (b *Compiler) scan(n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if k.Value == "set" && v.Kind == yaml.MappingNode {
				for j := 0; j+1 < len(v.Content); j += 2 {
					if name := v.Content[j].Value; b.vars[name] == nil {
						slot := b.slot()
						b.varSlots = append(b.varSlots, slot)
						b.vars[name] = &expression.Symbol{Slot: slot}
					}
				}
				continue
			}
			if k.Value == "name" && v.Kind == yaml.ScalarNode && b.names[v.Value] == nil {
				b.names[v.Value] = v
			}
			b.scan(v)
		}
		return
	}
	for _, c := range n.Content {
		b.scan(c)
	}
}

// later returns members with every step name not yet in have, each hidden.
func (b *Compiler) later(have map[string]*expression.Symbol) map[string]*expression.Symbol {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]*expression.Symbol{}
	}
	for name, n := range b.names {
		if out[name] == nil {
			out[name] = &expression.Symbol{Slot: -1, Hidden: fmt.Sprintf(
				"step %s has not run yet at this point (it stands at line %d); move it before this one", name, n.Line)}
		}
	}
	return out
}

func (b *Compiler) slot() int {
	b.slots++
	return b.slots - 1
}

// DeclareBase declares the names that need no step: what the trigger gives, the
// run, globals. A name another trigger would give is there but hidden, so that
// using it is explained.
func DeclareBase(syms *expression.Symbols, trigger string, input *expression.Type) {
	syms.Declare("input", &expression.Symbol{Slot: execution.SlotInput, Type: input})
	only := func(name string, slot int, typ *expression.Type, kinds ...string) {
		sym := &expression.Symbol{Slot: slot, Type: typ}
		if !slices.Contains(kinds, trigger) {
			has := "this one has " + article([]string{trigger}) + " trigger"
			if trigger == "" {
				has = "this one has none"
			}
			sym.Hidden = fmt.Sprintf("%s exists only in a pipeline with %s trigger, and %s", name, article(kinds), has)
		}
		syms.Declare(name, sym)
	}
	only("request", execution.SlotRequest, nil, "http")
	only("event", execution.SlotEvent, eventScope, "event", "error")
	only("schedule", execution.SlotSchedule, scheduleType, "cron")
	syms.Declare("run", &expression.Symbol{Slot: execution.SlotRun, Type: runType})
	syms.Declare("globals", &expression.Symbol{Slot: execution.SlotGlobals})
	syms.Declare("env", &expression.Symbol{Slot: execution.SlotEnv})
	syms.Declare("secrets", &expression.Symbol{Slot: -1,
		Hidden: "secrets can only be used in connections of pipelined.yaml and in a trigger's auth, so that they cannot leak; put it on the connection"})
	if trigger == "error" {
		syms.Declare("error", &expression.Symbol{Slot: execution.SlotError, Type: ProblemType})
		return
	}
	syms.Declare("error", &expression.Symbol{Slot: execution.SlotError,
		Hidden: "error exists only where something has failed: in on_error, catch, compensate and retry.when; steps.<name>.error is the error of a step with on_error: continue"})
}

func article(kinds []string) string {
	a := "a "
	if len(kinds[0]) > 0 && strings.ContainsAny(kinds[0][:1], "aeiou") {
		a = "an "
	}
	return a + strings.Join(kinds, " or ")
}

// WithError returns symbols in which `error` may be used.
func WithError(syms *expression.Symbols) *expression.Symbols {
	s := expression.NewSymbols(syms)
	s.Declare("error", &expression.Symbol{Slot: execution.SlotError, Type: ProblemType})
	return s
}

// Steps compiles a list of steps in the scope of c. The names the steps declare
// become visible to what is compiled with the same symbols afterwards.
func (b *Compiler) Steps(c *field.Context, list []*definition.Step) Flow {
	var flow Flow
	var ended *definition.Step
	for _, def := range list {
		if ended != nil {
			c.Report(CodeUnreachable, diag.Warning, def.Node, "this step can never run",
				fmt.Sprintf("The step at line %d always ends the flow.", ended.Node.Line),
				"remove it, or give the step before it a `when`")
			ended = nil
		}
		n := b.step(c, def)
		if n == nil {
			continue
		}
		flow = append(flow, n)
		if _, ends := n.Action.(interface{ ends() }); ends && n.when.IsZero() {
			ended = def
		}
	}
	return flow
}

// block compiles a nested list in the given scope.
func (b *Compiler) block(c *field.Context, blk Block, syms *expression.Symbols) Flow {
	if blk.node == nil {
		return nil
	}
	inner := c.With(syms)
	return b.Steps(inner, definition.ParseSteps(inner, blk.node))
}

// step compiles one step, or reports why not and returns nil.
func (b *Compiler) step(c *field.Context, def *definition.Step) *Node {
	action := b.actionKey(c, def)
	if action == nil {
		return nil
	}
	own, rest := split(def)
	var opts options
	if !optionsShape().DecodePairs(c, def.Node, own, &opts) {
		b.declareFailed(c, def)
		return nil
	}
	n := &Node{
		Name: string(opts.Name), Key: action.Key, At: c.Range(action.KeyNode),
		named: opts.Name != "", slot: -1, errorSlot: -1,
		when: opts.When, timeout: opts.Timeout, onError: opts.OnError.policy,
	}
	n.Identity = n.Name
	if n.Name == "" {
		n.Name = fmt.Sprintf("%s@%d", action.Key, action.KeyNode.Line)
		n.Identity = b.identity(action.Key, def.Node)
	}
	if n.Action = b.action(c, n, action, rest, def); n.Action == nil {
		b.declareFailed(c, def)
		return nil
	}
	b.name(c, n, def, opts)
	b.options(c, n, opts)
	return n
}

// identity names a step without a name by what it says, so that an edit above it
// changes nothing for what is under way; equal steps are told apart by their order.
func (b *Compiler) identity(key string, n *yaml.Node) string {
	h := sha256.New()
	digest(h, n, 0)
	id := key + "#" + hex.EncodeToString(h.Sum(nil)[:6])
	b.equal[id]++
	if k := b.equal[id]; k > 1 {
		id = fmt.Sprintf("%s.%d", id, k)
	}
	return id
}

// deepest bounds digest: an alias may stand inside of what it names.
const deepest = 100

// digest writes what a node says, whatever its style and its place.
func digest(w io.Writer, n *yaml.Node, depth int) {
	if depth > deepest {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	fmt.Fprintf(w, "%d %s %q[", n.Kind, n.ShortTag(), n.Value)
	for _, c := range n.Content {
		digest(w, c, depth+1)
	}
	io.WriteString(w, "]")
}

// declareFailed makes the name of a step with findings known, so that one
// mistake is not reported again wherever the step is used.
func (b *Compiler) declareFailed(c *field.Context, def *definition.Step) {
	if def.Name != "" {
		steps := c.Symbols.Lookup("steps")
		steps.Members[def.Name] = &expression.Symbol{Slot: b.slot()}
		b.declared[def.Name] = true
	}
}

// name gives the step its slot and makes its result visible.
func (b *Compiler) name(c *field.Context, n *Node, def *definition.Step, opts options) {
	if !n.named {
		return
	}
	if b.declared[n.Name] {
		c.Report(CodeDuplicateStep, diag.Error, def.NameNode, fmt.Sprintf("a step is already called %s", n.Name),
			fmt.Sprintf("steps.%s would mean two things; the first is at line %d.", n.Name, b.names[n.Name].Line),
			"give one of them another name")
		return
	}
	b.declared[n.Name] = true
	n.slot = b.slot()
	sym := &expression.Symbol{Slot: n.slot}
	if opts.OnError.policy == Continue {
		n.errorSlot = b.slot()
		sym.Members = map[string]*expression.Symbol{"error": {Slot: n.errorSlot}}
	}
	c.Symbols.Lookup("steps").Members[n.Name] = sym
}

func (b *Compiler) options(c *field.Context, n *Node, opts options) {
	withError := WithError(c.Symbols)
	if r := opts.Retry; r != nil {
		n.retry = &Retry{Attempts: r.Attempts, Backoff: pipelined.Backoff{
			Exponential: r.Backoff == "exponential", Initial: r.Initial, Max: r.Max, FullJitter: r.Jitter == "full"}}
		if r.When.node != nil {
			n.retry.When = field.Condition(c.With(withError), r.When.node)
		}
	}
	outer := b.handler
	b.handler = true
	if opts.OnError.policy == HandleSteps {
		n.handler = b.block(c, Block{opts.OnError.node}, withError)
	}
	n.compensate = b.block(c, opts.Compensate, withError)
	b.handler = outer
	n.options = n.timeout > 0 || n.retry != nil || n.compensate != nil || n.onError != FailFlow
}

// split parts a step's pairs into the options and what belongs to the action.
func split(def *definition.Step) (own, rest []field.Pair) {
	for _, p := range def.Fields {
		if slices.Contains(optionKeys, p.Key) {
			own = append(own, p)
		} else {
			rest = append(rest, p)
		}
	}
	return own, rest
}

// actionKey finds the one action of a step. It reports a step with none or two.
func (b *Compiler) actionKey(c *field.Context, def *definition.Step) *field.Pair {
	var found []*field.Pair
	var unknown []*field.Pair
	for i := range def.Fields {
		p := &def.Fields[i]
		switch {
		case b.isAction(p.Key):
			found = append(found, p)
		case !slices.Contains(optionKeys, p.Key):
			unknown = append(unknown, p)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	if len(found) > 1 {
		c.Report(CodeTwoActions, diag.Error, found[1].KeyNode,
			fmt.Sprintf("a step does one thing, but this one has %s and %s", found[0].Key, found[1].Key),
			"It would not be clear which runs first.", "make two steps of it")
		return nil
	}
	if len(unknown) > 0 {
		p := unknown[0]
		fix := "an action is one of: " + strings.Join(b.actionKeys(), ", ")
		if s := diag.Suggest(p.Key, append(b.actionKeys(), optionKeys...)); s != "" {
			fix = fmt.Sprintf("did you mean %s?", s)
		}
		c.Report(CodeUnknownAction, diag.Error, p.KeyNode, fmt.Sprintf("there is no action called %s", p.Key),
			"The step would do nothing.", fix)
		return nil
	}
	c.Report(CodeNoAction, diag.Error, def.Node, "this step has no action",
		"The step would do nothing.", "add one of: "+strings.Join(b.actionKeys(), ", "))
	return nil
}

func (b *Compiler) isAction(key string) bool {
	return b.Controls[key] != nil || b.Connectors.Operation(key) != nil
}

func (b *Compiler) actionKeys() []string {
	keys := append(slices.Collect(maps.Keys(b.Controls)), b.Connectors.Keys()...)
	slices.Sort(keys)
	return keys
}

// action builds what the step does. The step's key becomes that of the declaration,
// one text for all steps instead of one in each file.
func (b *Compiler) action(c *field.Context, n *Node, key *field.Pair, pairs []field.Pair, def *definition.Step) Action {
	if ctl := b.Controls[key.Key]; ctl != nil {
		if b.strays(c, ctl, pairs) {
			return nil
		}
		n.Key = ctl.Key
		return ctl.build(b, c, n, pairs, def)
	}
	return b.connectorAction(c, n, key, pairs)
}

// strays reports keys that neither the action nor a step takes.
func (b *Compiler) strays(c *field.Context, ctl *Control, pairs []field.Pair) bool {
	known := slices.Clone(optionKeys)
	for _, f := range ctl.Params.Fields() {
		known = append(known, f.Key)
	}
	found := false
	for _, p := range pairs {
		if slices.Contains(known, p.Key) {
			continue
		}
		found = true
		fix := "beside " + ctl.Key + " a step takes: " + strings.Join(known, ", ")
		if near := diag.Suggest(p.Key, known); near != "" {
			fix = "did you mean " + near + "?"
		}
		c.Report(field.CodeUnknownKey, diag.Error, p.KeyNode, "a step has no key "+p.Key, "It would be ignored.", fix)
	}
	return found
}

// inner returns symbols for a nested list whose step names are its own: what it
// declares does not show outside.
func (b *Compiler) inner(syms *expression.Symbols) *expression.Symbols {
	s := expression.NewSymbols(syms)
	outer := syms.Lookup("steps")
	s.Declare("steps", &expression.Symbol{Slot: -1, Closed: true, Members: maps.Clone(outer.Members)})
	return s
}

// close hides, in the outer scope, the step names a nested list declared, and
// returns them with their slots.
func (b *Compiler) close(outer, inner *expression.Symbols, why string) []named {
	out := outer.Lookup("steps").Members
	var names []named
	for name, sym := range inner.Lookup("steps").Members {
		before := out[name]
		if sym.Hidden != "" || (before != nil && before.Hidden == "") {
			continue
		}
		names = append(names, named{name, sym.Slot})
		out[name] = &expression.Symbol{Slot: -1, Hidden: fmt.Sprintf(why, name)}
	}
	slices.SortFunc(names, func(a, b named) int { return a.slot - b.slot })
	return names
}

// named is a step name and the slot of its result.
type named struct {
	name string
	slot int
}

// results gathers the named results of one turn or branch.
func results(x *execution.Execution, names []named) map[string]any {
	m := make(map[string]any, len(names))
	for _, n := range names {
		m[n.name] = x.Frame.Slots[n.slot]
	}
	return m
}

// clearResults makes the results of an earlier turn invisible.
func clearResults(x *execution.Execution, names []named) {
	for _, n := range names {
		x.Frame.Slots[n.slot] = nil
	}
}

// Handler compiles the pipeline's on_error steps: error is in scope.
func (b *Compiler) Handler(c *field.Context, list []*definition.Step) Flow {
	if len(list) == 0 {
		return nil
	}
	b.handler = true
	defer func() { b.handler = false }()
	return b.Steps(c.With(WithError(c.Symbols)), list)
}

// Used reports whether an expression of the pipeline reads a name of the base
// scope.
func (b *Compiler) Used(name string) bool {
	sym := b.base.Lookup(name)
	return sym != nil && sym.Used
}
