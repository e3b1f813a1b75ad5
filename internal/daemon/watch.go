package daemon

import (
	"context"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must be quiet before a reload: editors write in steps.
const settle = 150 * time.Millisecond

// watch says on changes that files of a folder have changed, until ctx ends.
func watch(ctx context.Context, dir string, logger *slog.Logger, changes chan<- struct{}) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		logger.Error("files cannot be watched; send SIGHUP to reload", "err", err)
		return
	}
	defer w.Close()
	watchFolders(w, dir, logger)
	timer := time.NewTimer(settle) // what changed while the project started is looked at first
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-w.Events:
			if concerns(ev.Name) {
				timer.Reset(settle)
			}
		case err := <-w.Errors: // changes may have been missed
			logger.Warn("watching files", "err", err)
			timer.Reset(settle)
		case <-timer.C:
			watchFolders(w, dir, logger)
			select {
			case changes <- struct{}{}:
			case <-ctx.Done():
			}
		}
	}
}

// watchFolders adds every folder of the project; adding one again is harmless.
func watchFolders(w *fsnotify.Watcher, dir string, logger *slog.Logger) {
	root, err := filepath.EvalSymlinks(dir)
	if err == nil {
		err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() {
				return nil
			}
			if name := e.Name(); path != root && (strings.HasPrefix(name, ".") || name == "node_modules") {
				return filepath.SkipDir
			}
			return w.Add(path)
		})
	}
	if err != nil {
		logger.Warn("a folder cannot be watched; send SIGHUP to reload", "err", err)
	}
}

// concerns reports whether a change of a file may change the project: of a YAML file, of
// what schemas are written in, of a folder, and of the link that a mounted configuration
// of Kubernetes is exchanged by.
func concerns(path string) bool {
	name := filepath.Base(path)
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json", "":
		return !strings.HasPrefix(name, ".")
	}
	return name == "..data"
}
