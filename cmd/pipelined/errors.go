package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/daemon"
)

func errorsCommand(sets program.Sets) *cobra.Command {
	c := &cobra.Command{
		Use:   "errors",
		Short: "Look at what failed, and send it again, mend it or give it up",
		Long: `Works on error records: those that on_failure wrote and reprocess works off, and the dead
letters, which nothing handled. Every change is noted in the record's history.`,
	}
	c.AddCommand(errorsList(sets), errorsShow(sets), errorsRedrive(sets), errorsEdit(sets), errorsDiscard(sets))
	return c
}

// errorFlags are the filters every command takes.
type errorFlags struct {
	admin.ErrorQuery
	asJSON bool
}

func (e *errorFlags) add(f *pflag.FlagSet) {
	f.StringVar(&e.Collection, "collection", "", "only of this collection; default: all that hold error records")
	f.StringVar(&e.Pipeline, "pipeline", "", "only of this pipeline")
	f.StringVar(&e.Status, "status", "", "only pending, reprocessing, exhausted, resolved, discarded or redriven")
	f.StringVar(&e.Where, "where", "", "expression over doc")
	durationFlag(f, &e.Since, "since", "only what failed in the last 15m, 24h, 7d")
	f.IntVar(&e.Limit, "limit", 0, "at most this many")
	f.BoolVar(&e.asJSON, "json", false, "print JSON")
}

func errorsList(sets program.Sets) *cobra.Command {
	var e errorFlags
	c := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List error records, newest first, and how old the open ones are",
		Example: `  pipelined errors list .
  pipelined errors list . --pipeline orders_process --status exhausted --since 24h
  pipelined errors list . --where 'doc.error.status == 503' --json`,
		Args: between(0, 1, "errors list takes one project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withProject(cmd.Context(), dirArg(args, 0), sets, func(p daemon.Project) error {
				list, err := p.Errors(cmd.Context(), e.ErrorQuery)
				if err != nil {
					return err
				}
				if e.asJSON {
					return printJSON(cmd.OutOrStdout(), list)
				}
				return printFailures(cmd.OutOrStdout(), list)
			})
		},
	}
	e.add(c.Flags())
	return c
}

func printFailures(w io.Writer, list *admin.Failures) error {
	t := tabwriter.NewWriter(w, 2, 4, 2, ' ', 0)
	if len(list.Records) > 0 {
		fmt.Fprintln(t, "FAILED\tPIPELINE\tSTEP\tSTATUS\tATTEMPTS\tID\tERROR")
	}
	for _, f := range list.Records {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", f.FailedAt.Local().Format(time.DateTime), f.Pipeline, f.Step, f.Status, f.Attempts, f.ID, short(f.Error))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of %d that match\n", len(list.Records), list.Total)
	for _, a := range list.Aging {
		var parts []string
		for _, status := range []string{"pending", "reprocessing", "exhausted", "resolved", "redriven", "discarded"} {
			if n := a.ByStatus[status]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, status))
			}
		}
		oldest := ""
		if !a.Oldest.IsZero() {
			oldest = "; the oldest open one failed first " + a.Oldest.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s: %s%s\n", a.Collection, strings.Join(parts, ", "), oldest)
	}
	return nil
}

func short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 100 {
		return string(r[:97]) + "..."
	}
	return s
}

