package http

import (
	"reflect"
	"testing"
	"time"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/triggers"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   params
		want triggers.Route
	}{
		{"the least", params{Method: "GET", Path: "/a", Respond: "wait"}, triggers.Route{Method: "GET", Path: "/a"}},
		{"all of it", params{Method: "POST", Path: "/a/{id}", Respond: "wait", Timeout: time.Second, Body: &body{Schema: "schemas/a.json", MaxSize: 5}},
			triggers.Route{Method: "POST", Path: "/a/{id}", Params: []string{"id"}, Timeout: time.Second, Schema: "schemas/a.json", MaxSize: 5, Required: true}},
		{"a body without a schema need not be there", params{Method: "POST", Path: "/a", Respond: "accepted", Body: &body{MaxSize: 5}},
			triggers.Route{Method: "POST", Path: "/a", MaxSize: 5, Accepted: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &field.Context{Diags: &diag.List{}}
			got, ok := plan(&tt.in, c).(*triggers.Route)
			if !ok || !reflect.DeepEqual(*got, tt.want) || c.Diags.Len() > 0 {
				t.Errorf("got %+v, %v", got, c.Diags.All())
			}
		})
	}
}
