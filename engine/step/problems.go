package step

import (
	"context"

	"pipelined"
)

func assertProblem(detail string) *pipelined.Problem {
	return pipelined.NewProblem(pipelined.TypeAssert, "An assertion does not hold", 500, detail)
}

func runCatch(ctx context.Context, x *Execution, flow Flow, err error) error {
	restore := x.showError(pipelined.AsProblem(err))
	defer restore()
	return flow.Run(ctx, x)
}
