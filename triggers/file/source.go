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
	"time"

	"pipelined"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// folder is one call of Start.
type folder struct {
	*params
	env     triggers.Env
	root    *os.Root
	deliver triggers.Deliver
	files   map[string]cursor // that are held
	seen    map[string]stamp  // at the last look, of those that are not
	told    map[string]string // what the log has been told of a file, by path
	done    time.Time         // when files were put away the last time
}

// start looks at the folder until ctx ends.
func (p *params) start(ctx context.Context, env triggers.Env, deliver triggers.Deliver) error {
	root, err := os.OpenRoot(env.Dir)
	if err != nil {
		return fmt.Errorf("open the project folder: %w", err)
	}
	defer root.Close()
	f := &folder{params: p, env: env, root: root, deliver: deliver, files: map[string]cursor{}, seen: map[string]stamp{}, told: map[string]string{}}
	cursors, err := env.Cursors.All(ctx)
	if err != nil {
		return err
	}
	for name, text := range cursors {
		if f.files[name], err = parseCursor(text); err != nil {
			return err
		}
	}
	for {
		if err := f.look(ctx); err != nil {
			return err
		}
		if err := env.Wait(ctx, p.Every); err != nil {
			return err
		}
	}
}

// look does, once, all there is to do.
func (f *folder) look(ctx context.Context) error {
	list, err := list(f.root, f.Path)
	if err != nil {
		return err
	}
	if err := f.resume(ctx); err != nil {
		return err
	}
	if err := f.finish(ctx); err != nil {
		return err
	}
	if err := f.forget(ctx, list); err != nil {
		return err
	}
	for fresh := range slices.Chunk(f.stable(list), holdAtOnce) {
		if err := f.hold(ctx, fresh); err != nil {
			return err
		}
		for _, e := range fresh {
			if err := f.take(ctx, e.path, cursor{stamp: stampOf(e.info)}, e.info); err != nil {
				return err
			}
			if err := f.meanwhile(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdAtOnce is how many files are held in one commit.
const holdAtOnce = 1000

// meanwhile puts files away where a look takes longer than it should.
func (f *folder) meanwhile(ctx context.Context) error {
	if f.env.Clock.Now().Sub(f.done) < f.Every {
		return nil
	}
	return f.finish(ctx)
}

// stable returns the files that are new and were the same at the last look.
func (f *folder) stable(list []found) (fresh []found) {
	seen := map[string]stamp{}
	for _, e := range list {
		if _, held := f.files[e.path]; held {
			continue
		}
		now := stampOf(e.info)
		if before, known := f.seen[e.path]; known && before == now {
			fresh = append(fresh, e)
			continue
		}
		seen[e.path] = now
	}
	f.seen = seen
	return fresh
}

// hold takes hold of new files, in one commit.
func (f *folder) hold(ctx context.Context, fresh []found) error {
	paths := make([]string, len(fresh))
	for i, e := range fresh {
		paths[i] = e.path
	}
	return f.env.Cursors.Hold(ctx, paths...)
}

// resume goes on with files of which rows are left to read, and forgets those of which
// nothing was delivered: they are new once more.
func (f *folder) resume(ctx context.Context) error {
	var nothing []string
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		c := f.files[name]
		switch c.State {
		case "":
			nothing = append(nothing, name)
			continue
		case reading:
		default:
			continue
		}
		info, err := f.root.Lstat(name)
		switch {
		case err != nil:
			err = f.fails(name, c, problem(typeChanged, 409, "it is gone, after %d rows of it were delivered", c.Row))
		case f.Each != "rows" || f.Format != c.Format:
			err = f.fails(name, c, problem(typeChanged, 409, "its trigger changed after %d rows of it were delivered as %s", c.Row, c.Format))
		case stampOf(info) != c.stamp:
			err = f.fails(name, c, problem(typeChanged, 409, "it changed after %d rows of it were delivered, and is taken again from its beginning", c.Row))
		default:
			err = f.take(ctx, name, c, info)
		}
		if err != nil {
			return err
		}
	}
	return f.drop(ctx, nothing)
}

// forget drops files that stayed and are gone now, or are others.
func (f *folder) forget(ctx context.Context, list []found) error {
	there := make(map[string]stamp, len(list))
	for _, e := range list {
		there[e.path] = stampOf(e.info)
	}
	var gone []string
	for name, c := range f.files {
		if c.State != kept || there[name] == c.stamp {
			continue
		}
		if info, err := f.root.Lstat(name); err == nil && stampOf(info) == c.stamp {
			continue // another path is looked for now; it is remembered all the same
		}
		gone = append(gone, name)
	}
	slices.Sort(gone)
	return f.drop(ctx, gone)
}

func (f *folder) drop(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	if err := f.env.Cursors.Drop(ctx, names...); err != nil {
		return err
	}
	for _, name := range names {
		delete(f.files, name)
		delete(f.told, name)
	}
	return nil
}

// commit delivers events of a file, with how far it is then.
func (f *folder) commit(name string, c cursor, events ...triggers.Event) error {
	text, err := c.text()
	if err != nil {
		return err
	}
	if err := f.deliver(triggers.Batch{Partition: name, Cursor: text, Events: events}); err != nil {
		return err
	}
	f.files[name] = c
	return nil
}

// take reads a file from where its cursor is to its end.
func (f *folder) take(ctx context.Context, name string, c cursor, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return f.fails(name, c, problem(typeNoFile, 422, "it is no file but %s", kindOf(info.Mode())))
	}
	if f.Format == "" {
		c.State = read
		return f.commit(name, c, f.event(name, "", about(name, c)))
	}
	if f.Each == "file" && c.Size > int64(f.MaxSize) {
		return f.fails(name, c, tooLarge("it has %d bytes; max_size is %d", c.Size, int64(f.MaxSize)))
	}
	file, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		f.env.Logger.Warn("a file is gone before it was read", "path", name)
		f.files[name] = cursor{} // and is forgotten at the next look
		return nil
	}
	if err != nil {
		return f.fails(name, c, unreadable(err))
	}
	defer file.Close()
	if f.Each == "rows" {
		return f.rows(ctx, name, c, file)
	}
	return f.whole(name, c, file)
}

// fails delivers what a file cannot be read for; there is nothing more of it.
func (f *folder) fails(name string, c cursor, p *pipelined.Problem) error {
	c.State = read
	return f.commit(name, c, f.bad(name, "", about(name, c), p))
}

func (f *folder) event(name, row string, data value.Raw) triggers.Event {
	ev := triggers.Event{Key: name, From: "file:" + name, Data: data, Headers: map[string]string{"path": name}}
	if row != "" {
		ev.From += "#" + row
		ev.Headers["row"] = row
	}
	return ev
}

// bad is an event that could not be read as it should be.
func (f *folder) bad(name, row string, data value.Raw, p *pipelined.Problem) triggers.Event {
	ev := f.event(name, row, data)
	p = p.Clone()
	p.Detail = ev.From[len("file:"):] + ": " + p.Detail
	ev.Problem = p
	return ev
}

// about is what is known of a file that is not read.
func about(name string, c cursor) value.Raw {
	return object(map[string]any{
		"path": name, "name": path.Base(name), "size": c.Size, "modified": time.Unix(0, c.Modified).UTC().Format(time.RFC3339Nano)})
}

// object is JSON of texts and numbers.
func object(m map[string]any) value.Raw {
	raw, err := value.JSON(m)
	if err != nil {
		panic(err)
	}
	return raw
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
