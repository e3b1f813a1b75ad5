package rest

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// Findings about settings of the connector.
var (
	CodeStatuses = diag.Code{ID: "E261", Title: "not a list of statuses"}
	CodeInsecure = diag.Code{ID: "E266", Title: "certificates that are not checked"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code { return []diag.Code{CodeStatuses, CodeInsecure} }

// statuses are the answers that are no error; none means 200-299.
type statuses []statusRange

type statusRange struct{ from, to int }

// FieldType is what the reference calls it.
func (*statuses) FieldType() string { return "statuses" }

// DecodeField takes a literal such as 200-299,404.
func (s *statuses) DecodeField(c *field.Context, n *yaml.Node) {
	parsed, ok := parseStatuses(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		c.Report(CodeStatuses, diag.Error, n, "success takes statuses and ranges of them",
			"No answer could be told from an error.", "write numbers from 100 to 599, such as 200-299,404")
		return
	}
	*s = parsed
}

func (s statuses) contain(status int) bool {
	if len(s) == 0 {
		return status >= 200 && status <= 299
	}
	for _, r := range s {
		if status >= r.from && status <= r.to {
			return true
		}
	}
	return false
}

func parseStatuses(text string) (statuses, bool) {
	var out statuses
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		r := statusRange{statusOf(from), statusOf(to)}
		if r.from == 0 || r.to < r.from {
			return nil, false
		}
		out = append(out, r)
	}
	return out, true
}

// statusOf reads a status; 0 if it is none.
func statusOf(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 100 || n > 599 {
		return 0
	}
	return n
}
