// Command pipelined runs projects of YAML pipelines and looks at them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	connectorsall "pipelined/connectors/all"
	"pipelined/engine/program"
	"pipelined/internal/daemon"
	triggersall "pipelined/triggers/all"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signals()
	defer stop()
	root := &cobra.Command{
		Use:           "pipelined",
		Short:         "Runs YAML pipelines: synchronous and event-driven, durable, in one binary.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &daemon.UsageError{What: err.Error()} })
	sets := program.Sets{Connectors: connectorsall.Set(), Triggers: triggersall.Set()}
	root.AddCommand(runCommand(sets), lintCommand(sets), eventsCommand(sets), errorsCommand(sets), backupCommand(sets), restoreCommand(sets), executionsCommand(sets), objectsCommand(sets), versionCommand())
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && daemon.ExitCode(err) != daemon.ExitFindings {
		fmt.Fprintln(os.Stderr, "pipelined: "+daemon.Explain(err))
	}
	return daemon.ExitCode(err)
}

// signals returns a context that ends at the first SIGINT or SIGTERM. The second
// exits at once: everything acknowledged is in the store already.
func signals() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-ch
		fmt.Fprintln(os.Stderr, "pipelined: stopping; what runs ends first (once more to exit at once)")
		cancel()
		<-ch
		os.Exit(130)
	}()
	return ctx, func() { signal.Stop(ch); cancel() }
}
