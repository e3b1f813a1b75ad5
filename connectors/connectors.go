// Package connectors is what a connector is: one declaration from which come
// decoding, lint, defaults, the editor's schema and the reference page.
//
// A connector family is one package under connectors/ with one exported value
// made by Define. It may have a connection (an account declared in the project
// file and opened once per revision) and has one or more operations, each with
// parameters declared as a tagged struct. What is in the binary is the explicit
// list in connectors/all; there is no global registry.
package connectors

import (
	"context"
	"io"
	"log/slog"
	"reflect"

	"pipelined"
	"pipelined/internal/field"
)

// Doc describes a family or an operation to authors.
type Doc struct {
	Summary  string // one sentence
	Details  string // Markdown; optional
	Result   string // Markdown: the shape of the result, "`status`, `headers`, `body`"
	Examples []Example
}

// Example is a piece of YAML that lints: the value of the action's key, without the
// connection it is made with.
type Example struct{ Title, YAML, Connection string }

// Env is what the runtime lends to a connector.
type Env struct {
	Name   string // of the connection; empty for families without one
	Logger *slog.Logger
	Clock  pipelined.Clock
	// Dir is the project folder; relative files are below it.
	Dir string
}

// Call is what a running step tells the connector about itself.
type Call struct {
	Run, Event  string // ids, for idempotency with systems outside
	Pipeline    string
	Step        string
	Attempt     int
	Idempotency string // stable across tries and redeliveries of this very step
}

// CallOf returns the Call of a context given to an operation; the zero Call
// outside of one.
func CallOf(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// WithCall returns a context that carries c.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

type callKey struct{}

// Connector is a family as declared; make one with Define.
type Connector struct {
	Name       string
	Doc        Doc
	Connection *field.Shape // nil: the family takes no connection
	Operations []*Operation
	// Optional: operations may be used without a connection, and then share a
	// client opened with the zero connection.
	Optional bool

	connection reflect.Type
	open       func(ctx context.Context, conn any, env Env) (io.Closer, error)
}

// Operation is one action key an author can write: "rest", "db.query".
type Operation struct {
	Key       string // as written in YAML
	Doc       Doc
	Params    *field.Shape
	Connector *Connector
	params    reflect.Type
	effect    func(conn, params any) Effect
	call      func(ctx context.Context, client io.Closer, params any) (any, error)
}

// NewConnection returns a pointer to a zero connection struct; nil for a family
// that takes none.
func (c *Connector) NewConnection() any {
	if c.connection == nil {
		return nil
	}
	return reflect.New(c.connection).Interface()
}

// Open makes the client all operations of one connection share. conn is a
// pointer to the connection struct the Connection shape describes.
func (c *Connector) Open(ctx context.Context, conn any, env Env) (io.Closer, error) {
	return c.open(ctx, conn, env)
}

// NewParams returns a pointer to a zero parameter struct for a Binding to fill.
func (o *Operation) NewParams() any { return reflect.New(o.params).Interface() }

// Effect is what one call of an operation does to the world.
type Effect struct {
	Outside bool // it leaves the process: it may fail by itself, and happen again after a crash
	Reads   bool // it reads what is outside
	Writes  bool // it changes what is outside
	// Idempotent: to do it twice is as good as to do it once.
	Idempotent bool
	// Stream: its result holds a stream, which is gone when the flow has ended.
	Stream bool
}

// Effect says what a call with these parameters does. params is a pointer as
// NewParams returns, filled in as far as it is known; conn is a pointer to the
// connection struct, or nil where it is not known.
func (o *Operation) Effect(conn, params any) Effect { return o.effect(conn, params) }

// Call runs the operation. params is a pointer as NewParams returns. The result
// is a value (see package value). Errors that are not *pipelined.Problem are
// treated as internal ones.
func (o *Operation) Call(ctx context.Context, client io.Closer, params any) (any, error) {
	return o.call(ctx, client, params)
}

// WithoutConnection marks a family whose operations may be used without a
// connection, and returns it.
func (c *Connector) WithoutConnection() *Connector { c.Optional = true; return c }

// None is the connection type of a family that takes none; its clients are shared
// by all pipelines.
type None struct{}

// Define declares a family. C is the connection struct (None if it takes none);
// K is the client its operations work on. open checks and dials nothing that
// can be dialled later: a service that is away must not keep a project from
// starting. The client is called from many goroutines and closed once. Define
// panics on a mistake in the declaration.
func Define[C any, K io.Closer](name string, doc Doc, open func(ctx context.Context, c C, env Env) (K, error), ops ...OperationOf[K]) *Connector {
	c := &Connector{Name: name, Doc: doc}
	if _, none := any(*new(C)).(None); !none {
		c.Connection, c.connection = field.Of[C](), reflect.TypeFor[C]()
	}
	c.open = func(ctx context.Context, conn any, env Env) (io.Closer, error) {
		var v C
		if p, ok := conn.(*C); ok && p != nil {
			v = *p
		}
		return open(ctx, v, env)
	}
	for _, op := range ops {
		o := op.build()
		o.Key = name
		if op.name != "" {
			o.Key += "." + op.name
		}
		o.Connector = c
		c.Operations = append(c.Operations, o)
	}
	if len(c.Operations) == 0 {
		panic("connectors: " + name + " has no operations")
	}
	return c
}

// OperationOf is an operation on clients of type K, as given to Define.
type OperationOf[K io.Closer] struct {
	name  string
	build func() *Operation
}

// Op declares an operation; name is empty where the family's own name is the key.
// call is written as a method of the client: (*client).query. effect says what a call
// does to the world: Pure, or what depends on the parameters.
func Op[K io.Closer, P any](name string, doc Doc, effect func(conn any, p P) Effect, call func(client K, ctx context.Context, p P) (any, error)) OperationOf[K] {
	return OperationOf[K]{name: name, build: func() *Operation {
		return &Operation{
			Doc:    doc,
			Params: field.Of[P](),
			params: reflect.TypeFor[P](),
			effect: func(conn, params any) Effect { return effect(conn, *params.(*P)) },
			call: func(ctx context.Context, client io.Closer, params any) (any, error) {
				return call(client.(K), ctx, *params.(*P))
			},
		}
	}}
}

// Pure is the effect of an operation that only computes.
func Pure[P any](any, P) Effect { return Effect{Idempotent: true} }

// Set is the connectors of one binary or one test, by name.
type Set struct {
	families   map[string]*Connector
	operations map[string]*Operation
}

// NewSet returns a set; two families of one name are a bug and panic.
func NewSet(list ...*Connector) *Set {
	s := &Set{families: map[string]*Connector{}, operations: map[string]*Operation{}}
	for _, c := range list {
		if s.families[c.Name] != nil {
			panic("connectors: " + c.Name + " is listed twice")
		}
		s.families[c.Name] = c
		for _, o := range c.Operations {
			s.operations[o.Key] = o
		}
	}
	return s
}

// Family returns a family by name, or nil.
func (s *Set) Family(name string) *Connector { return s.families[name] }

// Operation returns an operation by its key, or nil.
func (s *Set) Operation(key string) *Operation { return s.operations[key] }

// Families and Keys list what there is, in no order.
func (s *Set) Families() []*Connector {
	out := make([]*Connector, 0, len(s.families))
	for _, c := range s.families {
		out = append(out, c)
	}
	return out
}

// Keys lists every action key.
func (s *Set) Keys() []string {
	out := make([]string, 0, len(s.operations))
	for k := range s.operations {
		out = append(out, k)
	}
	return out
}
