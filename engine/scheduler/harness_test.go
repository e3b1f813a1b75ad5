package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pipelined/engine/enginetest"
	"pipelined/engine/scheduler"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// bench is a scheduler in a room, and what ran on it.
type bench struct {
	*enginetest.Room
	scheduler *scheduler.Scheduler

	mu     sync.Mutex
	began  []string // moments, as 15:04, of the ticks that began, in order
	before []string // and what schedule.previous was
	holds  map[string]chan struct{}
}

// schedule is a pipeline that runs every ten minutes; settings are further ones.
func schedule(settings string) string { return pipeline("tick", `schedule: "*/10 * * * *"`, settings) }

func pipeline(name, when, settings string) string {
	if settings != "" {
		when += ", " + settings
	}
	return fmt.Sprintf("-- %s.yaml --\npipeline: %s\ntrigger: { cron: { %s } }\nsteps:\n"+
		"  - probe: { do: run, with: [ \"${{ schedule.time }}\", \"${{ schedule.previous }}\", %s ] }\n", name, name, when, name)
}

// newBench has a project's schedules in use.
func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{Room: enginetest.New(t, text), holds: map[string]chan struct{}{}}
	b.Probe.On("run", b.run)
	b.again()
	return b
}

// again makes another scheduler of what is in the store, as the next process would.
func (b *bench) again() {
	b.Helper()
	b.scheduler = scheduler.New(b.Runner, &b.Current)
	b.use()
}

func (b *bench) use() {
	b.Helper()
	change, err := b.scheduler.Prepare(b.Context(), b.Current.Load().Program)
	if err != nil {
		b.Fatal(err)
	}
	change.Use()
}

// swap puts another project in use.
func (b *bench) swap(text string) {
	b.Helper()
	b.Use(text)
	b.use()
}

// run is what each tick does: it notes that it began, and waits where it is held.
func (b *bench) run(ctx context.Context, with any) (any, error) {
	list, err := value.Elements(with)
	if err != nil {
		return nil, err
	}
	clock := func(v any) string {
		text, _ := value.Scalar(v).(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return "never"
		}
		return at.Format("15:04")
	}
	at := clock(list[0])
	b.mu.Lock()
	b.began, b.before = append(b.began, at), append(b.before, clock(list[1]))
	hold := b.holds[at]
	b.mu.Unlock()
	if hold == nil {
		return nil, nil
	}
	select {
	case <-hold:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hold has the tick of a moment go on only after the function returned is called.
func (b *bench) hold(at string) (release func()) {
	ch := make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holds[at] = ch
	return sync.OnceFunc(func() { close(ch) })
}

// ran are the moments of the ticks that began since it was asked.
func (b *bench) ran() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := strings.Join(b.began, " ")
	b.began, b.before = nil, nil
	return out
}

// due runs what is due and returns the moments.
func (b *bench) due() string {
	b.Helper()
	if _, err := b.scheduler.RunDue(b.Context(), b.Context()); err != nil {
		b.Fatal(err)
	}
	return b.ran()
}

// at moves the clock to a time of the day.
func (b *bench) at(text string) {
	b.Helper()
	t, err := time.Parse("15:04:05", text)
	if err != nil {
		b.Fatal(err)
	}
	day := enginetest.Epoch.Truncate(24 * time.Hour)
	b.Clock.Set(day.Add(t.Sub(t.Truncate(24 * time.Hour))))
}

// moment is a time of the day as a tick of a pipeline.
func moment(pipeline, text string) store.Tick {
	t, _ := time.Parse("15:04", text)
	return store.Tick{Pipeline: pipeline, Scheduled: enginetest.Epoch.Truncate(24 * time.Hour).Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)}
}

// claim acquires ticks as whoever runs them would.
func (b *bench) claim(pipeline string, moments ...string) []store.Claimed {
	b.Helper()
	var claims []store.Claim
	for _, m := range moments {
		claims = append(claims, moment(pipeline, m).Claim())
	}
	got, err := b.Store.Claim(b.Context(), claims)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

// held are the ticks of all pipelines that are begun and not done.
func (b *bench) held() string {
	b.Helper()
	list, err := b.Store.Claims(b.Context(), store.TickClaim, "")
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, c := range list {
		t, err := store.ParseTick(c.Key)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, t.Pipeline+" "+t.Scheduled.Format("15:04"))
	}
	return strings.Join(out, ", ")
}

// start runs the scheduler as a daemon would; stop ends its intake and waits.
func (b *bench) start() (stop func()) {
	intake, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.scheduler.Run(intake, b.Context()) }()
	return func() {
		end()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}
