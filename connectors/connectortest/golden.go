package connectortest

import (
	"strings"
	"testing"

	"pipelined/connectors"
	"pipelined/internal/golden"
)

// Golden compares what lint finds in parameters with a file that holds both:
//
//	-- db.query: what the case shows --
//	sql: select ?, :a
//	-- findings --
//	test.yaml:1:6  error E263  …
func Golden(t *testing.T, c *connectors.Connector, file string) {
	t.Helper()
	golden.Run(t, file, func(t *testing.T, in *golden.Case) string {
		key, _, _ := strings.Cut(in.Name(), ":")
		return render(Findings(t, operation(t, c, key), in.Text()), in.Text())
	})
}
