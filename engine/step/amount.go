package step

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

// amount is a whole number from 0, literal or with ${{ }}.
type amount struct{ field.JSON }

// FieldType names the type in the reference.
func (amount) FieldType() string { return "whole number, from 0" }

// DecodeField compiles the value; a literal that is no such number is a finding.
func (a *amount) DecodeField(c *field.Context, n *yaml.Node) {
	a.JSON.DecodeField(c, n)
	if v, ok := a.Constant(); ok {
		if i, isInt := value.Int(v); !isInt || i < 0 {
			c.Report(field.CodeWrongType, diag.Error, n, fmt.Sprintf("a whole number from 0 is needed here, not %s", value.Describe(v)),
				"The step would fail.", "write a number, such as 100")
		}
	}
}

// eval is the number, 0 where none is written. what is what to call it.
func (a *amount) eval(x *execution.Execution, what string) (int, error) {
	if a.IsZero() {
		return 0, nil
	}
	v, err := a.Eval(x.Frame)
	if err != nil {
		return 0, err
	}
	n, ok := value.Int(v)
	if !ok || n < 0 {
		return 0, pipelined.Problemf(pipelined.TypeExpression, what+" is not a count", 500, "it is %s", value.Describe(v))
	}
	return int(n), nil
}
