package definition

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/position"
)

// Bounds of a source file.
const (
	maxSource = 4 << 20
	maxNodes  = 200_000 // after aliases are counted in: a small file can stand for a huge one
)

// parse reads one file into its tree, or reports why it cannot.
func (p *Project) parse(f *position.File) *yaml.Node {
	c := p.context(f, nil)
	if len(f.Text) > maxSource {
		p.syntax(f, 1, CodeSyntax, "this file is larger than 4 MB", "split it into several pipelines")
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(f.Text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			p.empty(f)
			return nil
		}
		p.yamlError(f, err)
		return nil
	}
	switch err := d.Decode(&more); {
	case err == nil:
		c.Report(CodeSyntax, diag.Error, &more, "a file holds one document, but here begins a second",
			"It would be ignored.", "put each pipeline into a file of its own")
		return nil
	case !errors.Is(err, io.EOF): // behind the first document stands something that is none
		p.yamlError(f, err)
		return nil
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" {
		p.empty(f)
		return nil
	}
	n := doc.Content[0]
	if count(n, map[*yaml.Node]int{}) > maxNodes {
		c.Report(CodeSyntax, diag.Error, n, "this file stands for more than 200,000 values once its aliases are followed",
			"Reading it could exhaust the memory.", "write less by alias")
		return nil
	}
	before := p.Diags.Len()
	p.check(c, n)
	if p.Diags.ErrorsSince(before) {
		return nil
	}
	return n
}

func (p *Project) empty(f *position.File) {
	p.Diags.Add(diag.Diagnostic{Code: CodeNotAPipeline, Severity: diag.Warning,
		Range:   diag.Range{File: f.Name, Start: diag.Position{Line: 1, Column: 1}, End: diag.Position{Line: 1, Column: 1}},
		Summary: "this file is empty", Consequence: "It is ignored.", Fix: "write a pipeline, or remove the file"})
}

// count counts the values of a tree, those behind aliases as often as they are
// used.
func count(n *yaml.Node, seen map[*yaml.Node]int) int {
	if n.Kind == yaml.AliasNode {
		if c, ok := seen[n.Alias]; ok {
			return c
		}
		seen[n.Alias] = maxNodes + 1 // an alias inside what it stands for never ends
		c := count(n.Alias, seen)
		seen[n.Alias] = c
		return c
	}
	total := 1
	for _, e := range n.Content {
		if total += count(e, seen); total > maxNodes {
			return total
		}
	}
	return total
}

// check reports what is legal YAML and surely a mistake.
func (p *Project) check(c *field.Context, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		p.checkKeys(c, n)
	case yaml.SequenceNode:
		for _, e := range n.Content {
			p.check(c, e)
		}
	case yaml.ScalarNode:
		field.CheckScalar(c, n)
	}
}

func (p *Project) checkKeys(c *field.Context, n *yaml.Node) {
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind == yaml.MappingNode:
			c.Report(CodeBraces, diag.Error, k, "a key cannot be a mapping: YAML read {{ … }} as one",
				"The expression would not be evaluated.", "write ${{ … }}")
			continue
		case k.Kind != yaml.ScalarNode:
			c.Report(CodeKey, diag.Error, k, "a key must be a word", "It could not be looked up.", "write a plain name")
			continue
		case k.Tag == "!!merge":
			c.Report(CodeKey, diag.Error, k, "merge keys (<<) are not part of the language",
				"What the pipeline does would not stand where it is read.", "write the keys out, or call a pipeline")
			continue
		}
		if before := seen[k.Value]; before != nil {
			p.Diags.Add(diag.Diagnostic{Code: CodeDuplicateKey, Severity: diag.Error, Range: c.Range(k),
				Summary: "the key " + k.Value + " stands here twice", Consequence: "Only one of the two could count.",
				Fix: "remove one", Related: []diag.Related{{Range: c.Range(before), Message: "the first one"}}})
		}
		seen[k.Value] = k
		p.check(c, v)
	}
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlError places an error of the YAML parser and says what usually lies behind.
func (p *Project) yamlError(f *position.File, err error) {
	line, text := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	lines := strings.Split(string(f.Text), "\n")
	line = min(max(line, 1), len(lines))
	if at, fix := placeless(lines, text); fix != "" {
		p.syntax(f, cmp.Or(at, line), CodeSyntax, "this is not YAML: "+text, fix)
		return
	}
	code, fix := CodeSyntax, "correct the line; indent with spaces, two for each level"
	switch at, hint := culprit(lines, line); hint {
	case "tab":
		code, fix = CodeTab, "indent with spaces: YAML does not allow tabs"
		line = at
	case "braces":
		code, fix = CodeBraces, "write ${{ … }} instead of {{ … }}"
		line = at
	case "ternary":
		code, fix = CodeUnquoted, "quote the whole value, or write `if a { b } else { c }`: an unquoted `: ` begins a mapping"
		line = at
	case "flow":
		code, fix = CodeUnquoted, "quote the expression: inside { } and [ ] the characters [ ] { } , have a meaning of their own"
		line = at
	case "quote":
		code, fix = CodeUnquoted, "quote the whole expression with ' ', since it begins with a quote"
		line = at
	}
	p.syntax(f, line, code, "this is not YAML: "+text, fix)
}

var unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)

// placeless places errors of which the parser says no line, and says what to do; at is 0
// where there is no better line, fix is empty for any other error.
func placeless(lines []string, text string) (at int, fix string) {
	holds := func(has func(string) bool) int { return slices.IndexFunc(lines, has) + 1 }
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		return holds(func(line string) bool { return strings.Contains(line, "*"+m[1]) }),
			"quote the value if the * is part of it; otherwise write &" + m[1] + " where the value stands, before this line"
	}
	if at := holds(func(line string) bool { return !utf8.ValidString(line) }); at > 0 {
		return at, "save the file as UTF-8"
	}
	if strings.Contains(text, "exceeded max depth") {
		return 0, "nest the values less deeply"
	}
	return 0, ""
}

// culprit looks at the lines around an error for the traps authors fall into.
func culprit(lines []string, line int) (at int, hint string) {
	for _, i := range []int{line, line - 1, line + 1} {
		if i < 1 || i > len(lines) {
			continue
		}
		text := lines[i-1]
		trimmed := strings.TrimLeft(text, " ")
		_, value, _ := strings.Cut(trimmed, ": ")
		switch {
		case strings.HasPrefix(trimmed, "\t"):
			return i, "tab"
		case doubleBraces.MatchString(text):
			return i, "braces"
		case ternary.MatchString(value):
			return i, "ternary"
		case quotedStart.MatchString(value):
			return i, "quote"
		case flowExpression.MatchString(text):
			return i, "flow"
		}
	}
	for i := line + 1; i < len(lines); i++ { // of a quote the parser names the block around it
		if _, value, _ := strings.Cut(strings.TrimLeft(lines[i], " "), ": "); quotedStart.MatchString(value) {
			return i + 1, "quote"
		}
	}
	return line, ""
}

var (
	doubleBraces   = regexp.MustCompile(`(^|[^$"'])\{\{`)
	ternary        = regexp.MustCompile(`^[^"'].* \? .* : `)
	quotedStart    = regexp.MustCompile(`^("[^"]*"|'[^']*') +(==|!=|in|\+|and|or)`)
	flowExpression = regexp.MustCompile(`[{,] *[a-z_]+: [^"'{]*(\$\{\{|\[|\{)`)
)

// syntax reports a line of a file that has no tree.
func (p *Project) syntax(f *position.File, line int, code diag.Code, summary, fix string) {
	lines := strings.Split(string(f.Text), "\n")
	text := ""
	if line <= len(lines) {
		text = strings.TrimRight(lines[line-1], "\r")
	}
	indent := len(text) - len(strings.TrimLeft(text, " \t"))
	p.Diags.Add(diag.Diagnostic{Code: code, Severity: diag.Error,
		Range: diag.Range{File: f.Name, Start: diag.Position{Line: line, Column: indent + 1},
			End: diag.Position{Line: line, Column: len([]rune(text)) + 1}},
		Summary: summary, Consequence: "The file cannot be read.", Fix: fix})
}
