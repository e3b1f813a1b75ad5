package step

import (
	"fmt"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/value"
)

// readOnce has the streams of a step's result read by one reader each; the next one is
// told which step to run again.
func (n *Node) readOnce(x *execution.Execution, result any) any {
	m, ok := result.(map[string]any)
	if !ok {
		return result
	}
	for key, v := range m {
		s, ok := v.(value.Stream)
		if !ok {
			continue
		}
		pipeline := x.Pipeline()
		m[key] = value.Once(s, func() error {
			return pipelined.NewProblem(pipelined.TypeStream, "A stream is read once", 500, fmt.Sprintf(
				"%s of the step %s (pipeline %s, line %d) was read before: run that step again before each reader, or leave out `stream: true` to have a list",
				key, n.Name, pipeline, n.At.Start.Line))
		})
	}
	return m
}
