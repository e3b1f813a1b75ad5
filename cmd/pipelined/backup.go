package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/daemon"
	"pipelined/internal/store/sqlite"
)

func backupCommand(sets program.Sets) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE [DIR]",
		Short: "Copy a project's data into a file, while it runs or not",
		Long: `Copies the store as it is at one moment into one file, and checks the copy. The project
may run and is not held up.`,
		Example: `  pipelined backup /backups/shop-$(date +%F).db .`,
		Args:    between(1, 2, "backup takes a file to write and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := storePath(dirArg(args, 1), sets)
			if err != nil {
				return err
			}
			err = sqlite.Backup(cmd.Context(), path, args[0])
			switch {
			case errors.Is(err, os.ErrExist):
				return &daemon.UsageError{What: args[0] + " is there already", Fix: "name a new file"}
			case errors.Is(err, os.ErrNotExist):
				return &daemon.UsageError{What: "this project has no data yet: there is no " + path}
			case err != nil:
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "copied %s to %s\n", path, args[0])
			return err
		},
	}
}

func restoreCommand(sets program.Sets) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE [DIR]",
		Short: "Put a backup in the place of a stopped project's data",
		Long: `Checks the backup, puts the project's data aside and the backup in its place. The project
must be stopped. What happened since the backup, in the project and outside it, is not known
to it any more: schedules catch up as their missed says, and what was acknowledged to others
after the backup will not be asked for again.`,
		Example: `  pipelined restore /backups/shop-2026-11-21.db .`,
		Args:    between(1, 2, "restore takes a backup and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := storePath(dirArg(args, 1), sets)
			if err != nil {
				return err
			}
			before, err := sqlite.Restore(cmd.Context(), args[0], path)
			if err != nil {
				return err
			}
			if before != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "put aside %s\n", before)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "restored %s\n", path)
			return err
		},
	}
}

// storePath is where the data of a project is.
func storePath(dir string, sets program.Sets) (string, error) {
	l, err := daemon.Load(dir, sets)
	if err != nil {
		return "", err
	}
	return l.StorePath(), nil
}
