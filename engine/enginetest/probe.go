package enginetest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"pipelined/connectors"
)

// Probe is a connector whose steps do what the test says:
//
//   - probe: { do: look, with: "${{ input.n }}" }
//
// calls the function that On gave for "look", which may wait, fail, or look around. It
// also counts which of its connections are open.
type Probe struct {
	mu     sync.Mutex
	on     map[string]Call
	calls  map[string]int
	open   map[string]int // clients, by the label of their connection
	opened []string       // labels, in order
	closed []string
	refuse map[string]error
	hinder map[string]error
}

// Call is what a step of the probe does.
type Call func(ctx context.Context, with any) (any, error)

// NewProbe returns a probe whose steps do nothing yet.
func NewProbe() *Probe {
	return &Probe{on: map[string]Call{}, calls: map[string]int{}, open: map[string]int{}, refuse: map[string]error{}, hinder: map[string]error{}}
}

// On says what the steps with do: name do from now on.
func (p *Probe) On(name string, call Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on[name] = call
}

// Calls is how often steps with do: name were run.
func (p *Probe) Calls(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[name]
}

// Refuse has connections with a label fail to open with err, and Hinder to close; nil lets
// them again.
func (p *Probe) Refuse(label string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse[label] = err
}

// Hinder has connections with a label report err when they are closed.
func (p *Probe) Hinder(label string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hinder[label] = err
}

// Open lists the labels of the clients that are open now, sorted; one that is open twice
// is there twice.
func (p *Probe) Open() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for label, n := range p.open {
		for range n {
			out = append(out, label)
		}
	}
	slices.Sort(out)
	return out
}

// Opened and Closed list the labels of the clients that were ever opened, and closed, in
// order.
func (p *Probe) Opened() []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.opened) }

// Closed lists the labels of the clients that were closed, in order.
func (p *Probe) Closed() []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.closed) }

type probeConnection struct {
	Label string `yaml:"label" doc:"A text to know it by."`
}

type probeParams struct {
	Do   string `yaml:"do" required:"" doc:"Which of the test's functions to call."`
	With any    `yaml:"with" doc:"What it is given."`
}

// Connector is the probe as a project sees it.
func (p *Probe) Connector() *connectors.Connector {
	outside := func(any, probeParams) connectors.Effect {
		return connectors.Effect{Outside: true, Reads: true, Writes: true}
	}
	return connectors.Define("probe", connectors.Doc{Summary: "Does what a test says."}, p.dial,
		connectors.Op("", connectors.Doc{Summary: "Calls the test.", Result: "what the test returns"}, outside, (*probeClient).call)).WithoutConnection()
}

type probeClient struct {
	probe *Probe
	label string
	once  sync.Once
}

func (p *Probe) dial(_ context.Context, c probeConnection, _ connectors.Env) (*probeClient, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refuse[c.Label]; err != nil {
		return nil, err
	}
	p.open[c.Label]++
	p.opened = append(p.opened, c.Label)
	return &probeClient{probe: p, label: c.Label}, nil
}

// Close closes the client; a second time is a bug of the caller's.
func (c *probeClient) Close() error {
	err := fmt.Errorf("the client %q is closed twice", c.label)
	c.once.Do(func() {
		c.probe.mu.Lock()
		defer c.probe.mu.Unlock()
		c.probe.open[c.label]--
		c.probe.closed = append(c.probe.closed, c.label)
		err = c.probe.hinder[c.label]
	})
	return err
}

func (c *probeClient) call(ctx context.Context, params probeParams) (any, error) {
	p := c.probe
	p.mu.Lock()
	p.calls[params.Do]++
	call := p.on[params.Do]
	p.mu.Unlock()
	if call == nil {
		return nil, nil
	}
	return call(ctx, params.With)
}
