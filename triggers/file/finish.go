package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"pipelined/internal/fault"
	"pipelined/triggers"
)

// finish does what is to be done with files whose events have ended.
func (f *folder) finish(ctx context.Context) error {
	f.done = f.env.Clock.Now()
	var waiting []string
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if f.files[name].State == read {
			waiting = append(waiting, name)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	ended, err := f.env.Cursors.Ended(ctx, waiting...)
	if err != nil {
		return err
	}
	var over []string
	for _, name := range waiting {
		how, yes := ended[name]
		if !yes {
			continue
		}
		stays, err := f.after(name, how)
		switch {
		case err != nil:
			f.tell(name, err)
		case !stays:
			over = append(over, name)
		default:
			c := f.files[name]
			c.State, c.Columns = kept, nil
			if err := f.commit(name, c); err != nil {
				return err
			}
		}
	}
	if len(over) > 0 {
		fault.Point(fault.Acknowledged)
	}
	return f.drop(ctx, over)
}

// tell says, once, why a file could not be put away; it is tried again at every look.
func (f *folder) tell(name string, err error) {
	if f.told[name] == err.Error() {
		return
	}
	f.told[name] = err.Error()
	f.env.Logger.Error("a file is processed and cannot be put away; it is tried again at every look", "path", name, "err", err)
}

// after does what the author wants with a file whose events have ended, and reports
// whether it stays where it is.
func (f *folder) after(name string, how triggers.Ending) (stays bool, err error) {
	info, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // somebody, or the process before, has put it away
	}
	if err != nil {
		return false, err
	}
	if stampOf(info) != f.files[name].stamp {
		f.env.Logger.Warn("a file changed after it was read; it is taken again", "path", name)
		return false, nil
	}
	switch {
	case how.Failed && f.Failed != "":
		return false, move(f.root, name, f.Failed)
	case how.Failed:
		f.env.Logger.Warn("a file of which an event failed stays where it is; it is remembered", "path", name)
		return true, nil
	case f.After == "delete":
		return false, f.root.Remove(name)
	case f.After == "move":
		return false, move(f.root, name, f.To)
	}
	return true, nil
}

// move puts a file into a folder, in the place of no other. Should the process end in
// between, it has both names, and is the same file: then only the old name goes.
func move(root *os.Root, name, folder string) error {
	if err := root.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder %s: %w", folder, err)
	}
	to := path.Join(folder, path.Base(name))
	err := root.Link(name, to)
	if errors.Is(err, fs.ErrExist) {
		if !same(root, name, to) {
			return fmt.Errorf("there is a file called %s already: put one of the two away", to)
		}
		err = nil
	}
	if err != nil { // a system without links
		if _, there := root.Lstat(to); !errors.Is(there, fs.ErrNotExist) {
			return fmt.Errorf("there is a file called %s already: put one of the two away", to)
		}
		if err := root.Rename(name, to); err != nil {
			return fmt.Errorf("move it to %s: %w", to, err)
		}
		return nil
	}
	if err := root.Remove(name); err != nil {
		return fmt.Errorf("move it to %s: %w", to, err)
	}
	return nil
}

// same reports whether two names are one file's.
func same(root *os.Root, a, b string) bool {
	one, err := root.Lstat(a)
	if err != nil {
		return false
	}
	other, err := root.Lstat(b)
	return err == nil && os.SameFile(one, other)
}
