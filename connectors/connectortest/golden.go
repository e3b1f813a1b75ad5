package connectortest

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pipelined/connectors"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Golden compares what lint finds in parameters with a file that holds input and
// output together:
//
//	=== db.query: what the case shows
//	sql: select ?, :a
//	---
//	test.yaml:1:6  error E263  …
//
// Run the test with -update to write what is found, and read the difference.
func Golden(t *testing.T, c *connectors.Connector, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(string(text), "=== "), "\n=== ") {
		title, body, _ := strings.Cut(part, "\n")
		key, _, _ := strings.Cut(title, ":")
		input, want, _ := strings.Cut(body+"\n", "---\n")
		got := render(Findings(t, operation(t, c, key), input), input)
		fmt.Fprintf(&out, "=== %s\n%s---\n%s\n", title, input, got)
		if !*update && strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", title, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
