// Package file starts pipelines for files that come into a folder of the project.
//
// The folder is looked at every so often (`every`). A file is taken when it was the same
// size and age at two looks, one after the other: half-written files wait. What happens
// then is in source.go; how far each file is, in cursor.go; what becomes of one whose
// events have ended, in finish.go.
//
//	new ─► stable ─► held ─┬─ whole: one event ──────────┐
//	                       └─ rows: events … at a byte … ─┴─► read ─► events ended ─► after
//
// A file is a partition: its path is the partition's name, and its cursor knows size and
// age, so that the same file is taken once and a file that was changed again.
package file

import (
	"time"

	"pipelined/connectors/csv"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// Trigger is the `file` trigger.
var Trigger = triggers.Define("file", triggers.Doc{
	Summary: "Runs a pipeline for each file that comes into a folder of the project, or for each of its rows.",
	Details: details,
	Examples: []triggers.Example{
		{Title: "One run a file, whatever is in it", YAML: "path: inbox/*\n"},
		{Title: "One run for each row of a CSV file, which is put away afterwards", YAML: `path: inbox/orders-*.csv
format: csv
each: rows
csv: { delimiter: ";", types: { qty: integer } }
after: move
to: done
failed: failed
retry: { attempts: 5 }
`},
		{Title: "JSON lines, in order", YAML: "path: feed/*.jsonl\nformat: json\neach: rows\nafter: delete\nfailed: failed\norder_by: event.key\n"},
	},
	Findings: codes,
}, scope, plan)

const details = "`path` is relative to the project folder. A `*` stands for any part of one name, `?` for one character, `[a-z]` for one of\n" +
	"some; none of them for a `/`. Names that begin with a dot are taken only where the path says the dot. The folder before\n" +
	"the first `*` must be there; those of `to` and `failed` are made.\n\n" +
	"**Half-written files** wait: a file is taken when size and age were the same at two looks, `every` apart. To be on the\n" +
	"safe side write under another name and rename. A file that changes while it is read fails, and is taken again from its\n" +
	"beginning. A file is known by path, size and time: the same is taken once, a changed one again.\n\n" +
	"**Without `format`** there is one event a file, and `input` is `path`, `name`, `size` and `modified`. **With `format`**\n" +
	"`input` is the content: a text; a JSON value; for `csv` a list of rows, as `csv.parse` gives them. **With `each: rows`** there\n" +
	"is one event a row: a row of CSV; a line of text, empty ones too; an element of a JSON file that is a list, which is one\n" +
	"whose first character is [, and otherwise each of its lines (JSON Lines; empty ones are left out). Rows are read as they are needed, whatever the size of\n" +
	"the file. `event.key` is the path, `event.source` is `file:PATH` or `file:PATH#ROW`, `event.headers` has `path` and `row`.\n\n" +
	"**`after`** is done when all events of a file have ended: `delete`, `move` it to `to`, or `mark`, which leaves it where it\n" +
	"is and remembers it. If one of them failed for good, whether or not `on_error` handled it, the file is moved to `failed`;\n" +
	"without `failed` it stays, and is remembered. Nothing that failed is ever deleted, and no file is put in the place of\n" +
	"another: where the name is taken, it is said once and tried again at every look.\n\n" +
	"**What does not fit is a failed execution**, with what is known as its input, so `on_error`, dead letters and `redrive` work\n" +
	"as for any other; it holds up no other file: `file/too-large` (413: a file, or with `each: rows` a row, over `max_size`),\n" +
	"`file/content` (422: not the CSV, JSON or UTF-8 that was expected; a bad row is one failure, and the rows after it are read\n" +
	"if they can be), `file/unreadable` (500), `file/not-a-file` (422: a link, a pipe), `file/changed` (409)."

type params struct {
	Path    string        `yaml:"path" required:"" doc:"Which files: a path below the project folder, in which *, ? and [ ] stand for others."`
	Format  string        `yaml:"format" enum:"text,json,csv" doc:"How the content is read; without it it is not."`
	Each    string        `yaml:"each" enum:"file,rows" default:"file" doc:"One event for each file, or one for each of its rows."`
	CSV     *csv.Options  `yaml:"csv" doc:"How CSV is read, as in csv.parse."`
	MaxSize field.Size    `yaml:"max_size" default:"10MB" doc:"The largest content; with each: rows, the largest row."`
	Every   time.Duration `yaml:"every" default:"5s" doc:"How often the folder is looked at."`
	After   string        `yaml:"after" enum:"delete,move,mark" default:"mark" doc:"What becomes of a file whose events have ended well: mark leaves it where it is, and remembers it."`
	To      string        `yaml:"to" doc:"Folder below the project folder for after: move."`
	Failed  string        `yaml:"failed" doc:"Folder below the project folder for files of which an event failed for good; without it they stay where they are."`
	triggers.SourceOptions
}

// scope knows what input is where nothing of the file is read.
func scope(p *params) triggers.Scope {
	s := triggers.Scope{triggers.NameEvent: triggers.EventScope}
	if p.Path != "" && p.Format == "" {
		text := &expression.Type{Kind: value.String}
		s[triggers.NameInput] = triggers.Object(map[string]*expression.Type{
			"path": text, "name": text, "modified": text, "size": {Kind: value.Integer}},
			"content", "the content is input, with format: text", "text", "the content is input, with format: text")
	}
	return s
}

func plan(p *params, c *field.Context) triggers.Plan {
	s, fine := p.Source(c)
	if !p.check(c) || !fine {
		return nil
	}
	s.Reads, s.Polls = "file "+p.Path, true
	s.Start = p.start
	return &s
}
