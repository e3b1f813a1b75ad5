package crashtest

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// world is what is outside of the project: a service of the harness, which keeps a book of
// its own of what was done to it, in the order it was.
type world struct {
	address string
	server  *http.Server

	mu   sync.Mutex
	book map[string][]string // by id: "do hotel", "undo hotel", "mark"
}

func newWorld() (*world, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for what is outside: %w", err)
	}
	w := &world{address: "http://" + l.Addr().String(), book: map[string][]string{}}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.server.Serve(l) }() // ends with close
	return w, nil
}

func (w *world) close() { _ = w.server.Close() }

// ServeHTTP takes POST /do/hotel/t-1, /undo/hotel/t-1 and /mark/-/k1-7. Some things it
// refuses the first time: it then does nothing, and says so.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(part) != 3 {
		http.Error(rw, "no such thing", http.StatusNotFound)
		return
	}
	what, id := part[0]+" "+part[1], part[2]
	w.mu.Lock()
	defer w.mu.Unlock()
	if refusedFirst(what, id) && !slices.Contains(w.book[id], "refused "+what) {
		w.book[id] = append(w.book[id], "refused "+what)
		http.Error(rw, "not now", http.StatusServiceUnavailable)
		return
	}
	w.book[id] = append(w.book[id], what)
	rw.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(rw, `{"id":%q}`, part[1]+"-"+id)
}

// refusedFirst says what is refused the first time: some marks, which are tried again soon,
// and few compensations, which are after a minute.
func refusedFirst(what, id string) bool {
	switch what {
	case "mark -":
		return strings.HasSuffix(id, "7")
	case "undo hotel":
		return id == "t-6" || strings.HasSuffix(id, "k0-15")
	}
	return false
}

// done lists what was done to an id and not undone after it.
func (w *world) done(id string) (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.book[id] {
		verb, what, _ := strings.Cut(line, " ")
		switch verb {
		case "do":
			out = append(slices.DeleteFunc(out, func(s string) bool { return s == what }), what)
		case "undo":
			out = slices.DeleteFunc(out, func(s string) bool { return s == what })
		}
	}
	return out
}

// count is how often something was done to an id.
func (w *world) count(id, line string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.book[id] {
		if l == line {
			n++
		}
	}
	return n
}

// backward reports whether something was done to an id after something else was undone.
func (w *world) backward(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	undone := false
	for _, line := range w.book[id] {
		if undone && strings.HasPrefix(line, "do ") {
			return true
		}
		undone = undone || strings.HasPrefix(line, "undo ")
	}
	return false
}

// story is what happened to an id.
func (w *world) story(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.book[id], ", ")
}
