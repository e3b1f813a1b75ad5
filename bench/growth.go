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
	publishing, consuming := make([]costs, b.rounds), make([]costs, b.rounds)
	for i := range b.rounds {
		var err error
		if publishing[i], consuming[i], err = backlogRound(b); err != nil {
			return err
		}
	}
	all := thousands(float64(b.many))
	var rows [][]string
	for _, does := range []struct {
		what, row string
		rounds    []costs
	}{{"publishing", "published", publishing}, {"consuming", "consumed", consuming}} {
		few := medianOf(does.rounds, func(c costs) float64 { return c.few })
		many := medianOf(does.rounds, func(c costs) float64 { return c.many })
		rows = append(rows, []string{does.row, number(few), number(many), number(many / few)})
		b.figures.atMost("growth: "+does.what+" with "+all+" waiting", many/few, "× few", 1.2, 1.05)
	}
	table([]string{"CPU µs/event", "few waiting", all + " waiting", "ratio"}, rows)
	return nil
}

// backlogRound fills a store of its own and has it consumed.
func backlogRound(b settings) (published, consumed costs, err error) {
	dir, err := copyProject(b, "s3")
	if err != nil {
		return published, consumed, err
	}
	defer os.RemoveAll(dir)
	price := filepath.Join(dir, "price.yaml")
	consumer, err := os.ReadFile(price)
	if err != nil {
		return published, consumed, err
	}
	if err := os.WriteFile(price, []byte(held), 0o644); err != nil {
		return published, consumed, err
	}
	if published, err = fill(b, dir); err != nil {
		return published, consumed, fmt.Errorf("publishing: %w", err)
	}
	if err := os.WriteFile(price, consumer, 0o644); err != nil {
		return published, consumed, err
	}
	if consumed, err = drain(b, dir); err != nil {
		return published, consumed, fmt.Errorf("consuming: %w", err)
	}
	return published, consumed, nil
}

// costs are CPU µs per event.
type costs struct{ few, many float64 }

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
		measure       func(*server, time.Duration) (float64, error)
	}{
		{"S1, per request", "s1", func(s *server, length time.Duration) (float64, error) {
			r, err := load(s, job{conns: b.conns, length: length, request: postOrder, check: priced})
			return r.cpuPerRequest(), err
		}},
		{"S3b, per event", "s3", func(s *server, length time.Duration) (float64, error) {
			r, err := throughPipelines(s, singles(b), length)
			return r.cpuPerEvent(), err
		}},
	} {
		alone := func() (*server, error) { return startPipelined(b, sc.project) }
		results, err := alternate(b, []arm{
			{"alone", alone},
			{"among a thousand", func() (*server, error) { return startWith(b, others, sc.project) }},
			{"alone again (A/A)", alone},
		}, func(s *server) (float64, error) {
			if _, err := sc.measure(s, b.arm/5); err != nil { // warms up
				return 0, err
			}
			return sc.measure(s, b.arm)
		})
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
