package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/daemon"
	"pipelined/internal/store"
)

func executionsCommand(sets program.Sets) *cobra.Command {
	c := &cobra.Command{Use: "executions", Short: "Look at what ran"}
	c.AddCommand(executionsList(sets), executionsShow(sets))
	return c
}

func executionsList(sets program.Sets) *cobra.Command {
	var q admin.ExecutionQuery
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List executions, newest first",
		Long: `Lists executions, newest first. Failures are always kept; successes as the project's
history policy says, and while the project runs the newest few hundred in any case.`,
		Example: `  pipelined executions list .
  pipelined executions list . --pipeline orders_process --status failed --since 1h`,
		Args: between(0, 1, "executions list takes one project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withProject(cmd.Context(), dirArg(args, 0), sets, func(p daemon.Project) error {
				list, err := p.Executions(cmd.Context(), q)
				if err != nil {
					return err
				}
				if asJSON {
					if list == nil {
						list = []store.Execution{}
					}
					return printJSON(cmd.OutOrStdout(), list)
				}
				return printExecutions(cmd, list)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&q.Pipeline, "pipeline", "", "only of this pipeline")
	f.StringVar(&q.Status, "status", "", "only ok, failed, retrying or rejected")
	durationFlag(f, &q.Since, "since", "only younger than this: 15m, 24h, 7d")
	f.IntVar(&q.Limit, "limit", 50, "at most this many")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printExecutions(cmd *cobra.Command, list []store.Execution) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no executions match")
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 2, 4, 2, ' ', 0)
	fmt.Fprintln(t, "STARTED\tPIPELINE\tSTATUS\tTOOK\tATTEMPT\tID\tPROBLEM")
	for _, x := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", x.StartedAt.Local().Format(time.DateTime), x.Pipeline, x.Status,
			x.EndedAt.Sub(x.StartedAt).Round(10*time.Microsecond), x.Attempt, x.ID, problemLine(x))
	}
	return t.Flush()
}

func problemLine(x store.Execution) string {
	var p pipelined.Problem
	if x.Problem == "" || json.Unmarshal([]byte(x.Problem), &p) != nil {
		return ""
	}
	s := p.Error()
	if x.HandledBy != "" {
		s += " (" + x.HandledBy + ")"
	}
	if len(s) > 100 {
		s = s[:97] + "..."
	}
	return s
}

func executionsShow(sets program.Sets) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "show ID [DIR]",
		Short:   "Show one execution",
		Example: "  pipelined executions show 019a7c1e-… .",
		Args:    between(1, 2, "executions show takes an id and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withProject(cmd.Context(), dirArg(args, 1), sets, func(p daemon.Project) error {
				x, err := p.Execution(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), shown(x))
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (always so)")
	return c
}

// shown is an execution with its documents as JSON instead of as text.
func shown(x *store.Execution) any {
	type plain store.Execution
	out := struct {
		plain
		Problem json.RawMessage `json:"problem,omitempty"`
		Input   json.RawMessage `json:"input,omitempty"`
	}{plain: plain(*x)}
	if x.Problem != "" {
		out.Problem = json.RawMessage(x.Problem)
	}
	if x.Input != "" {
		out.Input = json.RawMessage(x.Input)
	}
	return out
}
