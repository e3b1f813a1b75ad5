package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/daemon"
)

func eventsCommand(sets program.Sets) *cobra.Command {
	c := &cobra.Command{Use: "events", Short: "Publish events by hand, or again"}
	var ev admin.Event
	var data string
	var headers []string
	var asJSON bool
	publish := &cobra.Command{
		Use:   "publish TYPE [DIR]",
		Short: "Publish an event",
		Long: `Publishes an event, as a publish step would. Data is JSON, given with --data, as a file
with --data @FILE, or on standard input with --data -. On a stopped project the event waits
for the next start.`,
		Example: `  pipelined events publish order.received . --data '{"id":"o-1","lines":[]}'
  pipelined events publish order.received . --data @order.json --key o-1`,
		Args: between(1, 2, "events publish takes an event type and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ev.Type = args[0]
			text, err := readData(data, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if !json.Valid(text) {
				return &daemon.UsageError{What: "--data is not JSON"}
			}
			ev.Data = text
			for _, h := range headers {
				k, v, ok := strings.Cut(h, "=")
				if !ok {
					return &daemon.UsageError{What: "--header takes name=value, not " + h}
				}
				if ev.Headers == nil {
					ev.Headers = map[string]string{}
				}
				ev.Headers[k] = v
			}
			return withProject(cmd.Context(), dirArg(args, 1), sets, func(p daemon.Project) error {
				id, err := p.PublishEvent(cmd.Context(), ev)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), map[string]string{"event_id": id})
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
				return err
			})
		},
	}
	f := publish.Flags()
	f.StringVar(&data, "data", "null", "JSON, @FILE, or - for standard input")
	f.StringVar(&ev.Key, "key", "", "orders and partitions; default is the key the event type declares")
	f.StringVar(&ev.ID, "id", "", "publish only once with this id")
	f.StringArrayVar(&headers, "header", nil, "name=value, may be repeated")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(publish, replayCommand(sets))
	return c
}

func readData(arg string, stdin io.Reader) ([]byte, error) {
	if arg == "-" {
		return io.ReadAll(stdin)
	}
	if name, ok := strings.CutPrefix(arg, "@"); ok {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, &daemon.UsageError{What: "--data: " + err.Error()}
		}
		return text, nil
	}
	return []byte(arg), nil
}
