package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// fate is what the client knows of a request.
type fate int

const (
	refused fate = iota // it was told no, or nobody listened: nothing may have happened
	unknown             // the connection broke: it may have happened, whole
	done                // it was told yes: it must have happened, whole
)

// order is a request of the ledger.
type order struct {
	ID  string `json:"id"`
	Key string `json:"key,omitempty"`
	N   int    `json:"n"`
}

// ledger is what the client asked for and was told, in memory the process has no
// part in.
type ledger struct {
	mu       sync.Mutex
	orders   map[string]fate
	lanes    map[string][]order // by key, in the order they were asked for
	accepted map[string]fate
	bulks    map[string]fate
	payments map[string]fate
	trips    map[string]fate
	soaked   map[string]int // orders answered, by key
	doubtful map[string]int // of which nothing is known
	wrong    []string
	answers  map[int]int // by status; 0: none
}

func newLedger() *ledger {
	return &ledger{orders: map[string]fate{}, lanes: map[string][]order{}, accepted: map[string]fate{}, bulks: map[string]fate{}, payments: map[string]fate{}, trips: map[string]fate{}, answers: map[int]int{}, soaked: map[string]int{}, doubtful: map[string]int{}}
}

// note adds to what is wrong.
func (l *ledger) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, what)
}

// client sends load until ctx ends: one worker a lane, which asks for the next
// order only when it knows what became of the last.
type client struct {
	*ledger
	base string
	http *http.Client
}

func newClient(address string, l *ledger) *client {
	return &client{ledger: l, base: "http://" + address, http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

func (c *client) lane(ctx context.Context, key string) {
	for ctx.Err() == nil {
		c.mu.Lock()
		n := len(c.lanes[key])
		o := order{ID: fmt.Sprintf("%s-%d", key, n), Key: key, N: n}
		c.lanes[key] = append(c.lanes[key], o)
		c.mu.Unlock()
		f, status := c.post("/orders", o)
		c.mu.Lock()
		c.orders[o.ID] = f
		c.answers[status]++
		c.mu.Unlock()
		c.pause(ctx, f)
		sleep(ctx, beat) // kills are what counts, not load
	}
}

// beat is between two requests of a client.
const beat = 4 * time.Millisecond

func (c *client) accept(ctx context.Context, name, path string, into map[string]fate, rest time.Duration) {
	for n := 0; ctx.Err() == nil; n++ {
		c.mu.Lock()
		id := fmt.Sprintf("%s-%d", name, len(into))
		into[id] = refused
		c.mu.Unlock()
		f, status := c.post(path, order{ID: id, N: n})
		c.mu.Lock()
		into[id] = f
		c.answers[status]++
		c.mu.Unlock()
		c.pause(ctx, f)
		sleep(ctx, rest)
	}
}

// pay asks with a key, and again with the same one until it is told yes.
func (c *client) pay(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("p-%d", n)
		for f := refused; f != done && ctx.Err() == nil; c.pause(ctx, f) {
			var status int
			f, status = c.post("/pay", order{ID: id, N: n})
			c.mu.Lock()
			if c.payments[id] != unknown || f == done { // what may have happened once, may have
				c.payments[id] = f
			}
			c.answers[status]++
			c.mu.Unlock()
		}
		sleep(ctx, beat)
	}
}

// travel asks for trips, of which every third is refused by the pipeline itself, after it
// has booked.
func (c *client) travel(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("t-%d", n)
		c.mu.Lock()
		c.trips[id] = refused
		c.mu.Unlock()
		f, status := c.post("/trips", order{ID: id, N: n})
		c.mu.Lock()
		c.trips[id] = f
		c.answers[status]++
		c.mu.Unlock()
		c.pause(ctx, f)
		sleep(ctx, 4*beat)
	}
}

// pause keeps a client from asking a dead process in a tight loop.
func (c *client) pause(ctx context.Context, f fate) {
	if f != done {
		sleep(ctx, 10*time.Millisecond)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// post asks and says what is known then. Load never gives up on its own: a request
// under way when the load ends is waited for.
func (c *client) post(path string, o order) (fate, int) {
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts and numbers
	}
	req, err := http.NewRequest(http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		panic(err) // the address is ours
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", o.ID)
	resp, err := c.http.Do(req)
	if err != nil {
		return unknown, 0
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return unknown, 0
	}
	switch {
	case resp.StatusCode < 300:
		return done, resp.StatusCode
	case resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusConflict && path == "/trips":
		return refused, resp.StatusCode
	}
	c.mu.Lock()
	c.wrong = append(c.wrong, fmt.Sprintf("%s %s: %d %s", path, o.ID, resp.StatusCode, text))
	c.mu.Unlock()
	return unknown, resp.StatusCode
}
