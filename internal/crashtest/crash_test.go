package crashtest

import (
	"flag"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the first episode; 0 takes one from the clock")
	kills = flag.Int("kills", 25, "how often to kill")
	soak  = flag.Duration("soak", 0, "how long TestSoak takes; 0 leaves it out")
)

func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills processes for a minute; -short leaves it out")
	}
	binary, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("seed %d", *seed)
	sum, err := Run(t.Context(), Options{Binary: binary, Dir: t.TempDir(), Seed: *seed, Kills: *kills, Gentle: 2, Log: t.Logf})
	t.Log(sum)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sum.Found {
		t.Error(f)
	}
}

// TestSoak runs at full load and prints how large process and file were.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("-soak says how long it takes; make soak is ten minutes")
	}
	binary, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sum, samples, err := Soak(t.Context(), Options{Binary: binary, Dir: t.TempDir(), Seed: *seed, Log: t.Logf}, *soak)
	for _, s := range samples {
		t.Logf("%8s  %4d MB resident  %5d MB file  %3d MB log  %8d requests", s.At, s.RSS>>20, s.File>>20, s.Log>>20, s.Requests)
	}
	t.Log(sum)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sum.Found {
		t.Error(f)
	}
}
