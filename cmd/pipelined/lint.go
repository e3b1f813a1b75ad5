package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/daemon"
	"pipelined/internal/diag"
)

func lintCommand(sets program.Sets) *cobra.Command {
	var format string
	var asJSON, strict, fix bool
	c := &cobra.Command{
		Use:   "lint DIR",
		Short: "Check a project: syntax, fields, expressions, and the wiring between pipelines",
		Long: `Checks a project folder with the very code that starts it: what passes lint starts.
Exit status 1 means there are errors; warnings alone are 0, unless --strict is given.
--fix first mends what is sure: spellings, quotes, ${{ }} around an expression that is one anyway.`,
		Example: `  pipelined lint .
  pipelined lint . --fix
  pipelined lint . --strict
  pipelined lint . --json
  pipelined lint . --format sarif > findings.sarif`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			l, err := load(cmd.ErrOrStderr(), args[0], sets, fix)
			if err != nil {
				return err
			}
			switch {
			case asJSON || format == "json":
				err = diag.JSON(out, l.Findings)
			case format == "sarif":
				err = diag.SARIF(out, l.Findings)
			case len(l.Findings) == 0:
				_, err = fmt.Fprintf(out, "%s: %d pipelines, nothing to report\n", args[0], len(l.Program.Pipelines))
			default:
				l.Show(out, terminal(os.Stdout))
			}
			if err == nil && (l.Program == nil || strict && diag.Warnings(l.Findings)) {
				err = daemon.ErrFindings
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print findings as JSON")
	c.Flags().StringVar(&format, "format", "text", "text, json or sarif")
	c.Flags().BoolVar(&strict, "strict", false, "fail on warnings too")
	c.Flags().BoolVar(&fix, "fix", false, "mend what is sure, in the files, and say what it was")
	return c
}

// load reads a project, mended first if fix says so; what was mended is said to w.
func load(w io.Writer, dir string, sets program.Sets, fix bool) (*daemon.Loaded, error) {
	if !fix {
		return daemon.Load(dir, sets)
	}
	l, mended, err := daemon.Fix(dir, sets)
	for _, d := range mended {
		fmt.Fprintf(w, "mended %s:%d:%d  %s  %s\n", d.Range.File, d.Range.Start.Line, d.Range.Start.Column, d.Code.ID, d.Summary)
	}
	return l, err
}
