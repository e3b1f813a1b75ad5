package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pipelined/internal/fault"
)

// Options is one run.
type Options struct {
	Binary string // as Build made it
	Dir    string // for the projects; an episode with findings leaves its own there
	Seed   uint64
	Kills  int
	// Gentle are stops and reloads for every ten kills.
	Gentle int
	Log    func(format string, args ...any)
}

// Summary is what a run did and found.
type Summary struct {
	Episodes, Kills, AtPoints, Stops, Reloads int
	Requests                                  map[int]int // answers by status; 0: the connection broke
	Events                                    int64
	Checks                                    int
	Found                                     []string
}

func (s *Summary) String() string {
	return fmt.Sprintf("%d kills (%d at fault points), %d stops in order and %d reloads in %d episodes; %d events; answers by status %v (0: cut off); %d checks, %d wrong",
		s.Kills, s.AtPoints, s.Stops, s.Reloads, s.Episodes, s.Events, s.Requests, s.Checks, len(s.Found))
}

// killsPerEpisode bounds an episode, so that its project stays small enough to look
// at.
const killsPerEpisode = 25

// Run runs episodes until there were as many kills as asked for. An error is the
// harness's own trouble, or a project that does not come back or settle; what is
// wrong with the data is found in the summary.
func Run(ctx context.Context, o Options) (*Summary, error) {
	sum := &Summary{Requests: map[int]int{}}
	for n := uint64(0); sum.Kills < o.Kills; n++ {
		e := &episode{Options: o, sum: sum, seed: o.Seed + n, random: rand.New(rand.NewPCG(o.Seed+n, 0x9e3779b97f4a7c15))}
		found, err := e.run(ctx, min(killsPerEpisode, o.Kills-sum.Kills))
		if err != nil {
			return sum, fmt.Errorf("episode with seed %d: %w", e.seed, err)
		}
		sum.Episodes++
		for _, f := range found {
			sum.Found = append(sum.Found, fmt.Sprintf("seed %d: %s", e.seed, f))
		}
		if len(found) > 0 {
			return sum, nil // what is left tells more than further episodes
		}
	}
	return sum, nil
}

type episode struct {
	Options
	sum      *Summary
	seed     uint64
	random   *rand.Rand
	settings settings
	process  *process
	world    *world
	drops    *drops
	revision int
}

