package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// s7 lints a folder of 1,000 pipelines as a process, from start to exit.
func s7(b settings) error {
	const pipelines = 1000
	dir, err := copyProject(b, "s1")
	if err != nil {
		return err
	}
	if err := addPipelines(dir, pipelines-1); err != nil {
		return err
	}
	var times []float64
	for range max(3, b.rounds) {
		var out bytes.Buffer
		cmd := exec.Command(b.binary, "lint", "--json", dir)
		cmd.Stdout = &out
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("lint: %w\n%s", err, out.String())
		}
		times = append(times, time.Since(began).Seconds())
		var found struct{ Diagnostics []struct{ Code string } }
		if err := json.Unmarshal(out.Bytes(), &found); err != nil {
			return fmt.Errorf("lint --json: %w", err)
		}
		// Each consumer takes events that nobody publishes and publishes some that
		// nobody takes: that is what lint has to find.
		if want := (pipelines - 1) / 2 * 2; len(found.Diagnostics) != want {
			return fmt.Errorf("lint has %d findings, want %d: %.2000s", len(found.Diagnostics), want, out.String())
		}
	}
	table([]string{"pipelines", "lint"}, [][]string{{fmt.Sprint(pipelines), fmt.Sprintf("%.2f s", median(times))}})
	b.figures.atMost("S7 lint of 1,000 pipelines", median(times), "s", 2, 1)
	return nil
}
