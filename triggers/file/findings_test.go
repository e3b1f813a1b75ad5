package file_test

import (
	"testing"

	"pipelined/triggers/file"
	"pipelined/triggers/triggertest"
)

func TestFindings(t *testing.T) {
	t.Parallel()
	triggertest.Golden(t, file.Trigger, "testdata/findings.txt")
}

func TestExamples(t *testing.T) {
	t.Parallel()
	triggertest.Examples(t, file.Trigger)
}
