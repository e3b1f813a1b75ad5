package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/daemon"
)

// withProject runs f on the project in dir, running or stopped.
func withProject(ctx context.Context, dir string, sets program.Sets, f func(daemon.Project) error) error {
	p, _, done, err := daemon.Connect(ctx, dir, sets)
	if err != nil {
		return err
	}
	return errors.Join(f(p), done())
}

// dirArg is the folder argument, which defaults to the current folder.
func dirArg(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return "."
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// between demands from lo to hi arguments.
func between(lo, hi int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < lo || len(args) > hi {
			return &daemon.UsageError{What: what}
		}
		return nil
	}
}
