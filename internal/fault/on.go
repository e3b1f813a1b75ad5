//go:build faults

package fault

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// at is the point to die at, after how many passes.
var at, passes = chosen()

var passed atomic.Int64

func chosen() (string, int64) {
	name, n, _ := strings.Cut(os.Getenv("PIPELINED_FAULT"), ":")
	count, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		count = 1
	}
	return name, count
}

// Point kills the process if it is the chosen one and its time has come.
func Point(name string) {
	if name != at || passed.Add(1) != passes {
		return
	}
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // until the signal arrives
}
