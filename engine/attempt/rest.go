package attempt

import "sync"

// Rest is what an execution still has to do after its commit, and belongs to its run: what
// is to come after the run waits for it. nil: there is nothing.
type Rest struct {
	mu    sync.Mutex
	open  int // lists of steps that have not ended
	then  []func()
	start func()
}

// NewRest is the rest of n lists of steps; start, called at most once, has them begin.
func NewRest(n int, start func()) *Rest { return &Rest{open: n, start: start} }

// Start has the rest begin, where it waits for an answer to be sent first.
func (r *Rest) Start() {
	if r == nil {
		return
	}
	r.mu.Lock()
	start := r.start
	r.start = nil
	r.mu.Unlock()
	if start != nil {
		start()
	}
}

// Ended notes that one of the lists of steps has ended, or is left to another process.
func (r *Rest) Ended() {
	if r == nil {
		return
	}
	r.mu.Lock()
	if r.open--; r.open > 0 {
		r.mu.Unlock()
		return
	}
	then := r.then
	r.then = nil
	r.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// Then has f called once when all of it has ended; at once if it has.
func (r *Rest) Then(f func()) {
	if r == nil {
		f()
		return
	}
	r.mu.Lock()
	if r.open > 0 {
		r.then = append(r.then, f)
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	f()
}

// HandOver has what is left to be done, and durable, taken over.
func (r *Runner) HandOver(left []*Left) *Rest { return r.handOver(left, false) }

func (r *Runner) handOver(left []*Left, held bool) *Rest {
	if len(left) == 0 || r.Leave == nil {
		return nil
	}
	for _, l := range left {
		if l.Trigger == UndoTrigger {
			r.Sagas.Remove(l.Group)
		}
	}
	return r.Leave(left, held)
}
