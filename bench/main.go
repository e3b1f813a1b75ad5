// Command bench measures pipelined against hand-written baselines, as processes,
// from outside. Arms alternate in one run; the figures are medians; an arm that
// is measured twice (A/A) says how much of a difference is noise.
//
//	go run ./bench                 every scenario, 10 s an arm, 3 rounds
//	go run ./bench -seconds 3 S1   one scenario, quicker
//
// What the scenarios are is written in docs/performance.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings is how the run measures.
type settings struct {
	arm    time.Duration // one measurement
	rounds int
	conns  int
	binary string // pipelined, built from this tree
	dir    string // for data of the servers, removed at the end
}

func main() {
	// The baselines run as processes of this very binary.
	if role := os.Getenv("BENCH_ROLE"); role != "" {
		if err := baseline(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	seconds := flag.Int("seconds", 10, "length of one measurement")
	rounds := flag.Int("rounds", 3, "measurements of each arm; the median counts")
	conns := flag.Int("conns", 64, "concurrent connections")
	flag.Parse()
	if err := bench(*seconds, *rounds, *conns, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(seconds, rounds, conns int, wanted []string) error {
	dir, err := os.MkdirTemp("", "pipelined-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := settings{arm: time.Duration(seconds) * time.Second, rounds: rounds, conns: conns, dir: dir,
		binary: filepath.Join(dir, "pipelined")}
	build := exec.Command("go", "build", "-o", s.binary, "./cmd/pipelined")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build pipelined: %w", err)
	}
	fmt.Printf("%s %s/%s, %d CPUs, %s; %d connections, %d s an arm, median of %d\n\n", runtime.Version(), runtime.GOOS,
		runtime.GOARCH, runtime.NumCPU(), cpuModel(), conns, seconds, rounds)
	for _, sc := range []struct {
		name string
		run  func(settings) error
	}{{"S1", s1}, {"S3a", s3a}, {"S3b", s3b}} {
		if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(sc.name, strings.TrimSpace(w)) }) {
			continue
		}
		if err := sc.run(s); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	return nil
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for _, line := range strings.Split(string(text), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return "unknown processor"
}

// median of a list that is not empty.
func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
