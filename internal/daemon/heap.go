package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapEase is how much larger than twice what is in use the heap may get before the
// collector runs.
const heapEase uint64 = 48 << 20

// easeCollector has the collector wait until the heap has doubled and has heapEase
// bytes besides. By its own rule it runs whenever the heap has doubled: with the few
// megabytes that a project needs at rest, many times a second under load, each time
// looking through every compiled pipeline. What an operator set with GOGC stays.
func easeCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	adjustCollector(collectorPercent(0, 0))
}

// adjustCollector sets the percentage and does so again after the next collection:
// a cleanup runs when one has found its object unused.
func adjustCollector(percent int) {
	debug.SetGCPercent(percent)
	watchCollector(percent)
}

func watchCollector(percent int) {
	sentinel := new([64]byte)
	runtime.AddCleanup(sentinel, func(before int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if now := collectorPercent(live[0].Value.Uint64(), before); now != before {
			adjustCollector(now)
			return
		}
		watchCollector(before)
	}, percent)
}

// collectorPercent is by how much the heap may grow from live bytes on, in percent.
// Changing it stops the program for a moment: it stays as it was before where that
// is nearly right.
func collectorPercent(live uint64, before int) int {
	const own = 100       // the collector's own rule
	const least = 4 << 20 // for less, the runtime's own minimum is in proportion to the percentage
	now := own + int(heapEase*100/max(live, least))
	if now > before*3/4 && now < before*5/4 {
		return before
	}
	return now
}
