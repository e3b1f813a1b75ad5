package definition

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/position"
)

// ProjectFileName is the name of the project file.
const ProjectFileName = "pipelined.yaml"

// Project is a folder, read.
type Project struct {
	Dir       string // as given; empty for LoadFS
	File      *ProjectFile
	Pipelines []*Pipeline               // by file name
	Tests     []*position.File          // test files, not looked into here
	Sources   map[string]*position.File // every YAML file, by name
	Read      map[string][]byte         // other files that were read for it, such as schemas
	Diags     diag.List

	files fs.FS
	env   *environment
	root  *yaml.Node // of the project file; nil if there is none
}

// Load reads the project in a folder. env looks environment variables up.
func Load(dir string, env func(string) (string, bool)) (*Project, error) {
	root, err := os.OpenRoot(dir) // nothing outside the folder is read, whatever a file names
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p, err := LoadFS(root.FS(), env)
	if err != nil {
		return nil, err
	}
	p.Dir = dir
	p.files = os.DirFS(dir)
	return p, nil
}

// LoadFS reads the project in a file system.
func LoadFS(files fs.FS, env func(string) (string, bool)) (*Project, error) {
	p := &Project{files: files, Sources: map[string]*position.File{}, Read: map[string][]byte{}, env: newEnvironment(env)}
	names, err := yamlFiles(files)
	if err != nil {
		return nil, err
	}
	trees := map[string]*yaml.Node{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		f := &position.File{Name: name, Text: text}
		p.Sources[name] = f
		if n := p.parse(f); n != nil {
			trees[name] = n
		}
	}
	p.projectFile(trees[ProjectFileName])
	for _, name := range names {
		if n := trees[name]; n != nil && name != ProjectFileName {
			p.file(p.Sources[name], n)
		}
	}
	p.uniqueNames()
	return p, nil
}

// yamlFiles lists the YAML files below the folder, without hidden folders.
func yamlFiles(files fs.FS) ([]string, error) {
	var names []string
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// ReadFile reads a file of the project, such as a schema, and notes it in Read. A path
// that leads out of the folder is an error.
func (p *Project) ReadFile(name string) ([]byte, error) {
	text, err := p.readFile(name)
	if err == nil {
		p.Read[path.Clean(name)] = text
	}
	return text, err
}

func (p *Project) readFile(name string) ([]byte, error) {
	if !fs.ValidPath(path.Clean(name)) {
		return nil, fmt.Errorf("%s is not below the project folder", name)
	}
	if p.Dir == "" {
		return fs.ReadFile(p.files, path.Clean(name))
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(path.Clean(name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file %s", name)
		}
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// file decides what a YAML file is by its first key.
func (p *Project) file(f *position.File, n *yaml.Node) {
	c := p.context(f, n)
	if n.Kind != yaml.MappingNode {
		c.Report(CodeNotAPipeline, diag.Error, n, "this file is not a pipeline: it does not hold keys and values",
			"It cannot be used.", "begin with `pipeline: <name>`, or move the file out of the project")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch n.Content[i].Value {
		case "pipeline":
			if d := p.pipeline(c, f, n); d != nil {
				p.Pipelines = append(p.Pipelines, d)
			}
			return
		case "test", "scenario":
			p.Tests = append(p.Tests, f)
			return
		}
	}
	fix := "begin with `pipeline: <name>`, or move the file out of the project"
	var keys []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	for _, k := range keys {
		if diag.Suggest(k, []string{"pipeline"}) != "" {
			fix = "did you mean `pipeline:` instead of `" + k + ":`?"
		}
	}
	c.Report(CodeNotAPipeline, diag.Warning, n, "this file is neither a pipeline nor a test",
		"It is ignored.", fix)
}

func (p *Project) uniqueNames() {
	first := map[string]*Pipeline{}
	for _, d := range p.Pipelines {
		if d.Name == "" {
			continue
		}
		before := first[d.Name]
		if before == nil {
			first[d.Name] = d
			continue
		}
		c := p.context(d.File, d.Node)
		b := p.context(before.File, before.Node)
		p.Diags.Add(diag.Diagnostic{Code: CodeDuplicatePipeline, Severity: diag.Error, Range: c.Range(d.NameNode),
			Summary:     "a pipeline is already called " + d.Name,
			Consequence: "Events, calls and history could not tell the two apart.",
			Fix:         "give one of them another name",
			Related:     []diag.Related{{Range: b.Range(before.NameNode), Message: "the other one"}}})
	}
}

// context returns a decoding context for a file, without symbols.
func (p *Project) context(f *position.File, n *yaml.Node) *field.Context {
	return &field.Context{File: f, Diags: &p.Diags, Node: n}
}

// loadContext is a context in which ${{ env.X }} is read at load.
func (p *Project) loadContext(f *position.File, n *yaml.Node, secrets bool) *field.Context {
	c := p.context(f, n)
	c.Symbols, c.LoadFrame = p.env.symbols(secrets), p.env.frame(secrets)
	return c
}

// ConnectionContext is what a connection is decoded in.
func (p *Project) ConnectionContext() *field.Context {
	return p.loadContext(p.projectSource(), p.root, true)
}

// FileContext is what the rest of the project file is decoded in.
func (p *Project) FileContext() *field.Context {
	return p.loadContext(p.projectSource(), p.root, false)
}

func (p *Project) projectSource() *position.File {
	if f := p.Sources[ProjectFileName]; f != nil {
		return f
	}
	return &position.File{Name: ProjectFileName}
}

// Env is the environment as expressions of pipelines see it.
func (p *Project) Env() any { return p.env.value }

// EnvSymbol declares env for the expressions of pipelines.
func (p *Project) EnvSymbol(slot int) *expression.Symbol { return p.env.symbol(slot) }
