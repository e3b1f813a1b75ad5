package daemon

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pipelined/engine/program"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
)

// Loaded is a project folder, read and compiled.
type Loaded struct {
	Dir      string
	Project  *definition.Project
	Program  *program.Program // nil if there are errors
	Findings []diag.Diagnostic
}

// Load reads and compiles a folder. The error is about the folder itself;
// mistakes in its files are Findings.
func Load(dir string, sets program.Sets) (*Loaded, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, &UsageError{fmt.Sprintf("there is no folder %s", dir), "name a folder with pipeline files"}
	}
	if !info.IsDir() {
		return nil, &UsageError{dir + " is a file", "name the folder it is in: " + filepath.Dir(dir)}
	}
	project, err := definition.Load(dir, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	p, findings := program.Compile(project, sets)
	return &Loaded{Dir: dir, Project: project, Program: p, Findings: findings}, nil
}

// Sources returns the text of every file, for showing findings.
func (l *Loaded) Sources() map[string][]byte {
	out := make(map[string][]byte, len(l.Project.Sources))
	for name, f := range l.Project.Sources {
		out[name] = f.Text
	}
	return out
}

// Show prints the findings as text.
func (l *Loaded) Show(w io.Writer, color bool) {
	if len(l.Findings) > 0 {
		diag.Text(w, l.Findings, l.Sources(), color)
	}
}

// StorePath is where the project's data lives.
func (l *Loaded) StorePath() string {
	path := l.Project.File.Store.Path
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.Dir, path)
}
