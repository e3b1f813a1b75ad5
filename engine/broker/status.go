package broker

// Status is how a subscription stands.
type Status struct {
	Name    string `json:"name"`
	Ready   int    `json:"ready"`   // in memory, may run now or behind its key
	Running int    `json:"running"` // handed out and not yet committed
	Waiting int    `json:"waiting"` // for a retry
	Aside   int    `json:"aside"`   // in the store, because too many of their tenant or key wait already
	Lag     int64  `json:"lag"`     // numbers of the log not yet looked at
}

// Status tells how the subscription stands.
func (s *Subscription) Status() Status {
	head := s.broker.Head()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Name: s.name, Ready: s.queued(), Running: s.out, Waiting: len(s.wait)}
	if !s.live {
		st.Lag = head - s.cursor
	}
	for _, a := range s.aside {
		st.Aside += a.count
	}
	return st
}

// Status tells how every subscription stands, by name.
func (b *Broker) Status() []Status {
	var out []Status
	for _, s := range b.list() {
		out = append(out, s.Status())
	}
	return out
}

// Backlog is how many events wait for a subscription, or may: of the part of the log
// it has not looked at yet, every number counts.
func (b *Broker) Backlog(name string) int64 {
	b.mu.Lock()
	s := b.subs[name]
	b.mu.Unlock()
	if s == nil {
		return 0
	}
	st := s.Status()
	return int64(st.Ready) + int64(st.Running) + int64(st.Waiting) + int64(st.Aside) + st.Lag
}
