package connectortest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/value"
)

// The suite itself is tested with a connector that does what it is told.

type fakeParams struct {
	Say  any    `yaml:"say" doc:"The result."`
	Fail string `yaml:"fail" doc:"Type of the problem."`
	Wait bool   `yaml:"wait" doc:"Wait for the end of the context."`
}

type fakeClient struct{ reached chan struct{} }

func (c *fakeClient) Close() error { return nil }

func (c *fakeClient) do(ctx context.Context, p fakeParams) (any, error) {
	switch {
	case p.Wait:
		c.reached <- struct{}{}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case p.Fail != "":
		return nil, pipelined.NewProblem(p.Fail, "Failed", 503, "as told").Transient()
	}
	return map[string]any{"said": p.Say, "stream": &fakeStream{n: 2}}, nil
}

type fakeStream struct{ n int }

func (s *fakeStream) Next(ctx context.Context) (any, bool, error) {
	s.n--
	return s.n, s.n >= 0, ctx.Err()
}
func (s *fakeStream) Close() error { return nil }

type secretConnection struct {
	Password pipelined.Secret `yaml:"password" doc:"Password."`
	Inner    *innerConnection `yaml:"inner" doc:"More."`
}

type innerConnection struct {
	Token pipelined.Secret `yaml:"token" doc:"Token."`
}

func fake(reached chan struct{}) *connectors.Connector {
	return connectors.Define("fake", connectors.Doc{Summary: "Does what it is told."},
		func(context.Context, secretConnection, connectors.Env) (*fakeClient, error) {
			return &fakeClient{reached}, nil
		},
		connectors.Op("", connectors.Doc{Summary: "Does it.", Result: "`said`", Examples: []connectors.Example{{Title: "Say", YAML: "say: 1\n"}}}, connectors.Pure, (*fakeClient).do),
	).WithoutConnection()
}

func TestRun(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	Run(t, fake(reached), []Case{
		{Name: "a result, and streams read to their end", Params: "say: \"${{ input.n }}\"", Input: value.Raw(`{"n": 1.10}`), Want: `{"said": 1.10, "stream": [1, 0]}`},
		{Name: "a problem", Operation: "fake", Params: "fail: fake/failed", Problem: "fake/failed", Status: 503, Retriable: true, Detail: "as told"},
		{Name: "cancelled", Params: "wait: true", Reached: reached},
	})
}

func TestVerdictsFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	problem := pipelined.NewProblem("a/b", "Failed", 404, "with hunter2x")
	problem.Data = []byte(`{"n": 1}`)
	tests := []struct {
		name   string
		c      Case
		result any
		err    error
		want   string
	}{
		{"the right result", Case{Want: `{"a": 1}`}, map[string]any{"a": 1, "b": 2}, nil, ""},
		{"another result", Case{Want: `{"a": [{"b": 1}]}`}, value.Raw(`{"a": [{"b": 2}]}`), nil, "result.a[0].b differs"},
		{"other digits", Case{Want: `1.10`}, value.Raw(`1.1`), nil, "differs"},
		{"a list that is longer", Case{Want: `[1]`}, value.Raw(`[1, 2]`), nil, "differs"},
		{"a member that is missing", Case{Want: `{"a": null}`}, value.Raw(`{}`), nil, "result.a differs"},
		{"a list for an object", Case{Want: `{}`}, value.Raw(`[]`), nil, "differs"},
		{"an expectation that is no JSON", Case{Want: `{`}, value.Raw(`1`), nil, "is not JSON"},
		{"a result that is no value", Case{Want: `1`}, func() {}, nil, "not a value"},
		{"a result instead of a problem", Case{Problem: "a/b"}, value.Raw(`1`), nil, "no problem"},
		{"the right problem", Case{Problem: "a/b", Status: 404, Detail: "with", Data: `{"n": 1}`}, nil, problem, ""},
		{"a problem instead of a result", Case{Want: `1`}, nil, problem, "problem a/b"},
		{"another problem", Case{Problem: "a/c"}, nil, problem, "want a/c"},
		{"another status", Case{Problem: "a/b", Status: 500}, nil, problem, "status 404"},
		{"retriable or not", Case{Problem: "a/b", Retriable: true}, nil, problem, "retriable false"},
		{"another detail", Case{Problem: "a/b", Detail: "without"}, nil, problem, `want "without"`},
		{"other data", Case{Problem: "a/b", Data: `{"n": 2}`}, nil, problem, "data.n differs"},
		{"a status that is no error's", Case{Problem: "a/b"}, nil, pipelined.NewProblem("a/b", "", 200, ""), "no error's"},
		{"an error that is no problem", Case{Problem: "a/b"}, nil, errors.New("oops"), "no problem"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := (&session{Case: tt.c}).verdict(tt.result, tt.err)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	leaky := &session{Case: Case{Problem: "a/b"}, secrets: []string{"hunter2x"}}
	if got := leaky.verdict(nil, problem); !strings.Contains(got, "secret") {
		t.Errorf("a secret in an error is not found: %q", got)
	}
}

func TestSecretsOfAConnection(t *testing.T) {
	t.Parallel()
	_, secrets, err := open(t, fake(nil), "password: hunter2x\ninner: { token: tok-1 }\n", "")
	if err != nil || strings.Join(secrets, " ") != "hunter2x tok-1" {
		t.Errorf("%v %v", secrets, err)
	}
	_, secrets, err = open(t, fake(nil), "password: abc\n", "")
	if err != nil || len(secrets) != 0 {
		t.Errorf("a text of three letters cannot be told from others: %v %v", secrets, err)
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	c := Open(t, fake(nil), "password: hunter2x\n")
	got, err := c.Operate(t.Context(), "fake", "say: \"${{ input }}\"", "hi")
	if err != nil || got.(map[string]any)["said"] != "hi" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := Call(t, fake(nil), "", "fail: a/b", nil); pipelined.AsProblem(err).Type != "a/b" {
		t.Errorf("%v", err)
	}
	if _, err := c.Call(t.Context(), "say: \"${{ input.a.b + 1 }}\"", value.Raw(`{"a": {"b": "x"}}`)); err == nil {
		t.Error("an expression that fails gave a result")
	}
	if err := OpenError(t, fake(nil), "", ""); err != nil {
		t.Errorf("%v", err)
	}
	if found := Findings(t, fake(nil).Operations[0], "syy: 1\n"); len(found) != 1 || !strings.Contains(render(found, "syy: 1\n"), "say") {
		t.Errorf("%v", found)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	Golden(t, fake(nil), "testdata/findings.txt")
}
