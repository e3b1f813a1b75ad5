package error

import (
	"slices"
	"testing"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/triggers"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		in, want []string
		findings int
	}{
		{"none means all", nil, nil, 0},
		{"named pipelines", []string{"b", "a"}, []string{"b", "a"}, 0},
		{"a pipeline named twice counts once", []string{"a", "a"}, []string{"a"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &field.Context{Diags: &diag.List{}}
			var p params
			for _, name := range tt.in {
				p.Pipelines = append(p.Pipelines, field.Name(name))
			}
			got := plan(&p, c).(*triggers.Failures)
			if !slices.Equal(got.Pipelines, tt.want) || c.Diags.Len() != tt.findings || c.Diags.HasErrors() {
				t.Errorf("got %v, %v", got.Pipelines, c.Diags.All())
			}
		})
	}
}
