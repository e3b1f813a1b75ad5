package main

import (
	"fmt"
	"os"
	"time"
)

// started is what one start showed.
type started struct {
	first  time.Duration // until the first request was answered
	memory float64       // MB, resident, idle
}

// s4 starts servers anew, with an empty data folder.
func s4(b settings) error {
	arms := []arm{
		{"hand-written, one handler", func() (*server, error) { return startBaseline("s1", b.dir) }},
		{"pipelined, 100 pipelines", func() (*server, error) { return startWith(b, 99, "s1") }},
	}
	b.rounds = max(5, b.rounds)
	results, err := alternate(b, arms, func(s *server) (started, error) { return start(s, min(b.arm, 3*time.Second)) })
	if err != nil {
		return err
	}
	size, err := megabytes(b.binary)
	if err != nil {
		return err
	}
	first := func(s started) float64 { return milliseconds(s.first) }
	memory := func(s started) float64 { return s.memory }
	var rows [][]string
	for i, a := range arms {
		rows = append(rows, []string{a.name, fmt.Sprintf("%.0f ms", medianOf(results[i], first)), fmt.Sprintf("%.0f MB", medianOf(results[i], memory))})
	}
	table([]string{"arm", "cold start to first answer", "idle memory"}, rows)
	fmt.Printf("\nThe binary has %.0f MB.\n", size)
	b.figures.atMost("S4 start with 100 pipelines", medianOf(results[1], first), "ms", 150, 50)
	b.figures.atMost("S4 idle memory", medianOf(results[1], memory), "MB", 40, 25)
	b.figures.atMost("S4 binary", size, "MB", 60, 40)
	return nil
}

// start asks a server that was just started one thing, and lets it rest.
func start(s *server, rest time.Duration) (started, error) {
	if _, err := load(s, job{conns: 1, each: 1, request: postOrder, check: priced}); err != nil {
		return started{}, err
	}
	first := time.Since(s.began)
	time.Sleep(rest)
	return started{first, s.memory()}, nil
}

// megabytes is the size of a file.
func megabytes(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / (1 << 20), nil
}
