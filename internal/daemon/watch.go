package daemon

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must be quiet before a reload: editors write in steps.
const settle = 150 * time.Millisecond

// watch reloads the project whenever its files change. A folder with errors is
// shown and changes nothing: the revision before goes on.
func (d *daemon) watch(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		d.options.Logger.Error("files cannot be watched; changes need a restart", "err", err)
		return
	}
	defer w.Close()
	d.watchFolders(w)
	timer := time.NewTimer(settle) // what changed while the project started is looked at first
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-w.Events:
			if concerns(ev.Name) {
				timer.Reset(settle)
			}
		case err := <-w.Errors:
			d.options.Logger.Warn("watching files", "err", err)
		case <-timer.C:
			d.watchFolders(w)
			d.reload(ctx)
		}
	}
}

// watchFolders adds every folder of the project; adding one again is harmless.
func (d *daemon) watchFolders(w *fsnotify.Watcher) {
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		if name := e.Name(); path != d.dir && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return filepath.SkipDir
		}
		return w.Add(path)
	})
	if err != nil {
		d.options.Logger.Warn("a folder cannot be watched", "err", err)
	}
}

func concerns(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json", "":
		return !strings.HasPrefix(filepath.Base(path), ".")
	}
	return false
}

// reload loads the folder and swaps, all or nothing.
func (d *daemon) reload(ctx context.Context) {
	l, err := Load(d.dir, d.options.Sets)
	if err != nil {
		d.options.Logger.Error("the project could not be reloaded; the revision before goes on", "err", err)
		return
	}
	if l.Program != nil && l.Program.Revision == d.engine.Program().Revision {
		return
	}
	l.Show(d.options.Out, d.options.Color)
	if l.Program == nil {
		d.options.Logger.Error("the project has errors; the revision before goes on", "revision", d.engine.Program().Revision)
		return
	}
	if err := d.engine.Swap(ctx, l.Program); err != nil {
		d.options.Logger.Error("the project could not be reloaded; the revision before goes on", "err", err)
		return
	}
	d.options.Logger.Info("reloaded", "revision", l.Program.Revision, "pipelines", len(l.Program.Pipelines))
}
