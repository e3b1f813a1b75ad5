package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// batch is how many records one request of S3a has.
const batch = 1000

// postBatch is the n-th batch of a connection.
func postBatch(conn, n int) request {
	var s strings.Builder
	s.Grow(700 * batch)
	s.WriteString(`{"orders":[`)
	for i := range batch {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, order, orderID(conn, n*batch+i), amount(i))
	}
	s.WriteString(`]}`)
	return post("/batches", []byte(s.String()))
}

// s3a: HTTP batches of 1,000 records, one event each, durable before the 202; a
// second pipeline consumes each, transforms and publishes. Measured end to end:
// until the second pipeline has committed for every event.
func s3a(b settings) error {
	results, err := s3(b, batches())
	if err != nil {
		return err
	}
	b.figures.atLeast("S3a end to end", medianOf(results[1], asynchronous.rate), "events/s", 25_000, 50_000)
	return nil
}

// s3b: the same from concurrent requests of one record each. A durable hop is one
// event: accepted, or consumed.
func s3b(b settings) error {
	results, err := s3(b, singles(b))
	if err != nil {
		return err
	}
	rate := medianOf(results[1], asynchronous.rate)
	b.figures.atLeast("S3b end to end", rate, "events/s", 18_000, 18_000)
	b.figures.atLeast("S3b of the bare log", rate/medianOf(results[0], asynchronous.rate), "×", 0.2, 0.5)
	return nil
}

// stream is a job whose requests become events.
type stream struct {
	job
	perRequest int // how many events one becomes
}

func batches() stream { return stream{job{conns: 4, request: postBatch}, batch} }

func singles(b settings) stream { return stream{job{conns: b.conns, request: postOrder}, 1} }

// asynchronous is what one measurement of S3 found.
type asynchronous struct {
	events        int
	took, sending time.Duration
	cpu           time.Duration
	memory        float64
}

// rate is events per second, end to end.
func (a asynchronous) rate() float64 { return float64(a.events) / a.took.Seconds() }

// accepted is events per second while they were sent.
func (a asynchronous) accepted() float64 { return float64(a.events) / a.sending.Seconds() }

func (a asynchronous) cpuPerEvent() float64 {
	return float64(a.cpu.Microseconds()) / float64(max(a.events, 1))
}

func s3(b settings, load stream) ([][]asynchronous, error) {
	bare := func() (*server, error) { return startBaseline("s3", b.dir) }
	arms := []arm{
		{"bare log: append + fdatasync", bare},
		{"pipelined", func() (*server, error) { return startPipelined(b, "s3") }},
		{"bare log again (A/A)", bare},
	}
	results, err := alternate(b, arms, func(s *server) (asynchronous, error) {
		defer s.takeProfiles(b, b.arm)()
		return throughPipelines(s, load, b.arm)
	})
	if err != nil {
		return nil, err
	}
	var rows [][]string
	base := medianOf(results[0], asynchronous.rate)
	for i, a := range arms {
		r := results[i]
		rows = append(rows, []string{a.name, thousands(medianOf(r, asynchronous.rate)), thousands(medianOf(r, asynchronous.accepted)),
			number(medianOf(r, asynchronous.cpuPerEvent)), number(medianOf(r, func(a asynchronous) float64 { return a.memory })),
			number(medianOf(r, asynchronous.rate) / base)})
	}
	table([]string{"arm", "events/s end to end", "accepted/s", "CPU µs/event", "MB", "ratio"}, rows)
	return results, nil
}

// throughPipelines sends for a while and then waits until the sink has seen every
// event.
func throughPipelines(s *server, events stream, length time.Duration) (asynchronous, error) {
	before, err := s.cpu()
	if err != nil {
		return asynchronous{}, err
	}
	already, err := s.sunk()
	if err != nil {
		return asynchronous{}, err
	}
	began := time.Now()
	events.length, events.check = length, accepted
	r, err := load(s, events.job)
	if err != nil {
		return asynchronous{}, err
	}
	sent := r.requests * events.perRequest
	if err := awaitSink(s, already+sent); err != nil {
		return asynchronous{}, err
	}
	took := time.Since(began)
	after, err := s.cpu()
	return asynchronous{events: sent, took: took, sending: r.elapsed, cpu: after - before, memory: s.memory()}, err
}

func accepted(_, _, status int, answer []byte) error {
	if status != http.StatusAccepted {
		return fmt.Errorf("status %d: %s", status, answer)
	}
	return nil
}

// awaitSink waits until the sink has counted exactly n events: ground truth.
func awaitSink(s *server, n int) error {
	last, moved := -1, time.Now()
	for time.Since(moved) < 30*time.Second {
		got, err := s.sunk()
		switch {
		case err != nil:
			return err
		case got == n:
			return nil
		case got > n:
			return fmt.Errorf("the sink counted %d of %d events: some came twice", got, n)
		case got > last:
			last, moved = got, time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the sink has seen %d of %d events, and no more for half a minute", last, n)
}