func (e *episode) run(ctx context.Context, kills int) (found []string, err error) {
	dir := filepath.Join(e.Dir, fmt.Sprintf("episode-%d", e.seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if e.world, err = newWorld(); err != nil {
		return nil, err
	}
	defer e.world.close()
	e.settings = generate(e.random)
	e.settings.world = e.world.address
	if err := e.settings.write(dir, 0); err != nil {
		return nil, err
	}
	if e.process, err = newProcess(e.Binary, dir); err != nil {
		return nil, err
	}
	if e.drops, err = newDrops(dir); err != nil {
		return nil, err
	}
	l := newLedger()
	c := newClient(e.process.address, l)
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	var workers sync.WaitGroup
	e.load(load, c, &workers)
	workers.Go(func() { e.drops.fill(load, l.note) })
	err = e.torment(ctx, dir, kills)
	stopLoad()
	workers.Wait()
	if err == nil {
		err = e.settle(ctx)
	}
	if err != nil {
		e.process.kill()
		return nil, err
	}
	if err := e.process.stop(20 * time.Second); err != nil {
		return nil, err
	}
	docs, events, err := read(ctx, dir)
	if err != nil {
		return nil, err
	}
	left := &left{settings: e.settings, ledger: l, world: e.world, docs: docs, events: events}
	left.check()
	e.drops.check(left)
	e.sum.Checks += left.checks
	e.sum.Events += events
	for status, n := range l.answers {
		e.sum.Requests[status] += n
	}
	e.Log("seed %d: %d kills, %d orders, %d events, %d checks, %d wrong", e.seed, kills, len(docs["orders"]), events, left.checks, len(left.found))
	if len(left.found) == 0 {
		return nil, os.RemoveAll(dir)
	}
	e.Log("the project is left in %s; it printed last:\n%s", dir, e.process.log)
	return left.found, nil
}

// load starts the clients: lanes of orders, and requests that are accepted.
func (e *episode) load(ctx context.Context, c *client, workers *sync.WaitGroup) {
	for i := range 2 + e.random.IntN(8) {
		workers.Go(func() { c.lane(ctx, fmt.Sprintf("k%d", i)) })
	}
	workers.Go(func() { c.accept(ctx, "a", "/accepted", c.accepted, beat) })
	workers.Go(func() { c.pay(ctx) })
	workers.Go(func() { c.travel(ctx) })
	workers.Go(func() {
		c.accept(ctx, "b", "/bulk", c.bulks, 300*time.Millisecond+time.Duration(e.settings.bulk)*time.Millisecond)
	})
}

// torment starts the project and ends it, again and again.
func (e *episode) torment(ctx context.Context, dir string, kills int) error {
	for done := 0; done < kills; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		point := ""
		if e.random.IntN(2) == 0 && done%3 != 2 {
			points := fault.Points()
			point = fmt.Sprintf("%s:%d", points[e.random.IntN(len(points))], 1+e.random.IntN(1<<e.random.IntN(9)))
		}
		if err := e.process.start(point); err != nil {
			return err
		}
		if e.random.IntN(5) > 0 { // one in five dies while it starts
			if err := e.process.ready(20 * time.Second); err != nil {
				return err
			}
		}
		breathes := done%3 == 2 // what is scheduled must come to its end within five lives
		gentle := e.random.IntN(10) < e.Gentle
		alive := time.Duration(10+e.random.IntN(450)) * time.Millisecond
		if gentle && e.random.IntN(2) == 0 {
			e.revision++
			if err := e.settings.write(dir, e.revision); err != nil {
				return err
			}
			e.sum.Reloads++
			alive += 300 * time.Millisecond
		}
		if breathes {
			alive += 1500 * time.Millisecond
		}
		e.outlive(ctx, alive)
		switch {
		case e.process.gone():
			e.sum.AtPoints++
			e.sum.Kills++
			done++
		case gentle:
			if err := e.process.stop(20 * time.Second); err != nil {
				return err
			}
			e.sum.Stops++
		default:
			e.process.kill()
			e.sum.Kills++
			done++
		}
	}
	if err := e.process.start(""); err != nil {
		return err
	}
	return e.process.ready(20 * time.Second)
}

// outlive waits, or until the process has ended itself.
func (e *episode) outlive(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	case <-e.process.ended:
	}
}

// settle waits until nothing is under way, for two seconds in a row: longer than
// any schedule or delay of the project.
func (e *episode) settle(ctx context.Context) error { return e.settleOf(ctx, e.busy) }

func (e *episode) settleOf(ctx context.Context, look func() (string, error)) error {
	quiet := time.Now()
	for deadline := time.Now().Add(150 * time.Second); time.Since(quiet) < 2200*time.Millisecond; sleep(ctx, 100*time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		busy, err := look()
		if err != nil || busy != "" {
			quiet = time.Now()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the project does not settle: %s %w\n%s", busy, err, e.process.log)
		}
	}
	return nil
}

// busy says what is under way, or nothing.
func (e *episode) busy() (string, error) {
	if busy, err := e.busySubscriptions(); err != nil || busy != "" {
		return busy, err
	}
	if busy, err := e.drops.busy(); err != nil || busy != "" {
		return busy, err
	}
	var open struct {
		Total     int
		Documents []json.RawMessage
	}
	if err := e.ask(`/api/objects/failures?limit=1&where=doc.status+in+%5B%22pending%22,%22reprocessing%22%5D`, &open); err != nil {
		return "", err
	}
	if open.Total > 0 {
		return fmt.Sprintf("%d open error records, such as %s", open.Total, open.Documents), nil
	}
	return "", nil
}

func (e *episode) busySubscriptions() (string, error) {
	var status struct {
		Left          int
		Subscriptions []struct {
			Name                                string
			Ready, Running, Waiting, Aside, Lag int64
		}
	}
	if err := e.ask("/api/status", &status); err != nil {
		return "", err
	}
	if status.Left > 0 {
		return fmt.Sprintf("%d compensations and lists of after_commit", status.Left), nil
	}
	for _, s := range status.Subscriptions {
		if s.Ready+s.Running+s.Waiting+s.Aside+s.Lag > 0 {
			return fmt.Sprintf("%+v", s), nil
		}
	}
	return "", nil
}

func (e *episode) ask(path string, into any) error {
	resp, err := http.Get("http://" + e.process.admin + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", path, resp.StatusCode, strings.TrimSpace(string(text)))
	}
	return json.Unmarshal(text, into)
}
