package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"pipelined/engine/program"
	"pipelined/internal/diag"
)

// fixRounds bounds how often a project is linted anew after its findings were mended: a
// fix may show the next mistake.
const fixRounds = 20

// Fix applies what the findings of a project know for sure, until nothing of it is left.
// It returns the project as it is then, and what was mended, in order. A file is written
// whole or not at all; where one cannot be, those before it are mended.
func Fix(dir string, sets program.Sets) (l *Loaded, mended []diag.Diagnostic, err error) {
	for range fixRounds {
		if l, err = Load(dir, sets); err != nil {
			return nil, mended, err
		}
		round := 0
		for _, name := range fixable(l.Findings) {
			source := l.Project.Sources[name]
			if source == nil {
				continue
			}
			text, applied := diag.Apply(name, source.Text, l.Findings)
			if len(applied) == 0 {
				continue
			}
			if err := replace(dir, name, text); err != nil {
				return l, mended, err
			}
			mended = append(mended, applied...)
			round += len(applied)
		}
		if round == 0 {
			return l, mended, nil
		}
	}
	return l, mended, fmt.Errorf("%s: after %d rounds there was still something to mend; it is as far as it came", dir, fixRounds)
}

// fixable are the files that some edit is for.
func fixable(list []diag.Diagnostic) []string {
	var names []string
	for _, d := range list {
		if d.Edit != nil && !slices.Contains(names, d.Edit.Range.File) {
			names = append(names, d.Edit.Range.File)
		}
	}
	return names
}

// replace writes a file of the project beside the old one and puts it in its place, with
// the old one's permissions. Nothing outside the folder is written, whatever links say.
func replace(dir, name string, text []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a link; mend the file it points to", filepath.Join(dir, name))
	}
	beside := name + ".fixed"
	f, err := root.OpenFile(beside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()) // one that is there is somebody's
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close()) // what the umask took away, too
	if err == nil {
		err = root.Rename(beside, name)
	}
	if err != nil {
		_ = root.Remove(beside)
		return fmt.Errorf("replace %s: %w", name, err)
	}
	return nil
}
