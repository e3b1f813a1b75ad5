package main

import (
	"bufio"
	"bytes"
	"errors"
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

// job is what clients do over kept-alive connections.
type job struct {
	conns   int
	length  time.Duration // how long; 0: until each is done
	each    int           // how many requests a connection sends; 0: until length is over
	request func(conn, n int) request
	check   func(conn, n, status int, answer []byte) error // looks at every answer
}

type request struct {
	method, path string
	body         []byte
}

func post(path string, body []byte) request { return request{"POST", path, body} }

func get(path string) request { return request{method: "GET", path: path} }

// load does a job. The client is bare, so that it leaves the processor to the
// server.
func load(s *server, j job) (result, error) {
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
	for c := range j.conns {
		wg.Go(func() {
			mine, err := j.run(s.addr, c)
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
		return result{}, fmt.Errorf("load: %w\n%s", errors.Join(failure, err), s.log.String())
	}
	slices.Sort(latencies)
	r := result{requests: len(latencies), elapsed: elapsed, cpu: after - before, memory: s.memory()}
	if len(latencies) > 0 {
		r.p50, r.p99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	}
	return r, nil
}

// client is one kept-alive connection.
type client struct {
	conn        net.Conn
	in          *bufio.Reader
	out, answer []byte
	err         error
}

// newClient connects; an error is told by the first send.
func newClient(addr string) *client {
	c := &client{}
	if c.conn, c.err = net.Dial("tcp", addr); c.err == nil {
		c.in = bufio.NewReaderSize(c.conn, 16<<10)
	}
	return c
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *client) send(r request) error {
	if c.err != nil {
		return c.err
	}
	c.out = r.append(c.out[:0])
	_, err := c.conn.Write(c.out)
	return err
}

// receive returns the next answer, whose bytes are its own until the next call.
func (c *client) receive() (status int, answer []byte, err error) {
	status, c.answer, err = response(c.in, c.answer)
	return status, c.answer, err
}

// run does the job's part of one connection; it returns how long each answer took.
func (j job) run(addr string, conn int) ([]time.Duration, error) {
	c := newClient(addr)
	defer c.close()
	var latencies []time.Duration
	end := time.Now().Add(j.length)
	for n := 0; (j.each == 0 || n < j.each) && (j.length == 0 || time.Now().Before(end)); n++ {
		r := j.request(conn, n)
		sent := time.Now()
		if err := c.send(r); err != nil {
			return latencies, err
		}
		status, answer, err := c.receive()
		if err != nil {
			return latencies, err
		}
		latencies = append(latencies, time.Since(sent))
		if err := j.check(conn, n, status, answer); err != nil {
			return latencies, err
		}
	}
	return latencies, nil
}

func (r request) append(out []byte) []byte {
	out = append(append(append(append(out, r.method...), ' '), r.path...), " HTTP/1.1\r\nHost: bench\r\n"...)
	if r.body != nil {
		out = append(out, "Content-Type: application/json\r\nContent-Length: "...)
		out = append(strconv.AppendInt(out, int64(len(r.body)), 10), "\r\n"...)
	}
	return append(append(out, "\r\n"...), r.body...)
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
