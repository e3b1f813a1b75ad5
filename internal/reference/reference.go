// Package reference writes docs/reference from the declarations of the code, so
// that the pages cannot say anything else than what the program does.
package reference

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pipelined/connectors"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/field"
	"pipelined/triggers"
)

// generated stands at the head of every page.
const generated = "<!-- Generated from the code by `make generate`; change the declarations instead. -->\n\n"

// Pages returns every page by file name.
func Pages(sets program.Sets, codes ...[]diag.Code) map[string]string {
	pages := map[string]string{
		"README.md":     index(),
		"project.md":    "# The project file\n\n`pipelined.yaml`; every setting has a working default.\n\n" + definition.ProjectShape().Table(),
		"pipeline.md":   pipelinePage(),
		"steps.md":      stepsPage(),
		"triggers.md":   triggersPage(sets.Triggers),
		"connectors.md": connectorsPage(sets.Connectors),
		"functions.md":  functionsPage(),
		"findings.md":   findingsPage(codes),
	}
	for name, text := range pages {
		pages[name] = generated + text
	}
	return pages
}

func index() string {
	return `# Reference

| | |
|---|---|
| [project.md](project.md) | the project file |
| [pipeline.md](pipeline.md) | a pipeline file, and the options of every step |
| [steps.md](steps.md) | the control-flow keys and the object store |
| [triggers.md](triggers.md) | what starts a pipeline |
| [connectors.md](connectors.md) | systems outside |
| [functions.md](functions.md) | what expressions can call, and the equivalents of Digibee's functions |
| [findings.md](findings.md) | the codes of lint |
`
}

func pipelinePage() string {
	return "# A pipeline file\n\n" + definition.PipelineShape().Table() + "\n## on_failure\n\n" + program.OnFailureShape().Table() +
		"\n## after_commit\n\nA list of steps, or:\n\n" + program.AfterShape().Table() +
		"\n## Options of every step\n\n" + step.OptionsShape().Table()
}

func fence(yaml string) string { return "```yaml\n" + strings.Trim(yaml, "\n") + "\n```\n" }

func stepsPage() string {
	var b strings.Builder
	b.WriteString("# Steps\n")
	for _, c := range step.Controls() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", c.Key, c.Summary)
		result := c.Result
		if result == "" {
			result = "null"
		}
		fmt.Fprintf(&b, "Result: %s\n\n%s\n%s", result, fence(c.Example), c.Params.Table())
	}
	return b.String()
}

func triggersPage(set *triggers.Set) string {
	var b strings.Builder
	b.WriteString("# Triggers\n")
	for _, name := range slices.Sorted(slices.Values(set.Names())) {
		t := set.Get(name)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", name, t.Doc.Summary)
		if t.Doc.Details != "" {
			b.WriteString(t.Doc.Details + "\n\n")
		}
		for _, e := range t.Doc.Examples {
			fmt.Fprintf(&b, "%s:\n\n%s\n", e.Title, fence("trigger:\n  "+name+":\n"+indent(e.YAML, "    ")))
		}
		b.WriteString(table(t.Params))
	}
	return b.String()
}

func table(s *field.Shape) string {
	if s == nil || len(s.Fields()) == 0 {
		return "No settings.\n"
	}
	return s.Table()
}

func indent(yaml, by string) string {
	lines := strings.Split(strings.Trim(yaml, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}

func connectorsPage(set *connectors.Set) string {
	families := map[string]*connectors.Connector{}
	for _, f := range set.Families() {
		families[f.Name] = f
	}
	var b strings.Builder
	b.WriteString("# Connectors\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", f.Name, f.Doc.Summary)
		if f.Doc.Details != "" {
			b.WriteString(f.Doc.Details + "\n\n")
		}
		if f.Connection != nil {
			fmt.Fprintf(&b, "### Connection\n\n`connections: { <name>: { %s: … } }` in pipelined.yaml; steps name it with `connection: <name>`.\n\n%s\n", f.Name, f.Connection.Table())
		}
		for _, o := range f.Operations {
			operation(&b, o)
		}
	}
	return b.String()
}

func operation(b *strings.Builder, o *connectors.Operation) {
	fmt.Fprintf(b, "### %s\n\n%s\n\n", o.Key, o.Doc.Summary)
	if o.Doc.Details != "" {
		b.WriteString(o.Doc.Details + "\n\n")
	}
	if o.Doc.Result != "" {
		fmt.Fprintf(b, "Result: %s\n\n", o.Doc.Result)
	}
	for _, e := range o.Doc.Examples {
		text := e.YAML
		if e.Connection != "" {
			text = "connection: " + e.Connection + "\n" + text
		}
		fmt.Fprintf(b, "%s:\n\n%s\n", e.Title, fence("- "+o.Key+":\n"+indent(text, "    ")))
	}
	b.WriteString(o.Params.Table() + "\n")
}

func functionsPage() string {
	var b strings.Builder
	b.WriteString("# Functions\n\nBeside these, [expr](https://expr-lang.org/docs/language-definition) has operators: `+ - * / % **`, `== != < <= > >=`, `and or not`, `in`,\n" +
		"`contains startsWith endsWith matches`, `??`, `?:`, `if … { } else { }`, `let`, `|` (pipe), `..` (range). In a predicate, `#` is the element and\n" +
		"`.name` a member of it. An object made in a predicate stands in parentheses: `map(list, ({sku: .sku}))`.\n")
	family := ""
	for _, f := range function.All() {
		if f.Family != family {
			family = f.Family
			fmt.Fprintf(&b, "\n## %s\n\n| | | example |\n|---|---|---|\n", family)
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` → `%s` |\n", cell(f.Signature), cell(f.Summary), cell(f.Example), cell(f.Gives))
	}
	b.WriteString("\n## Equivalents of Digibee's functions\n\n| Double Braces | here |\n|---|---|\n")
	for _, e := range expression.DigibeeEquivalents() {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", e.Digibee, cell(e.Ours))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func findingsPage(lists [][]diag.Code) string {
	var all []diag.Code
	for _, l := range lists {
		all = append(all, l...)
	}
	slices.SortFunc(all, func(a, b diag.Code) int { return strings.Compare(a.ID, b.ID) })
	var b strings.Builder
	b.WriteString("# Findings\n\nE1xx files, E2xx fields and steps, E3xx expressions, E4xx wiring and schedules. Only errors keep a project from starting.\n\n| code | |\n|---|---|\n")
	for _, c := range all {
		fmt.Fprintf(&b, "| %s | %s |\n", c.ID, c.Title)
	}
	return b.String()
}
