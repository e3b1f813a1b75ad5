package event

import (
	"reflect"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/triggers"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	where, order, fair, again := new(expression.Program), new(expression.Program), new(expression.Program), new(expression.Program)
	c := &field.Context{Diags: &diag.List{}}
	got := plan(&params{
		Types: []string{"order.*"}, From: "beginning",
		Options: triggers.Options{
			Where: expression.Condition{Program: where}, Concurrency: 8,
			OrderBy: expression.Bare{Program: order}, WhileWaiting: "skip", FairBy: expression.Bare{Program: fair},
			Retry:  &triggers.RetryOptions{Attempts: 3, Backoff: "constant", Initial: time.Second, Max: time.Minute, Jitter: "none", When: expression.Condition{Program: again}},
			MaxAge: time.Hour, SkipStale: true,
		},
	}, c)
	want := &triggers.Subscription{
		Types: []string{"order.*"}, Where: where, Concurrency: 8, OrderBy: order, WhileWaiting: "skip", FairBy: fair,
		Retry:  triggers.Retry{Attempts: 3, Backoff: pipelined.Backoff{Initial: time.Second, Max: time.Minute}, When: again},
		MaxAge: time.Hour, SkipStale: true, From: "beginning",
	}
	if !reflect.DeepEqual(got, want) || c.Diags.Len() > 0 {
		t.Errorf("got %+v, %v", got, c.Diags.All())
	}
}

func TestWithoutRetryThereIsOneDelivery(t *testing.T) {
	t.Parallel()
	c := &field.Context{Diags: &diag.List{}}
	got := plan(&params{Types: []string{"a"}, Options: triggers.Options{WhileWaiting: "block"}}, c).(*triggers.Subscription)
	if got.Retry != (triggers.Retry{}) || got.Where != nil || got.OrderBy != nil || got.FairBy != nil {
		t.Errorf("got %+v", got)
	}
}
