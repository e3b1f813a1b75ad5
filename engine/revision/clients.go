package revision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"pipelined/connectors"
	"pipelined/engine/program"
)

// Pool opens connections and shares them among revisions that declare them alike.
// The zero value is empty; it is safe for concurrent use.
type Pool struct {
	mu     sync.Mutex
	opened map[string]*shared // by fingerprint
}

type shared struct {
	io.Closer
	users int
}

// Clients are the opened connections of one revision.
type Clients struct {
	// Opened are the clients, by the index of their connection in the program.
	Opened []io.Closer

	pool *Pool
	keys []string
}

// Open opens the connections of a program, taking over those that are open already.
// env gives each what the runtime lends it. If one cannot be opened, none of the new
// ones stays open.
func (p *Pool) Open(ctx context.Context, list []*program.Connection, env func(name string) connectors.Env) (*Clients, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened == nil {
		p.opened = map[string]*shared{}
	}
	c := &Clients{pool: p}
	for _, k := range list {
		s := p.opened[k.Fingerprint]
		if s == nil {
			closer, err := k.Connector.Open(ctx, k.Config, env(k.Name))
			if err != nil {
				return nil, errors.Join(fmt.Errorf("open connection %s: %w", k.Name, err), c.release())
			}
			s = &shared{Closer: closer}
			p.opened[k.Fingerprint] = s
		}
		s.users++
		c.Opened = append(c.Opened, s.Closer)
		c.keys = append(c.keys, k.Fingerprint)
	}
	return c, nil
}

// Close lets go of the connections; the last user of each closes it. It may be
// called twice.
func (c *Clients) Close() error {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	return c.release()
}

func (c *Clients) release() error {
	var failed error
	for _, key := range c.keys {
		s := c.pool.opened[key]
		if s.users--; s.users > 0 {
			continue
		}
		delete(c.pool.opened, key)
		failed = errors.Join(failed, s.Close())
	}
	c.keys = nil
	return failed
}
