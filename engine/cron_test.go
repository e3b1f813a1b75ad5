package engine_test

import (
	"testing"
	"time"
)

const ticking = `pipeline: tick
trigger: { cron: { schedule: "*/10 * * * *", missed: %MISSED% } }
steps:
  - object_store.insert: { collection: ticks, id: "${{ string(schedule.time) }}", document: { previous: "${{ schedule.previous }}" } }
`

func withMissed(policy string) string {
	return replace(ticking, "%MISSED%", policy)
}

func TestTicksRunOnceEach(t *testing.T) {
	t.Parallel()
	h := start(t, withMissed("latest"))
	h.settle()
	if n := len(h.docs("ticks")); n != 0 {
		t.Fatalf("%d ticks before the first", n)
	}
	h.advance(time.Hour, time.Minute)
	if n := len(h.docs("ticks")); n != 6 {
		t.Errorf("%d ticks in an hour, want 6", n)
	}
	h.restart()
	h.settle()
	if n := len(h.docs("ticks")); n != 6 {
		t.Errorf("%d ticks after a restart, want the same 6", n)
	}
}

func TestMissedTicks(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]int{"skip": 1, "latest": 2, "all": 7} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			h := start(t, withMissed(policy))
			h.advance(10*time.Minute, time.Minute)
			h.engine.Close()
			h.store.Close()
			h.clock.Advance(time.Hour + time.Minute) // the process is down
			h.open()
			h.settle()
			if n := len(h.docs("ticks")); n != want {
				t.Errorf("%d ticks, want %d", n, want)
			}
		})
	}
}

func TestAFailedTickIsClaimedAndKept(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: tick
trigger: { cron: { schedule: "@hourly" } }
steps:
  - fail: { type: demo/tick }
`)
	h.advance(time.Hour, 10*time.Minute)
	h.restart()
	h.settle()
	if n := len(h.docs("dead_letters")); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

func TestALoopThatCommitsOnItsWayGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	h := start(t, `-- read.yaml --
pipeline: read
trigger: { cron: { schedule: "@hourly", missed: skip } }
steps:
  - foreach: 1..100
    as: n
    commit_every: 10
    steps:
      - publish: { event: row.read, id: "row-${{ n }}", data: { n: "${{ n }}" } }
      - name: stop_here
        object_store.get: { collection: switch, id: stop }
      - when: n == 55 and steps.stop_here == nil
        fail: { type: demo/crash }
-- flip.yaml --
pipeline: flip
trigger: { http: { method: POST, path: /run } }
steps:
  - object_store.put: { collection: switch, id: stop, document: { on: true } }
  - respond: { body: ok }
`)
	h.advance(time.Hour, 30*time.Minute)
	if n := len(h.events("row.read")); n != 50 {
		t.Fatalf("%d events after the failure, want the 50 committed", n)
	}
}
