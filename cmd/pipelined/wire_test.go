package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// dial talks to a running project without a client's manners.
func (p *process) dial() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c
}

// TestCallersWithoutManners sends headers without an end, headers too large and
// nothing at all; the others are served meanwhile.
func TestCallersWithoutManners(t *testing.T) {
	t.Parallel()
	p := launch(t, small(t, ""))
	slow := p.dial()
	fmt.Fprintf(slow, "POST /in HTTP/1.1\r\nHost: x\r\n")
	begun := time.Now()

	large := p.dial()
	fmt.Fprintf(large, "POST /in HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 100<<10))
	if line, err := bufio.NewReader(large).ReadString('\n'); err != nil || !strings.Contains(line, "431") {
		t.Errorf("headers of 100 KB: %q, %v", line, err)
	}
	for range 200 { // connections that say nothing
		p.dial()
	}
	if code, _, body := p.post("/in", "application/json", `{"id":"a"}`); code != 201 {
		t.Errorf("beside them: %d %s", code, body)
	}
	_ = slow.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := slow.Read(make([]byte, 1)); err == nil && n > 0 {
		t.Errorf("headers that do not end were answered")
	} else if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("headers that do not end were waited for %s: %v", took, err)
	}
}
