package validate

import (
	"testing"

	"pipelined/connectors"
	"pipelined/internal/value"
)

// Client gives tests what is behind a connection.
type Client struct{ *client }

func Open(t *testing.T, dir string) Client {
	t.Helper()
	c, err := open(t.Context(), connectors.None{}, connectors.Env{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return Client{c}
}

func (c Client) Check(t *testing.T, doc string, schema any) error {
	t.Helper()
	_, err := c.check(t.Context(), params{Value: value.Raw(doc), Schema: schema})
	return err
}

func (c Client) Kept() int { return len(c.compiled) }
