package revision_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pipelined/connectors"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/engine/revision"
)

// declare compiles a project with one connection for each label; a label like "a=2" is
// the connection a with other settings.
func declare(t testing.TB, probe *enginetest.Probe, labels ...string) []*program.Connection {
	t.Helper()
	var b strings.Builder
	b.WriteString("-- pipelined.yaml --\nproject: p\nconnections:\n")
	for _, label := range labels {
		name, _, _ := strings.Cut(label, "=")
		fmt.Fprintf(&b, "  %s: { probe: { label: \"%s\" } }\n", name, label)
	}
	b.WriteString("-- a.yaml --\npipeline: a\ntrigger: { http: { method: GET, path: /a } }\nsteps: [ { stop: true } ]\n")
	return enginetest.Compile(t, b.String(), probe.Connector()).Connections
}

func env(name string) connectors.Env { return connectors.Env{Name: name} }

// TestConnectionsAreSharedOverReloads reloads at random, and lets go of revisions at
// random: what any revision in use declares is open exactly once, and nothing else is.
func TestConnectionsAreSharedOverReloads(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			probe := enginetest.NewProbe()
			var pool revision.Pool
			type user struct {
				labels  []string
				clients *revision.Clients
			}
			var inUse []user
			for range 60 {
				if len(inUse) > 0 && random.IntN(2) == 0 {
					i := random.IntN(len(inUse))
					if err := inUse[i].clients.Close(); err != nil {
						t.Fatal(err)
					}
					if random.IntN(3) == 0 { // a second time changes nothing
						if err := inUse[i].clients.Close(); err != nil {
							t.Fatal(err)
						}
					}
					inUse = slices.Delete(inUse, i, i+1)
				} else {
					labels := pick(random, "a", "b", "b=2", "c", "d")
					clients, err := pool.Open(t.Context(), declare(t, probe, labels...), env)
					if err != nil {
						t.Fatal(err)
					}
					inUse = append(inUse, user{labels, clients})
				}
				want := map[string]bool{}
				for _, u := range inUse {
					for _, label := range u.labels {
						want[label] = true
					}
				}
				if got := probe.Open(); len(got) != len(want) || slices.ContainsFunc(got, func(l string) bool { return !want[l] }) {
					t.Fatalf("open are %v, in use are %v", got, want)
				}
			}
			for _, u := range inUse {
				if err := u.clients.Close(); err != nil {
					t.Error(err)
				}
			}
			if opened, closed := probe.Opened(), probe.Closed(); len(probe.Open()) > 0 || len(opened) != len(closed) {
				t.Errorf("at the end %v are open; %d were opened, %d closed", probe.Open(), len(opened), len(closed))
			}
		})
	}
}

// pick takes some of the labels, no name twice.
func pick(random *rand.Rand, labels ...string) (out []string) {
	names := map[string]bool{}
	for _, i := range random.Perm(len(labels)) {
		name, _, _ := strings.Cut(labels[i], "=")
		if !names[name] && random.IntN(2) == 0 {
			names[name] = true
			out = append(out, labels[i])
		}
	}
	return out
}

// TestAConnectionThatFailsToOpenLeavesNoneOpen, whichever it is; those that another
// revision uses stay.
func TestAConnectionThatFailsToOpenLeavesNoneOpen(t *testing.T) {
	t.Parallel()
	away := errors.New("the file is missing")
	labels := []string{"a", "b", "c", "d"}
	for _, used := range [][]string{nil, {"b"}, {"a", "d"}} {
		for _, bad := range labels {
			if slices.Contains(used, bad) {
				continue
			}
			t.Run(fmt.Sprintf("%s fails, %v are in use", bad, used), func(t *testing.T) {
				t.Parallel()
				probe := enginetest.NewProbe()
				var pool revision.Pool
				before, err := pool.Open(t.Context(), declare(t, probe, used...), env)
				if err != nil {
					t.Fatal(err)
				}
				probe.Refuse(bad, away)
				if _, err := pool.Open(t.Context(), declare(t, probe, labels...), env); !errors.Is(err, away) || !strings.Contains(err.Error(), "open connection "+bad) {
					t.Errorf("it says %v", err)
				}
				if got := probe.Open(); !slices.Equal(got, slices.Clone(used)) && len(got)+len(used) > 0 {
					t.Errorf("%v are open, %v are in use", got, used)
				}
				probe.Refuse(bad, nil)
				after, err := pool.Open(t.Context(), declare(t, probe, labels...), env)
				if err != nil || !slices.Equal(probe.Open(), labels) {
					t.Errorf("the next time %v are open: %v", probe.Open(), err)
				}
				if err := errors.Join(before.Close(), after.Close()); err != nil || len(probe.Open()) > 0 {
					t.Errorf("%v are left open: %v", probe.Open(), err)
				}
			})
		}
	}
}

// TestAConnectionThatDoesNotCloseKeepsNoneOpen: each is closed, and what went wrong is
// told for all of them.
func TestAConnectionThatDoesNotCloseKeepsNoneOpen(t *testing.T) {
	t.Parallel()
	probe := enginetest.NewProbe()
	first, second := errors.New("a broke"), errors.New("c broke")
	probe.Hinder("a", first)
	probe.Hinder("c", second)
	var pool revision.Pool
	clients, err := pool.Open(t.Context(), declare(t, probe, "a", "b", "c"), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.Close(); !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("it says %v", err)
	}
	if got := probe.Closed(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("closed are %v", got)
	}
	if err := clients.Close(); err != nil {
		t.Errorf("the second time it says %v", err)
	}
}

// TestClientsStandWhereTheProgramLooksForThem: by the index of their connection, each with
// the name it was declared under.
func TestClientsStandWhereTheProgramLooksForThem(t *testing.T) {
	t.Parallel()
	probe := enginetest.NewProbe()
	list := declare(t, probe, "c", "a", "b")
	var names []string
	var pool revision.Pool
	clients, err := pool.Open(t.Context(), list, func(name string) connectors.Env {
		names = append(names, name)
		return env(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	again, err := pool.Open(t.Context(), list, env)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range list {
		if k.Index != i || names[i] != k.Name || clients.Opened[i] != again.Opened[i] {
			t.Errorf("connection %s has index %d and stands at %d, opened as %s", k.Name, k.Index, i, names[i])
		}
	}
	if err := errors.Join(clients.Close(), again.Close()); err != nil {
		t.Error(err)
	}
}
