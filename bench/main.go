// Command bench measures pipelined against hand-written baselines, as processes,
// from outside. Arms alternate in one run; the figures are medians; an arm that
// is measured twice (A/A) says how much of a difference is noise. Every scenario
// checks what came out: answers, counts at the sink, documents.
//
//	go run ./bench                       everything, as docs/performance.md has it
//	go run ./bench -quick                everything in three minutes, smaller
//	go run ./bench -seconds 3 S1 S2      some scenarios
//	go run ./bench -profile out S1       profiles of the server into the folder out
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// settings is how the run measures.
type settings struct {
	arm     time.Duration // one measurement
	rounds  int           // measurements of each arm; the median counts
	conns   int           // concurrent connections
	many    int           // rows, documents and events of the scenarios that need many
	profile string        // folder for profiles; empty: none are taken
	binary  string        // pipelined, built from this tree
	dir     string        // for data of the servers, removed at the end
	figures *figures
}

var scenarios = []struct {
	name  string
	about string
	run   func(settings) error
}{
	{"S1", "synchronous: POST an order, check, total, branch, answer (every answer checked)", s1},
	{"S2", "the same with a REST call whose answer is merged (every answer checked)", s2},
	{"S3a", "asynchronous: HTTP batches of 1,000 records, one durable event each, consumed, transformed, published (counted at the sink)", s3a},
	{"S3b", "asynchronous: concurrent requests of one record, each durable before its 202, consumed, published (counted at the sink)", s3b},
	{"S3c", "latency: one event alone, from the request to committed by its consumer", latency},
	{"S4", "start and idle: 100 pipelines, half answering requests, half taking events", s4},
	{"S5", "extraction: database rows, one event each, consumed by a second pipeline (counted at the sink)", s5},
	{"S6", "object store: documents of an order each, one index; one client (every answer checked)", s6},
	{"S7", "authoring: lint of 1,000 pipelines", s7},
	{"backlog", "growth: what an event costs when many others wait (counted at the sink)", growBacklog},
	{"pipelines", "growth: what a request or event costs when there are 999 pipelines besides", growPipelines},
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
	var s settings
	seconds := flag.Float64("seconds", 10, "length of one measurement")
	flag.IntVar(&s.rounds, "rounds", 3, "measurements of each arm; the median counts")
	flag.IntVar(&s.conns, "conns", 64, "concurrent connections")
	flag.IntVar(&s.many, "many", 1_000_000, "rows, documents and events of S5, S6 and growth")
	flag.StringVar(&s.profile, "profile", "", "take profiles of the measured server into this folder")
	quick := flag.Bool("quick", false, "the same as -seconds 2 -rounds 1 -many 100000")
	flag.Parse()
	if *quick {
		*seconds, s.rounds, s.many = 2, 1, 100_000
	}
	s.arm = time.Duration(*seconds * float64(time.Second))
	if err := bench(s, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(s settings, wanted []string) error {
	for _, w := range wanted {
		if !slices.ContainsFunc(scenarios, func(sc struct {
			name, about string
			run         func(settings) error
		}) bool {
			return strings.HasPrefix(sc.name, w)
		}) {
			return fmt.Errorf("no scenario is called %s", w)
		}
	}
	dir, err := os.MkdirTemp("", "pipelined-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir, s.binary, s.figures = dir, filepath.Join(dir, "pipelined"), &figures{}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", s.binary, "./cmd/pipelined")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build pipelined: %w", err)
	}
	fmt.Printf("pipelined %s, %s %s/%s, %d CPUs (%s), %s; %d connections, %s an arm, median of %d, %s rows, documents and events\n\n",
		revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel(), kernel(),
		s.conns, s.arm, s.rounds, thousands(float64(s.many)))
	for _, sc := range scenarios {
		if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(sc.name, w) }) {
			continue
		}
		fmt.Printf("## %s %s\n\n", sc.name, sc.about)
		if err := sc.run(s); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Println()
	}
	s.figures.print(os.Stdout)
	return nil
}

// revision is the commit this tree is at.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		if info, ok := debug.ReadBuildInfo(); ok {
			return info.Main.Version
		}
		return "of unknown version"
	}
	return strings.TrimSpace(string(out))
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown kernel"
	}
	return "kernel " + strings.TrimSpace(string(text))
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
