// Command bench measures pipelined against hand-written baselines, as processes,
// from outside. Arms alternate in one run; the figures are medians; an arm that
// is measured twice (A/A) says how much of a difference is noise. Every scenario
// checks what came out: answers, counts at the sink, documents.
//
//	go run ./bench                       everything, as docs/performance.md has it
//	go run ./bench -quick                everything in three minutes, smaller
//	go run ./bench -seconds 3 S1 S2      some scenarios
//	go run ./bench -profile out S1       profiles of the server into the folder out
//	go run ./bench -against FILE S1      this tree against another binary, A/A beside
package main

import (
	"errors"
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

	against   string  // another pipelined to compare with; empty: the baselines
	tolerance float64 // how much worse than it, beyond noise, is still alike
}

// scenario is something a server goes through.
type scenario struct {
	name  string
	about string
	run   func(settings) error           // against its baseline
	take  func(settings) (sample, error) // one measurement of b.binary, to compare it with another; nil: there is none
}

func scenarios() []scenario {
	return []scenario{
		{"S1", "synchronous: POST an order, check, total, branch, answer (every answer checked)", s1, takeS1},
		{"S2", "the same with a REST call whose answer is merged (every answer checked)", s2, takeS2},
		{"S3a", "asynchronous: HTTP batches of 1,000 records, one durable event each, consumed, transformed, published (counted at the sink)", s3a, takeS3a},
		{"S3b", "asynchronous: concurrent requests of one record, each durable before its 202, consumed, published (counted at the sink)", s3b, takeS3b},
		{"S3c", "latency: one event alone, from the request to committed by its consumer", latency, nil},
		{"S4", "start and idle: 100 pipelines, half answering requests, half taking events", s4, takeS4},
		{"S5", "extraction: database rows, one event each, consumed by a second pipeline (counted at the sink)", s5, takeS5},
		{"S6", "object store: documents of an order each, one index; one client (every answer checked)", s6, takeS6},
		{"S7", "authoring: lint of 1,000 pipelines", s7, nil},
		{"backlog", "growth: what an event costs when many others wait (counted at the sink)", growBacklog, nil},
		{"pipelines", "growth: what a request or event costs when there are 999 pipelines besides", growPipelines, nil},
	}
}

// choose returns the scenarios whose names begin with one of those wanted, or all.
func choose(all []scenario, wanted []string) ([]scenario, error) {
	if len(wanted) == 0 {
		return all, nil
	}
	begins := func(w string) func(scenario) bool {
		return func(sc scenario) bool { return strings.HasPrefix(sc.name, w) }
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(all, begins(w)) {
			var names []string
			for _, sc := range all {
				names = append(names, sc.name)
			}
			return nil, fmt.Errorf("no scenario to measure is called %s; there are %s", w, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(all, func(sc scenario) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool { return begins(w)(sc) })
	}), nil
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
	if err := bench(readFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// readFlags returns how to measure, and which scenarios.
func readFlags() (s settings, wanted []string) {
	seconds := flag.Float64("seconds", 10, "length of one measurement")
	flag.IntVar(&s.rounds, "rounds", 0, "measurements of each arm; the median counts; 0: 3, with -against 5")
	flag.IntVar(&s.conns, "conns", 64, "concurrent connections")
	flag.IntVar(&s.many, "many", 1_000_000, "rows, documents and events of S5, S6 and growth")
	flag.StringVar(&s.profile, "profile", "", "take profiles of the measured server into this folder")
	flag.StringVar(&s.against, "against", "", "compare with this other pipelined `file` instead of the baselines; exit 1 where this tree is worse")
	flag.Float64Var(&s.tolerance, "tolerance", 0.03, "how much worse, beyond what A/A differs by, is still no difference")
	quick := flag.Bool("quick", false, "the same as -seconds 2 -rounds 1 -many 100000; with -against -seconds 1 -rounds 5 -many 100000")
	flag.Parse()
	switch {
	case *quick && s.against != "":
		*seconds, s.rounds, s.many = 1, 5, 100_000
	case *quick:
		*seconds, s.rounds, s.many = 2, 1, 100_000
	case s.rounds == 0 && s.against != "":
		s.rounds = 5
	case s.rounds == 0:
		s.rounds = 3
	}
	s.arm = time.Duration(*seconds * float64(time.Second))
	return s, flag.Args()
}

func bench(s settings, wanted []string) error {
	all := scenarios()
	if s.against != "" {
		if err := s.comparable(); err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(sc scenario) bool { return sc.take == nil })
	}
	chosen, err := choose(all, wanted)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pipelined-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir, s.binary, s.figures = dir, filepath.Join(dir, "pipelined"), &figures{}
	if err := build(s.binary); err != nil {
		return err
	}
	if s.against != "" {
		return compareAll(s, chosen)
	}
	printHead(s)
	for _, sc := range chosen {
		fmt.Printf("## %s %s\n\n", sc.name, sc.about)
		if err := sc.run(s); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Println()
	}
	s.figures.print(os.Stdout)
	return nil
}

// comparable says what of the settings does not fit a comparison.
func (s settings) comparable() error {
	switch {
	case s.profile != "":
		return errors.New("-profile and -against do not go together: profile each binary in a checkout of its own")
	case s.rounds < minRounds:
		return fmt.Errorf("-against takes at least -rounds %d, or A/A says nothing", minRounds)
	case s.tolerance < 0:
		return fmt.Errorf("-tolerance %v: it is a share, such as 0.03, and not negative", s.tolerance)
	}
	return nil
}

// build makes the binary of this tree, as make build does.
func build(path string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/pipelined")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build pipelined: %w", err)
	}
	return nil
}

func printHead(s settings) {
	fmt.Printf("pipelined %s, %s %s/%s, %d CPUs (%s), %s; %d connections, %s an arm, median of %d, %s rows, documents and events\n\n",
		revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel(), kernel(),
		s.conns, s.arm, s.rounds, thousands(float64(s.many)))
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
