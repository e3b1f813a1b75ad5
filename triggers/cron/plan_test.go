package cron

import (
	"testing"
	"time"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/triggers"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	c := &field.Context{Diags: &diag.List{}}
	got, ok := plan(&params{Schedule: "30 2 * * *", Timezone: "Europe/Berlin", Missed: "all", Overlap: "queue"}, c).(*triggers.Schedule)
	if !ok || c.Diags.Len() > 0 {
		t.Fatalf("no plan: %v", c.Diags.All())
	}
	next := got.Next(moment(t, "2026-07-01T12:00:00Z"))
	if !next.Equal(moment(t, "2026-07-02T02:30:00+02:00")) || got.Location.String() != "Europe/Berlin" ||
		got.Expression != "30 2 * * *" || got.Missed != "all" || got.Overlap != "queue" {
		t.Errorf("got %+v, next %s", got, next.Format(time.RFC3339))
	}
}
