package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// s3a: HTTP batches of 1,000 records, one event each, durable before the 202; a
// second pipeline consumes each, transforms and publishes. Measured end to end:
// until the second pipeline has committed for every event.
func s3a(b settings) error {
	const size = 1000
	batch := func(conn, n int) []byte {
		var s strings.Builder
		s.WriteString(`{"orders":[`)
		for i := range size {
			if i > 0 {
				s.WriteByte(',')
			}
			fmt.Fprintf(&s, order, (conn*100_000+n)*size+i, amount(i))
		}
		s.WriteString(`]}`)
		return []byte(s.String())
	}
	return s3(b, "S3a asynchronous: HTTP batches of 1,000 records, one durable event each, consumed, transformed, published",
		"/batches", 4, size, batch)
}

// s3b: the same from concurrent requests of one record each.
func s3b(b settings) error {
	return s3(b, fmt.Sprintf("S3b asynchronous: %d concurrent requests of one record, each durable before its 202, consumed, published", b.conns),
		"/orders", b.conns, 1, s1Body)
}

func s3(b settings, title, path string, conns, perRequest int, body func(conn, n int) []byte) error {
	var ends, accepted, logs, cpus, mems []float64
	for range b.rounds {
		journal, err := s3Arm(func() (*server, error) { return startBaseline("s3", b.dir) }, b, path, conns, perRequest, body)
		if err != nil {
			return fmt.Errorf("bare log: %w", err)
		}
		logs = append(logs, journal.end)
		ours, err := s3Arm(func() (*server, error) { return startPipelined(b, "s3") }, b, path, conns, perRequest, body)
		if err != nil {
			return fmt.Errorf("pipelined: %w", err)
		}
		ends, accepted = append(ends, ours.end), append(accepted, ours.accepted)
		cpus, mems = append(cpus, ours.cpu), append(mems, ours.memory)
	}
	fmt.Printf("## %s\n\n| arm | events/s end to end | accepted/s | CPU µs/event | MB | ratio |\n|---|---|---|---|---|---|\n", title)
	fmt.Printf("| bare log, append + fdatasync | %.0f | | | | 1.00 |\n", median(logs))
	fmt.Printf("| pipelined | %.0f | %.0f | %.1f | %.0f | %.2f |\n\n", median(ends), median(accepted), median(cpus), median(mems), median(ends)/median(logs))
	return nil
}

type s3Result struct{ end, accepted, cpu, memory float64 }

// s3Arm sends for a while and then waits until the sink has seen every event.
func s3Arm(start func() (*server, error), b settings, path string, conns, perRequest int, body func(conn, n int) []byte) (s3Result, error) {
	s, err := start()
	if err != nil {
		return s3Result{}, err
	}
	defer s.stop()
	cpu, err := s.cpu()
	if err != nil {
		return s3Result{}, err
	}
	began := time.Now()
	r, err := load(s, conns, b.arm, path, body, func(_, _, status int, answer []byte) error {
		if status != http.StatusAccepted {
			return fmt.Errorf("status %d: %s", status, answer)
		}
		return nil
	})
	if err != nil {
		return s3Result{}, err
	}
	sent := r.requests * perRequest
	if err := awaitSink(s, sent, 2*time.Minute); err != nil {
		return s3Result{}, err
	}
	took := time.Since(began)
	after, err := s.cpu()
	if err != nil {
		return s3Result{}, err
	}
	return s3Result{end: float64(sent) / took.Seconds(), accepted: float64(sent) / r.elapsed.Seconds(),
		cpu: float64((after - cpu).Microseconds()) / float64(sent), memory: s.memory()}, nil
}

// awaitSink waits until the sink has counted exactly n events: ground truth.
func awaitSink(s *server, n int, limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		got, err := s.sunk()
		if err != nil {
			return err
		}
		if got == n {
			return nil
		}
		if got > n {
			return fmt.Errorf("the sink counted %d of %d events: some came twice", got, n)
		}
	}
	return fmt.Errorf("the sink has not seen all %d events after %s\n%s", n, limit, s.log.String())
}
