package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// result is what one measurement found.
type result struct {
	requests int
	elapsed  time.Duration
	p50, p99 time.Duration
	cpu      time.Duration // of the server
	memory   float64       // MB, of the server, at the end
}

func (r result) perSecond() float64 { return float64(r.requests) / r.elapsed.Seconds() }

func (r result) cpuPerRequest() float64 { // µs
	return float64(r.cpu.Microseconds()) / float64(max(r.requests, 1))
}

// load posts bodies over kept-alive connections for a while. body gives the n-th
// request of a connection; check looks at every answer. The client is bare, so
// that it leaves the processor to the server.
func load(s *server, conns int, d time.Duration, path string, body func(conn, n int) []byte, check func(conn, n, status int, answer []byte) error) (result, error) {
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	var (
		wg        sync.WaitGroup
		mu        sync.Mutex
		latencies []time.Duration
		failure   error
	)
	start := time.Now()
	for c := range conns {
		wg.Go(func() {
			mine, err := connection(s.addr, start.Add(d), path, func(n int) []byte { return body(c, n) },
				func(n, status int, answer []byte) error { return check(c, n, status, answer) })
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, mine...)
			if err != nil && failure == nil {
				failure = err
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	after, err := s.cpu()
	if failure != nil || err != nil {
		return result{}, fmt.Errorf("load: %w %w\n%s", failure, err, s.log.String())
	}
	slices.Sort(latencies)
	r := result{requests: len(latencies), elapsed: elapsed, cpu: after - before, memory: s.memory()}
	if len(latencies) > 0 {
		r.p50, r.p99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	}
	return r, nil
}

// connection is one client.
func connection(addr string, until time.Time, path string, body func(int) []byte, check func(n, status int, answer []byte) error) ([]time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReaderSize(c, 16<<10)
	var out, answer []byte
	var latencies []time.Duration
	for n := 0; time.Now().Before(until); n++ {
		b := body(n)
		out = append(out[:0], "POST "+path+" HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: "...)
		out = strconv.AppendInt(out, int64(len(b)), 10)
		out = append(append(out, "\r\n\r\n"...), b...)
		sent := time.Now()
		if _, err := c.Write(out); err != nil {
			return latencies, err
		}
		status, a, err := response(in, answer)
		if err != nil {
			return latencies, err
		}
		answer = a
		latencies = append(latencies, time.Since(sent))
		if err := check(n, status, answer); err != nil {
			return latencies, err
		}
	}
	return latencies, nil
}

// response reads one answer that has a Content-Length.
func response(in *bufio.Reader, buf []byte) (status int, body []byte, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("unexpected status line %q", line)
	}
	status, err = strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, nil, err
	}
	length := 0
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if k, v, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(k, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return 0, nil, err
			}
		}
	}
	if cap(buf) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	_, err = io.ReadFull(in, buf)
	return status, buf, err
}
