package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/daemon"
	"pipelined/internal/diag"
)

func lintCommand(sets program.Sets) *cobra.Command {
	var format string
	var asJSON bool
	c := &cobra.Command{
		Use:   "lint DIR",
		Short: "Check a project: syntax, fields, expressions, and the wiring between pipelines",
		Long: `Checks a project folder with the very code that starts it: what passes lint starts.
Exit status 1 means there are errors; warnings alone are 0.`,
		Example: `  pipelined lint .
  pipelined lint . --json
  pipelined lint . --format sarif > findings.sarif`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := daemon.Load(args[0], sets)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
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
			if err == nil && l.Program == nil {
				err = daemon.ErrFindings
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print findings as JSON")
	c.Flags().StringVar(&format, "format", "text", "text, json or sarif")
	return c
}
