package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// takeProfiles begins a CPU profile of length d, if profiles are wanted and s has
// them. The function it returns waits for it and takes the others: allocations,
// heap, locks, waits.
func (s *server) takeProfiles(b settings, d time.Duration) (finish func()) {
	if b.profile == "" || s.admin == "" {
		return func() {}
	}
	save := func(name, query string) {
		if err := s.saveProfile(b.profile, name, query); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profile:", err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { save("cpu", fmt.Sprintf("profile?seconds=%d", max(1, int(d.Seconds())))) })
	return func() {
		wg.Wait()
		for _, name := range []string{"allocs", "heap", "mutex", "block"} {
			save(name, name)
		}
	}
}

func (s *server) saveProfile(dir, name, query string) error {
	resp, err := http.Get("http://" + s.admin + "/debug/pprof/" + query)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", name, resp.Status)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".pprof"), data, 0o644)
}
