package broker

// pump starts workers for what is ready. The caller holds mu.
func (s *Subscription) pump() {
	run := s.broker.running.Load()
	if run == nil || run.intake.Err() != nil || s.closed {
		return
	}
	for s.workers < s.config().Concurrency && s.starting < s.ready.size && !s.strict() {
		s.workers++
		s.starting++
		s.broker.workers.Go(func() { s.run(run) })
	}
}

// strict reports that nothing may be handed out now because concurrency is 1 and
// the delivery before is not committed: one at a time means that each sees what
// the one before did.
func (s *Subscription) strict() bool { return s.config().Concurrency == 1 && s.out > 0 }

// run hands deliveries to the handler until none is ready.
func (s *Subscription) run(run *running) {
	for first := true; ; first = false {
		d := s.take(run, first)
		if d == nil {
			return
		}
		s.config().Handle(run.work, d)
	}
}

// take hands out the next delivery, or ends the worker.
func (s *Subscription) take(run *running, first bool) *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first {
		s.starting--
	}
	var d *Delivery
	if !s.closed && run.intake.Err() == nil && s.workers <= s.config().Concurrency && !s.strict() {
		d = s.ready.pop()
	}
	if d == nil {
		s.workers--
		return nil
	}
	s.out++
	s.took(d)
	return d
}

// takeOne hands out the next delivery to a caller that runs it itself.
func (s *Subscription) takeOne() *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.strict() {
		return nil
	}
	d := s.ready.pop()
	if d != nil {
		s.out++
		s.took(d)
	}
	return d
}
