package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
)

type stopParams struct {
	Stop Flag `yaml:"stop" required:"" doc:"true, or nothing after the colon."`
}

func stopControl() *Control {
	return define("stop", "Ends the flow successfully; what it did so far is committed.", "", `
- when: input.lines == nil
  stop: true
`, func(_ *Compiler, _ *field.Context, _ *Node, _ *stopParams) Action { return stop{} })
}

type stop struct{}

func (stop) Run(context.Context, *execution.Execution) (any, error) { return nil, execution.ErrStop }
func (stop) ends()                                                  {}
