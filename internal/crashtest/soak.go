package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

// soakFiles are a project that keeps everything only for seconds, so that memory
// and file have to stay flat, and that counts in few documents what came through.
func soakFiles(revision int) map[string]string {
	add := func(collection string) string {
		return fmt.Sprintf(`  - name: lane
    object_store.get: { collection: %[1]s, id: "${{ input.key }}" }
  - when: input.n <= (steps.lane.last ?? -1)
    fail: { type: soak/order, title: Out of order or twice, status: 500 }
  - object_store.put:
      collection: %[1]s
      id: ${{ input.key }}
      document: { last: "${{ input.n }}", count: "${{ (steps.lane.count ?? 0) + 1 }}" }
`, collection)
	}
	return map[string]string{
		"pipelined.yaml": `project: soak
history: all
events:
  order.received: { retain: 10s, dedupe: 10s }
  order.part: { retain: 10s }
collections:
  orders: { retain: 10s }
  parts: { retain: 10s }
`,
		"orders.yaml": fmt.Sprintf(`pipeline: orders
description: Revision %d.
trigger: { http: { method: POST, path: /orders, idempotency: { ttl: 10s } } }
history: errors
steps:
  - object_store.insert: { collection: orders, id: "${{ input.id }}", document: "${{ input }}" }
  - publish: { event: order.received, key: "${{ input.key }}", id: "${{ input.id }}" }
  - respond: { status: 200, body: { id: "${{ input.id }}" } }
`, revision),
		"ordered.yaml": `pipeline: ordered
trigger: { event: { types: [order.received], concurrency: 16, order_by: event.key } }
history: errors
steps:
` + add("lanes"),
		"spread.yaml": `pipeline: spread
trigger: { event: { types: [order.received], concurrency: 16, order_by: event.key, retry: { attempts: 3, initial: 50ms, max: 50ms } } }
history: errors
steps:
  - when: input.n % 50 == 0 and event.attempt == 1
    fail: { type: soak/flaky, title: Not yet, status: 503, retriable: true }
  - publish: { event: order.part, key: "${{ input.key }}" }
`,
		"gather.yaml": `pipeline: gather
trigger: { event: { types: [order.part], concurrency: 16, order_by: event.key } }
history: errors
steps:
  - object_store.insert: { collection: parts, id: "${{ input.id }}", document: {} }
` + add("gathered"),
	}
}

// Sample is how large the process and its data were at a moment.
type Sample struct {
	At                  time.Duration
	RSS, File, Log      int64 // bytes
	Requests, Revisions int
}

