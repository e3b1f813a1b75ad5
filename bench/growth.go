package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// held takes events and does not get done with them.
const held = `pipeline: price
trigger:
  event: { types: [order.received], concurrency: 1 }
steps:
  - delay: 10h
`

// growBacklog publishes events that nobody gets done with, and then has them
// consumed. What publishing costs with few and with all of them waiting is the second
// and last tenth of publishing; what consuming costs, the last seventh, and one after
// the first second, in which a process warms up. A part lasts a second or two, so the
// medians of several rounds count.
func growBacklog(b settings) error {
	var publishing, consuming parts
	for range b.rounds {
		if err := backlogRound(b, &publishing, &consuming); err != nil {
			return err
		}
	}
	all := thousands(float64(b.many))
	table([]string{"CPU µs/event", "few waiting", all + " waiting", "ratio"}, [][]string{
		{"published", number(median(publishing.few)), number(median(publishing.many)), number(publishing.ratio())},
		{"consumed", number(median(consuming.few)), number(median(consuming.many)), number(consuming.ratio())},
	})
	b.figures.atMost("growth: publishing with "+all+" waiting", publishing.ratio(), "× few", 1.2, 1.05)
	b.figures.atMost("growth: consuming with "+all+" waiting", consuming.ratio(), "× few", 1.2, 1.05)
	return nil
}

// backlogRound fills a store of its own and has it consumed.
func backlogRound(b settings, publishing, consuming *parts) error {
	dir, err := copyProject(b, "s3")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	price := filepath.Join(dir, "price.yaml")
	consumer, err := os.ReadFile(price)
	if err != nil {
		return err
	}
	if err := os.WriteFile(price, []byte(held), 0o644); err != nil {
		return err
	}
	published, err := fill(b, dir)
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	if err := os.WriteFile(price, consumer, 0o644); err != nil {
		return err
	}
	consumed, err := drain(b, dir)
	if err != nil {
		return fmt.Errorf("consuming: %w", err)
	}
	publishing.add(published)
	consuming.add(consumed)
	return nil
}

// costs are CPU µs per event.
type costs struct{ few, many float64 }

// parts are the costs of several rounds.
type parts struct{ few, many []float64 }

func (p *parts) add(c costs) { p.few, p.many = append(p.few, c.few), append(p.many, c.many) }

func (p *parts) ratio() float64 { return median(p.many) / median(p.few) }

// fill publishes in ten parts.
func fill(b settings, dir string) (costs, error) {
	s, err := runProject(b, dir, nil, "--drain", "100ms")
	if err != nil {
		return costs{}, err
	}
	defer s.stop()
	const parts, conns = 10, 4
	each := max(1, b.many/batch/parts/conns)
	var c costs
	for part := range parts {
		r, err := load(s, job{conns: conns, each: each, check: accepted,
			request: func(conn, n int) request { return postBatch(conn, part*each+n) }})
		if err != nil {
			return costs{}, err
		}
		c.many = r.cpuPerRequest() / batch
		if part == 1 { // the first warms up
			c.few = c.many
		}
	}
	return c, nil
}

// drain consumes what fill left.
func drain(b settings, dir string) (costs, error) {
	s, err := runProject(b, dir, nil)
	if err != nil {
		return costs{}, err
	}
	defer s.stop()
	const conns = 4
	count := max(1, b.many/batch/10/conns) * conns * 10 * batch
	type sample struct {
		sunk int
		cpu  time.Duration
	}
	var samples []sample
	for moved := time.Now(); time.Since(moved) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		var now sample
		if now.sunk, err = s.sunk(); err != nil {
			return costs{}, err
		}
		if now.cpu, err = s.cpu(); err != nil {
			return costs{}, err
		}
		if len(samples) == 0 || now.sunk > samples[len(samples)-1].sunk {
			samples, moved = append(samples, now), time.Now()
		}
		if now.sunk >= count {
			break
		}
	}
	if got := samples[len(samples)-1].sunk; got != count {
		return costs{}, fmt.Errorf("%d of %d events were consumed\n%s", got, count, s.log.String())
	}
	between := func(from, to int) float64 {
		var a, z *sample
		for i := range samples {
			if s := &samples[i]; s.sunk >= from && a == nil {
				a = s
			} else if s.sunk <= to {
				z = s
			}
		}
		if a == nil || z == nil || z.sunk <= a.sunk { // too few events to tell the parts apart
			a, z = &samples[0], &samples[len(samples)-1]
		}
		return float64((z.cpu - a.cpu).Microseconds()) / float64(max(z.sunk-a.sunk, 1))
	}
	return costs{many: between(count*3/20, count*6/20), few: between(count*17/20, count)}, nil
}

// growPipelines measures S1 and S3b in a project of their own, and among a thousand
// pipelines, each process after it has warmed up.
func growPipelines(b settings) error {
	const others = 999
	var rows [][]string
	for _, sc := range []struct {
		name, project string
		measure       func(*server) (float64, error)
	}{
		{"S1, per request", "s1", func(s *server) (float64, error) {
			j := job{conns: b.conns, length: b.arm / 5, request: postOrder, check: priced}
			if _, err := load(s, j); err != nil {
				return 0, err
			}
			j.length = b.arm
			r, err := load(s, j)
			return r.cpuPerRequest(), err
		}},
		{"S3b, per event", "s3", func(s *server) (float64, error) {
			j := job{conns: b.conns, length: b.arm / 5, request: postOrder}
			if _, err := throughPipelines(s, j, 1); err != nil {
				return 0, err
			}
			j.length = b.arm
			r, err := throughPipelines(s, j, 1)
			return r.cpuPerEvent(), err
		}},
	} {
		alone := func() (*server, error) { return startPipelined(b, sc.project) }
		results, err := alternate(b, []arm{
			{"alone", alone},
			{"among a thousand", func() (*server, error) { return startWith(b, others, sc.project) }},
			{"alone again (A/A)", alone},
		}, sc.measure)
		if err != nil {
			return err
		}
		one, thousand, again := median(results[0]), median(results[1]), median(results[2])
		ratio := thousand / ((one + again) / 2)
		rows = append(rows, []string{sc.name, number(one), number(thousand), number(again), number(ratio)})
		b.figures.atMost("growth: "+sc.name+", among 1,000 pipelines", ratio, "× alone", 1.1, 1.02)
	}
	table([]string{"CPU µs", "alone", "among 1,000 pipelines", "alone again (A/A)", "ratio"}, rows)
	return nil
}
