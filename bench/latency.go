package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// latency sends one event at a time: a request publishes it, its consumer prices
// it and publishes in turn, and a third pipeline, which gets that event once the
// consumer has committed, calls back. The time until then is told as a multiple of
// one fdatasync of the same folder, measured in between.
func latency(b settings) error {
	told := make(chan string, 16)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	client := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now, _ := io.ReadAll(r.Body) // what is missing is found by the comparison
		told <- string(now)
		w.WriteHeader(http.StatusNoContent)
	})}
	go client.Serve(l)
	defer client.Close()
	dir, err := copyProject(b, "s3", "latency")
	if err != nil {
		return err
	}
	s, err := runProject(b, dir, []string{"BENCH_CLIENT=http://" + l.Addr().String()})
	if err != nil {
		return err
	}
	defer s.stop()
	j := job{conns: 1, each: 1, check: accepted}
	var times, syncs []float64
	for n, end := 0, time.Now().Add(b.arm); time.Now().Before(end); n++ {
		j.request = func(conn, _ int) request { return postOrder(conn, n) }
		sent := time.Now()
		if _, err := load(s, j); err != nil {
			return err
		}
		select {
		case got := <-told:
			if id := fmt.Sprintf(`"id":"o-%08d"`, n); !strings.Contains(got, id) {
				return fmt.Errorf("told %s, want %s", got, id)
			}
		case <-time.After(10 * time.Second):
			return fmt.Errorf("the event of order %d was not consumed within 10 s\n%s", n, s.log.String())
		}
		times = append(times, milliseconds(time.Since(sent)))
		one, err := syncOnce(b.dir)
		if err != nil {
			return err
		}
		syncs = append(syncs, one)
	}
	event, one := median(times), median(syncs)
	table([]string{"", "median"}, [][]string{
		{"fdatasync of 4 KB appended", fmt.Sprintf("%.2f ms", one)},
		{"request to committed by the consumer, and told by HTTP", fmt.Sprintf("%.2f ms", event)},
		{"that many fdatasync", number(event / one)},
	})
	b.figures.atMost("S3 latency of one event alone", event/one, "fdatasync", 3, 2)
	return nil
}

// syncOnce is how long it takes to make 4 KB more of a file durable, in ms.
func syncOnce(dir string) (float64, error) {
	f, err := os.OpenFile(filepath.Join(dir, "sync"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := make([]byte, 4096)
	began := time.Now()
	if _, err := f.Write(page); err != nil {
		return 0, err
	}
	if err := syscall.Fdatasync(int(f.Fd())); err != nil {
		return 0, err
	}
	return milliseconds(time.Since(began)), nil
}
