package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/daemon"
)

func objectsCommand(sets program.Sets) *cobra.Command {
	c := &cobra.Command{Use: "objects", Short: "Look into the object store"}
	var q admin.ObjectQuery
	var asJSON bool
	find := &cobra.Command{
		Use:   "find COLLECTION [DIR]",
		Short: "Find documents of a collection",
		Long: `Prints the documents of a collection, one JSON document a line, and how many match.
--where takes the same expressions as pipelines, over doc.`,
		Example: `  pipelined objects find order_errors .
  pipelined objects find order_errors . --where 'doc.status == "exhausted"' --order-by -last_failed_at
  pipelined objects find dead_letters . --json`,
		Args: between(1, 2, "objects find takes a collection and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Collection = args[0]
			return withProject(cmd.Context(), dirArg(args, 1), sets, func(p daemon.Project) error {
				found, err := p.Objects(cmd.Context(), q)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), found)
				}
				for _, d := range found.Documents {
					fmt.Fprintf(cmd.OutOrStdout(), "%s\n", d)
				}
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", len(found.Documents), found.Total)
				return err
			})
		},
	}
	f := find.Flags()
	f.StringVar(&q.Where, "where", "", "expression over doc")
	f.StringSliceVar(&q.OrderBy, "order-by", nil, "paths; a leading - sorts descending")
	f.IntVar(&q.Limit, "limit", 50, "at most this many")
	f.IntVar(&q.Offset, "offset", 0, "skip this many first")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	c.AddCommand(find, versionsCommand(sets))
	return c
}

func versionsCommand(sets program.Sets) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "versions COLLECTION ID [DIR]",
		Short: "Show a document as it is and as it was",
		Long: `Prints the versions of a document, newest first, one JSON document a line. Earlier ones are
kept where the project file says so: collections: { NAME: { history: true } }.`,
		Example: "  pipelined objects versions orders A-100 .",
		Args:    between(2, 3, "objects versions takes a collection, an id and a project folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withProject(cmd.Context(), dirArg(args, 2), sets, func(p daemon.Project) error {
				found, err := p.Versions(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), found)
				}
				for _, d := range found.Versions {
					fmt.Fprintf(cmd.OutOrStdout(), "%s\n", d)
				}
				_, err = fmt.Fprintln(cmd.ErrOrStderr(), versionsSay(found, args[0]))
				return err
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func versionsSay(found *admin.Versions, collection string) string {
	say := "1 version"
	if n := len(found.Versions); n > 1 {
		say = fmt.Sprintf("%d versions", n)
	}
	if !found.Exists {
		say += "; the document is deleted"
	}
	if !found.Kept {
		say += fmt.Sprintf("; earlier ones are not kept: set collections: { %s: { history: true } } in pipelined.yaml", collection)
	}
	return say
}
