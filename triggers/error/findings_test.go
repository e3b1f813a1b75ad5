package error

import (
	"testing"

	"pipelined/triggers/triggertest"
)

func TestFindings(t *testing.T) {
	t.Parallel()
	triggertest.Golden(t, Trigger, "testdata/findings.txt")
}

func TestExamples(t *testing.T) {
	t.Parallel()
	triggertest.Examples(t, Trigger)
}
