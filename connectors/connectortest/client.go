package connectortest

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"testing"

	"pipelined/connectors"
	"pipelined/internal/clock"
)

// Client is an opened connection for tests of several calls that depend on each
// other. It closes with its test.
type Client struct {
	t         testing.TB
	connector *connectors.Connector
	client    io.Closer
}

// Open opens a connection given in YAML; empty for none.
func Open(t testing.TB, c *connectors.Connector, connection string) *Client {
	t.Helper()
	client, _, err := open(t, c, connection, t.TempDir())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	return &Client{t, c, client}
}

// OpenError returns why a connection cannot be opened.
func OpenError(t testing.TB, c *connectors.Connector, connection, dir string) error {
	t.Helper()
	client, _, err := open(t, c, connection, dir)
	if err == nil {
		client.Close()
	}
	return err
}

// Call runs the connector's first operation, with parameters in YAML.
func (c *Client) Call(ctx context.Context, params string, input any) (any, error) {
	c.t.Helper()
	return c.Operate(ctx, "", params, input)
}

// Operate runs an operation by its key. A stream in the result is the caller's to
// close.
func (c *Client) Operate(ctx context.Context, key, params string, input any) (any, error) {
	c.t.Helper()
	op := operation(c.t, c.connector, key)
	p := op.NewParams()
	if err := decodeParams(c.t, op, params).Bind(frame(input), p); err != nil {
		return nil, err
	}
	return op.Call(withCall(ctx), c.client, p)
}

// Call opens, runs the first operation once, and closes.
func Call(t testing.TB, c *connectors.Connector, connection, params string, input any) (any, error) {
	t.Helper()
	return Open(t, c, connection).Call(t.Context(), params, input)
}

func operation(t testing.TB, c *connectors.Connector, key string) *connectors.Operation {
	t.Helper()
	if key == "" {
		return c.Operations[0]
	}
	for _, o := range c.Operations {
		if o.Key == key {
			return o
		}
	}
	t.Fatalf("%s has no operation %s", c.Name, key)
	return nil
}

func open(t testing.TB, c *connectors.Connector, connection, dir string) (client io.Closer, secrets []string, err error) {
	t.Helper()
	conn := c.NewConnection()
	if connection != "" {
		decodeConnection(t, c, connection, conn)
		secrets = secretsIn(reflect.ValueOf(conn))
	}
	env := connectors.Env{Name: "test", Logger: slog.New(slog.DiscardHandler), Clock: clock.Real(), Dir: dir}
	client, err = c.Open(t.Context(), conn, env)
	return client, secrets, err
}

func withCall(ctx context.Context) context.Context {
	return connectors.WithCall(ctx, connectors.Call{Run: "run-1", Pipeline: "test", Step: "step", Attempt: 1, Idempotency: "idempotency-1"})
}
