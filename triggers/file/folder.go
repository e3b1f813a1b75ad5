package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// found is one file of a folder.
type found struct {
	path string // with /, from the project folder
	info fs.FileInfo
}

// list returns what a pattern takes, older ones first; folders are left out, links and
// the like are not. The folder before the first * must be there.
func list(root *os.Root, pattern string) ([]found, error) {
	segments := strings.Split(pattern, "/")
	at := 0
	for at < len(segments)-1 && !strings.ContainsAny(segments[at], "*?[") {
		at++
	}
	base := path.Join(append([]string{"."}, segments[:at]...)...)
	info, err := root.Stat(base)
	if err != nil {
		return nil, fmt.Errorf("the folder %s cannot be read: make it, or correct path: %w", base, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: correct path", base)
	}
	out, err := expand(root, base, segments[at:])
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b found) int {
		if n := a.info.ModTime().Compare(b.info.ModTime()); n != 0 {
			return n
		}
		return strings.Compare(a.path, b.path)
	})
	return out, nil
}

// expand looks for what the rest of a pattern takes below a folder.
func expand(root *os.Root, dir string, segments []string) (out []found, err error) {
	names, err := names(root, dir, segments[0])
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		at := path.Join(dir, name)
		info, err := root.Lstat(at)
		link := err == nil && info.Mode()&fs.ModeSymlink != 0
		if link && len(segments) > 1 && name == segments[0] { // written out: it is meant
			info, err = root.Stat(at)
			link = false
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since
		case err != nil:
			return nil, fmt.Errorf("look at %s: %w", at, err)
		case len(segments) > 1 && info.IsDir():
			below, err := expand(root, at, segments[1:])
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
		case len(segments) == 1 && !info.IsDir(), link: // a link in the place of a folder is told like one of a file
			out = append(out, found{at, info})
		}
	}
	return out, nil
}

// names are the names in a folder that one segment of a pattern takes.
func names(root *os.Root, dir, segment string) ([]string, error) {
	if !strings.ContainsAny(segment, "*?[") {
		return []string{segment}, nil
	}
	d, err := root.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder %s: %w", dir, err)
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read the folder %s: %w", dir, err)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		fits, err := path.Match(segment, name)
		return err != nil || !fits || strings.HasPrefix(name, ".") && !strings.HasPrefix(segment, ".")
	}), nil
}
