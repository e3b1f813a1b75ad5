package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/daemon"
)

func runCommand(sets program.Sets) *cobra.Command {
	o := daemon.Options{Sets: sets, Version: version(), Drain: 30 * time.Second}
	var format, level string
	c := &cobra.Command{
		Use:   "run DIR",
		Short: "Run the project in a folder until stopped",
		Long: `Runs every pipeline of a project folder: listens for requests, fires schedules,
delivers events. Data is kept in DIR/.pipelined unless pipelined.yaml says otherwise.
SIGTERM or Ctrl-C stops it in good order: what runs ends first. SIGHUP reloads the folder, as
--watch does whenever files change: what runs ends as it began, a folder with errors changes
nothing.`,
		Example: `  pipelined run pipelines/quickstart
  pipelined run . --watch
  pipelined run . --listen 0.0.0.0:8080 --log-format json`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			o.Reload = hangup
			o.Logger = logger(format, level)
			o.Out, o.Color = cmd.ErrOrStderr(), terminal(os.Stderr)
			return daemon.Run(cmd.Context(), args[0], o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Watch, "watch", false, "reload when files change")
	f.StringVar(&o.Listen, "listen", "", "address for requests, instead of server.listen")
	f.StringVar(&o.Admin, "admin", "", "address of the admin API, instead of admin.listen")
	durationFlag(f, &o.Drain, "drain", "how long what runs may take to end when stopping")
	f.BoolVar(&o.Profiles, "profiles", false, "serve Go's profiles on the admin listener, under /debug/pprof")
	f.StringVar(&format, "log-format", "text", "text or json")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return c
}

func logger(format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stdout, o))
	}
	return slog.New(slog.NewTextHandler(os.Stdout, o))
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}

// oneDir demands exactly one folder.
func oneDir(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return &daemon.UsageError{What: "name one project folder", Fix: "for example: pipelined run pipelines/quickstart"}
	}
	return nil
}