func errorsShow(sets program.Sets) *cobra.Command {
	var collection string
	c := &cobra.Command{
		Use:     "show ID [DIR]",
		Short:   "Show one error record: its error, input, event and history",
		Example: "  pipelined errors show 019a7c1e-… .",
		Args:    between(1, 2, "errors show takes an id and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withProject(cmd.Context(), dirArg(args, 1), sets, func(p daemon.Project) error {
				list, err := p.Errors(cmd.Context(), admin.ErrorQuery{IDs: args[:1], Collection: collection})
				if err != nil {
					return err
				}
				if len(list.Records) == 0 {
					return &daemon.UsageError{What: "there is no error record " + args[0], Fix: "pipelined errors list shows those there are"}
				}
				for _, f := range list.Records {
					if err := printJSON(cmd.OutOrStdout(), f.Record); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&collection, "collection", "", "the collection it is in; default: all")
	return c
}

// change runs a change on the records that arguments and filters name: ids first,
// the project folder last.
func change(cmd *cobra.Command, sets program.Sets, e *errorFlags, c admin.ErrorChange, args []string, all bool) error {
	q := e.ErrorQuery
	if len(args) == 0 {
		return &daemon.UsageError{What: "name records, and the project folder last", Fix: "for example: pipelined errors " + cmd.Name() + " ID ."}
	}
	q.IDs = args[:len(args)-1]
	if len(q.IDs) == 0 && q.Where == "" && q.Pipeline == "" && q.Status == "" && q.Collection == "" && q.Since == 0 && !all {
		return &daemon.UsageError{What: "say which records: by id, with filters, or --all", Fix: "try it with --dry-run first"}
	}
	c.ErrorQuery = q
	return withProject(cmd.Context(), args[len(args)-1], sets, func(p daemon.Project) error {
		done, err := p.ChangeErrors(cmd.Context(), c)
		if err != nil {
			return err
		}
		if e.asJSON {
			if err := printJSON(cmd.OutOrStdout(), done); err != nil {
				return err
			}
		} else {
			printChanges(cmd.OutOrStdout(), done)
		}
		if done.Failed > 0 {
			return &daemon.UsageError{What: fmt.Sprintf("%d of %d records were left as they are", done.Failed, len(done.Records))}
		}
		return nil
	})
}

func printChanges(w io.Writer, done *admin.Changes) {
	would := ""
	if done.DryRun {
		would = "would be "
	}
	for _, r := range done.Records {
		if r.Problem != "" {
			fmt.Fprintf(w, "%s: %s\n", r.ID, r.Problem)
			continue
		}
		fmt.Fprintf(w, "%s %s: %s%s\n", r.Collection, r.ID, would, r.Did)
	}
	fmt.Fprintf(w, "%d records %schanged\n", len(done.Records)-done.Failed, would)
}

func errorsRedrive(sets program.Sets) *cobra.Command {
	var e errorFlags
	var all bool
	c := admin.ErrorChange{Action: "redrive"}
	cmd := &cobra.Command{
		Use:   "redrive [ID...] DIR",
		Short: "Publish the events of failed executions again",
		Long: `Publishes the event of each record again, for the pipeline that failed, with the definition
as it is now, in one commit with the record's new state. On a stopped project the event waits
for the next start.`,
		Example: `  pipelined errors redrive 019a7c1e-… .
  pipelined errors redrive . --pipeline orders_process --where 'doc.error.status == 503' --dry-run
  pipelined errors redrive . --all`,
		RunE: func(cmd *cobra.Command, args []string) error { return change(cmd, sets, &e, c, args, all) },
	}
	f := cmd.Flags()
	e.add(f)
	f.BoolVar(&all, "all", false, "every open record")
	f.BoolVar(&c.Force, "force", false, "those whose event is under way, too")
	f.BoolVar(&c.DryRun, "dry-run", false, "only say what would be done")
	return cmd
}

func errorsDiscard(sets program.Sets) *cobra.Command {
	var e errorFlags
	var all bool
	c := admin.ErrorChange{Action: "discard"}
	cmd := &cobra.Command{
		Use:     "discard [ID...] DIR",
		Short:   "Give failed executions up",
		Long:    "Marks records as discarded: no reprocessor touches them any more. They stay, with their history.",
		Example: "  pipelined errors discard 019a7c1e-… . --reason 'order was cancelled'",
		RunE:    func(cmd *cobra.Command, args []string) error { return change(cmd, sets, &e, c, args, all) },
	}
	f := cmd.Flags()
	e.add(f)
	f.BoolVar(&all, "all", false, "every open record")
	f.StringVar(&c.Reason, "reason", "", "why; kept in the history")
	f.BoolVar(&c.DryRun, "dry-run", false, "only say what would be done")
	return cmd
}

func errorsEdit(sets program.Sets) *cobra.Command {
	var e errorFlags
	var input, set string
	c := admin.ErrorChange{Action: "edit"}
	cmd := &cobra.Command{
		Use:   "edit ID... DIR",
		Short: "Mend the input of failed executions",
		Long: `Changes the recorded input, and the event with it: as a whole with --input, or in parts with
--set, a JSON merge patch in which null removes a field. Both take JSON, @FILE, or -.`,
		Example: `  pipelined errors edit 019a7c1e-… . --set '{"customer":{"country":"DE"}}' --redrive
  pipelined errors edit 019a7c1e-… . --input @order.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, from := range []struct {
				name, arg string
				to        *json.RawMessage
			}{{"--input", input, &c.Input}, {"--set", set, &c.Set}} {
				if from.arg == "" {
					continue
				}
				text, err := readData(from.arg, cmd.InOrStdin())
				if err != nil {
					return err
				}
				if !json.Valid(text) {
					return &daemon.UsageError{What: from.name + " is not JSON"}
				}
				*from.to = text
			}
			if (input == "") == (set == "") {
				return &daemon.UsageError{What: "give either --input or --set"}
			}
			return change(cmd, sets, &e, c, args, false)
		},
	}
	f := cmd.Flags()
	e.add(f)
	f.StringVar(&input, "input", "", "the new input: JSON, @FILE, or - for standard input")
	f.StringVar(&set, "set", "", "a merge patch of the input: JSON, @FILE, or -")
	f.BoolVar(&c.Redrive, "redrive", false, "and publish the event again, in the same commit")
	f.BoolVar(&c.DryRun, "dry-run", false, "only say what would be done")
	return cmd
}
