package file

import (
	"path"
	"path/filepath"
	"strings"

	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// Findings about the `file` trigger.
var (
	codePath     = diag.Code{ID: "E460", Title: "path of files that cannot be read"}
	codeFolder   = diag.Code{ID: "E461", Title: "folder that files cannot be moved to"}
	codeMissing  = diag.Code{ID: "E462", Title: "setting that another one needs"}
	codeNoEffect = diag.Code{ID: "E463", Title: "setting has no effect"}
	codeEvery    = diag.Code{ID: "E464", Title: "files are looked at too often"}

	codes = []diag.Code{codePath, codeFolder, codeMissing, codeNoEffect, codeEvery}
)

// dataFolder is where the runtime has its own files.
const dataFolder = ".pipelined"

// check reports what is wrong with the parameters; it returns whether they can be used.
func (p *params) check(c *field.Context) (fine bool) {
	fine = true
	wrong := func(code diag.Code, key, summary, consequence, fix string) {
		c.Report(code, diag.Error, c.Pos(key), summary, consequence, fix)
		fine = false
	}
	if summary, fix := checkPath(p.Path); fix != "" {
		wrong(codePath, "path", summary, "No file could be read.", fix)
	}
	for key, folder := range map[string]string{"to": p.To, "failed": p.Failed} {
		if folder == "" {
			continue
		}
		if fix := p.checkFolder(folder); fix != "" {
			wrong(codeFolder, key, "files cannot be moved to "+folder, "They would stay where they are, or be taken again.", fix)
		}
	}
	if p.After == "move" && p.To == "" {
		wrong(codeMissing, "after", "after: move does not say where to", "No file could be moved.", "add `to: done`, or another folder")
	}
	if p.Each == "rows" && p.Format == "" {
		wrong(codeMissing, "each", "each: rows does not say how rows are read", "There would be no rows.", "add `format: csv`, json or text")
	}
	if p.Every <= 0 {
		wrong(codeEvery, "every", "every must be longer than nothing", "The folder would be looked at without end.", "write a duration such as 5s")
	}
	p.checkEffects(c)
	return fine
}

// checkEffects warns of what is written for nothing.
func (p *params) checkEffects(c *field.Context) {
	without := func(key, of, fix string) {
		c.Report(codeNoEffect, diag.Warning, c.Pos(key), key+" has no effect without "+of, "Nothing is done with it.", fix)
	}
	if p.CSV != nil && p.Format != "csv" {
		without("csv", "format: csv", "add format: csv, or remove it")
	}
	if p.Format == "" && c.Given("max_size") {
		without("max_size", "format", "add format, or remove it")
	}
	if p.To != "" && p.After != "move" {
		without("to", "after: move", "add after: move, or remove it")
	}
}

// checkPath says what is wrong with a pattern of files, and what to write instead.
func checkPath(pattern string) (summary, fix string) {
	_, bad := path.Match(pattern, "")
	first, _, _ := strings.Cut(pattern, "/")
	switch {
	case strings.Contains(pattern, `\`):
		return pattern + ` has a \ in it`, "write / between folders"
	case !local(pattern):
		return pattern + " is not below the project folder", "write a path such as inbox/*.csv"
	case bad != nil:
		return pattern + " is no pattern", "close each [, as in [0-9]"
	case strings.Contains(pattern, "**"):
		return "** stands for no more than * does", "write one * for each folder: inbox/*/*.csv"
	case first == dataFolder:
		return "what is below " + dataFolder + " belongs to the runtime", "write a path such as inbox/*.csv"
	case pattern == "." || strings.HasSuffix(pattern, "/"):
		return pattern + " is a folder", "add which of its files are meant: inbox/*"
	}
	return "", ""
}

// checkFolder says what to write instead of a folder; "" if it is fine.
func (p *params) checkFolder(folder string) (fix string) {
	first, _, _ := strings.Cut(folder, "/")
	switch {
	case !local(folder) || strings.Contains(folder, `\`) || folder == ".":
		return "write a folder below the project folder, such as done"
	case strings.ContainsAny(folder, "*?["):
		return "write the name of one folder, without * ? and ["
	case first == dataFolder:
		return "write another folder: what is below " + dataFolder + " belongs to the runtime"
	}
	if within, err := path.Match(path.Dir(p.Path), folder); err == nil && within {
		return "write a folder whose files path does not take, such as done"
	}
	return ""
}

// local reports whether a name stays below the project folder, and is written in the
// shortest way.
func local(name string) bool {
	return filepath.IsLocal(name) && path.Clean(name) == strings.TrimSuffix(name, "/")
}
