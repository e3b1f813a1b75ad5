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
// consumer has committed, calls back. From the time until then is taken what a
// request and such a call take without any event between them. The rest is told as
// a multiple of one fdatasync of the same folder. All three are measured in turn.
func latency(b settings) error {
	type call struct {
		body string
		at   time.Time
	}
	told := make(chan call, 16)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listener := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		body, _ := io.ReadAll(r.Body) // what is missing is found by the comparison
		told <- call{string(body), at}
		w.WriteHeader(http.StatusNoContent)
	})}
	go listener.Serve(l)
	defer listener.Close()
	dir, err := copyProject(b, "s3", "latency")
	if err != nil {
		return err
	}
	s, err := runProject(b, dir, []string{"BENCH_CLIENT=http://" + l.Addr().String()})
	if err != nil {
		return err
	}
	defer s.stop()
	client := newClient(s.addr)
	defer client.close()
	ask := func(path string, n int) (float64, error) {
		r := postOrder(0, n)
		r.path = path
		sent := time.Now()
		if err := client.send(r); err != nil {
			return 0, err
		}
		select {
		case got := <-told:
			if id := fmt.Sprintf(`"id":"o-%08d"`, n); !strings.Contains(got.body, id) {
				return 0, fmt.Errorf("told %s, want %s", got.body, id)
			}
			status, answer, err := client.receive()
			if err == nil {
				err = accepted(0, n, status, answer)
			}
			return milliseconds(got.at.Sub(sent)), err
		case <-time.After(10 * time.Second):
			return 0, fmt.Errorf("the event of order %d was not consumed within 10 s\n%s", n, s.log.String())
		}
	}
	var events, directs, syncs []float64
	for n, end := 0, time.Now().Add(b.arm); time.Now().Before(end); n++ {
		for _, m := range []struct {
			list *[]float64
			take func() (float64, error)
		}{
			{&events, func() (float64, error) { return ask("/orders", n) }},
			{&directs, func() (float64, error) { return ask("/direct", n) }},
			{&syncs, func() (float64, error) { return syncOnce(b.dir) }},
		} {
			one, err := m.take()
			if err != nil {
				return err
			}
			*m.list = append(*m.list, one)
		}
	}
	through, direct, one := median(events), median(directs), median(syncs)
	table([]string{"", "median"}, [][]string{
		{"fdatasync of 4 KB appended", fmt.Sprintf("%.2f ms", one)},
		{"request, event, consumer's commit, call", fmt.Sprintf("%.2f ms", through)},
		{"request, call", fmt.Sprintf("%.2f ms", direct)},
		{"event to its consumer's commit", fmt.Sprintf("%.2f ms", through-direct)},
		{"that many fdatasync", number((through - direct) / one)},
	})
	b.figures.atMost("S3 latency of one event alone", (through-direct)/one, "fdatasync", 3, 2)
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