// Soak runs one project at full load for a while, with kills, reloads and stops in
// order, and returns how large it was meanwhile. What is wrong is in the summary.
func Soak(ctx context.Context, o Options, duration time.Duration) (*Summary, []Sample, error) {
	sum := &Summary{Requests: map[int]int{}, Episodes: 1}
	dir := filepath.Join(o.Dir, "soak")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	write := func(revision int) error {
		for name, text := range soakFiles(revision) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	if err := write(0); err != nil {
		return nil, nil, err
	}
	p, err := newProcess(o.Binary, dir)
	if err != nil {
		return nil, nil, err
	}
	e := &episode{Options: o, sum: sum, process: p, random: rand.New(rand.NewPCG(o.Seed, 2))}
	l := newLedger()
	c := newClient(p.address, l)
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	var workers sync.WaitGroup
	for i := range 32 {
		workers.Go(func() { c.lanesOf(load, fmt.Sprintf("k%d", i)) })
	}
	begun := time.Now()
	var samples []Sample
	next := begun
	for revision := 0; time.Since(begun) < duration; {
		if err := p.start(""); err != nil {
			return sum, samples, err
		}
		if err := p.ready(30 * time.Second); err != nil {
			return sum, samples, err
		}
		for end := time.Now().Add(time.Duration(5+e.random.IntN(25)) * time.Second); time.Now().Before(end) && time.Since(begun) < duration; {
			sleep(ctx, time.Second)
			if ctx.Err() != nil {
				p.kill()
				return sum, samples, ctx.Err()
			}
			if e.random.IntN(10) == 0 {
				revision++
				sum.Reloads++
				if err := write(revision); err != nil {
					return sum, samples, err
				}
			}
			if time.Now().After(next) {
				next = next.Add(duration / 20)
				samples = append(samples, sample(p, dir, time.Since(begun), l, revision))
			}
		}
		if e.random.IntN(2) == 0 {
			p.kill()
			sum.Kills++
			continue
		}
		if err := p.stop(30 * time.Second); err != nil {
			return sum, samples, err
		}
		sum.Stops++
	}
	stopLoad()
	workers.Wait()
	if err := p.start(""); err != nil {
		return sum, samples, err
	}
	if err := p.ready(30 * time.Second); err != nil {
		return sum, samples, err
	}
	if err := e.settleOf(ctx, func() (string, error) { return e.busySubscriptions() }); err != nil {
		p.kill()
		return sum, samples, err
	}
	samples = append(samples, sample(p, dir, time.Since(begun), l, 0))
	if err := p.stop(30 * time.Second); err != nil {
		return sum, samples, err
	}
	for status, n := range l.answers {
		sum.Requests[status] += n
	}
	return sum, samples, soakCheck(ctx, dir, l, sum)
}

func sample(p *process, dir string, at time.Duration, l *ledger, revision int) Sample {
	s := Sample{At: at.Round(time.Second), Revisions: revision}
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)); err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				s.RSS = kb << 10
			}
		}
	}
	for suffix, to := range map[string]*int64{"": &s.File, "-wal": &s.Log} {
		if info, err := os.Stat(filepath.Join(dir, ".pipelined", "data.db"+suffix)); err == nil {
			*to = info.Size()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.answers {
		s.Requests += n
	}
	return s
}

// lanesOf sends the orders of one lane as fast as they are answered. An order
// whose fate is not known is asked again with its key until it is.
func (c *client) lanesOf(ctx context.Context, key string) {
	for n := 0; ctx.Err() == nil; n++ {
		o := order{ID: fmt.Sprintf("%s-%d", key, n), Key: key, N: n}
		f := refused
		for f != done && ctx.Err() == nil {
			var status int
			f, status = c.post("/orders", o)
			c.mu.Lock()
			c.answers[status]++
			c.mu.Unlock()
			c.pause(ctx, f)
		}
		c.mu.Lock()
		if f == done {
			c.soaked[key]++
		} else {
			c.doubtful[key]++
		}
		c.mu.Unlock()
	}
}

// soakCheck holds the counts of the project to the client's.
func soakCheck(ctx context.Context, dir string, l *ledger, sum *Summary) error {
	s, err := sqlite.Open(filepath.Join(dir, ".pipelined", "data.db"), sqlite.Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	wrongf := func(format string, args ...any) { sum.Found = append(sum.Found, fmt.Sprintf(format, args...)) }
	sum.Found = append(sum.Found, l.wrong...)
	for key, told := range l.soaked {
		for _, c := range []string{"lanes", "gathered"} {
			d, err := s.Get(ctx, c, key)
			if err != nil {
				return err
			}
			var lane struct{ Last, Count int }
			if d != nil {
				if err := json.Unmarshal([]byte(d.Body), &lane); err != nil {
					return err
				}
			}
			sum.Checks++
			if lane.Count < told || lane.Count > told+l.doubtful[key] {
				wrongf("%s: %s counts %d, told %d and %d in doubt", c, key, lane.Count, told, l.doubtful[key])
			}
		}
	}
	if sum.Events, err = s.LastSeq(ctx); err != nil {
		return err
	}
	return s.Find(ctx, store.Query{Collection: "dead_letters"}, func(d *store.Document) (bool, error) {
		wrongf("dead letter %s: %s", d.ID, d.Body)
		return len(sum.Found) < 20, nil
	})
}
