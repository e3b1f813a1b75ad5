package engine_test

import (
	"bytes"
	"strings"
	"sync"

	"pipelined"
)

// logBuffer is where the engine logs to in tests.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newEvent(typ, data string) *pipelined.Event { return &pipelined.Event{Type: typ, Data: data} }

func replace(s, old, new string) string { return strings.ReplaceAll(s, old, new) }
