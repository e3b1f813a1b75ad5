package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/daemon"
)

func replayCommand(sets program.Sets) *cobra.Command {
	var q admin.Replay
	var asJSON bool
	c := &cobra.Command{
		Use:   "replay PIPELINE [DIR]",
		Short: "Give a pipeline events of the log again",
		Long: `Publishes events that are still in the log again, for one pipeline alone, with their ids,
times and keys. They come after everything that waits. Other pipelines do not see them.
How long events stay in the log is events.<type>.retain of pipelined.yaml.`,
		Example: `  pipelined events replay orders_process . --since 24h --dry-run
  pipelined events replay orders_process . --type order.received --key c-17
  pipelined events replay orders_process . --after 120000`,
		Args: between(1, 2, "events replay takes a pipeline and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Pipeline = args[0]
			if q.Since == 0 && q.After == 0 && q.Key == "" && !cmd.Flags().Changed("after") {
				return &daemon.UsageError{What: "say from where: --since, --after or --key", Fix: "for the whole log: --after 0"}
			}
			return withProject(cmd.Context(), dirArg(args, 1), sets, func(p daemon.Project) error {
				r, err := p.Replay(cmd.Context(), q)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), r)
				}
				did := "published again"
				if r.DryRun {
					did = "would be published again"
				}
				where := ""
				if r.Events > 0 {
					where = fmt.Sprintf(", numbers %d to %d", r.From, r.To)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d events %s for %s%s\n", r.Events, did, q.Pipeline, where)
				return err
			})
		},
	}
	f := c.Flags()
	f.StringSliceVar(&q.Types, "type", nil, "event types, wildcards allowed; default: all the pipeline subscribes to")
	durationFlag(f, &q.Since, "since", "published at most this long ago: 15m, 24h, 7d")
	f.Int64Var(&q.After, "after", 0, "numbers of the log above this one")
	f.StringVar(&q.Key, "key", "", "only events of this key")
	f.BoolVar(&q.DryRun, "dry-run", false, "only say how many it would be")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
