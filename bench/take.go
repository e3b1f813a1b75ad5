package main

import "time"

// takeS1 and the others measure b.binary once, as a process, the way its scenario
// does beside a baseline.
func takeS1(b settings) (sample, error) {
	return takeOrders(b, "s1", priced)
}

func takeS2(b settings) (sample, error) {
	crm, env, err := startCRM(b)
	if err != nil {
		return nil, err
	}
	defer crm.stop()
	return takeOrders(b, "s2", merged, env)
}

func takeOrders(b settings, project string, check func(conn, n, status int, answer []byte) error, env ...string) (sample, error) {
	start := func() (*server, error) { return startPipelined(b, project, env...) }
	r, err := once(arm{start: start}, func(s *server) (result, error) { return orders(b, s, check) })
	return sample{
		{"requests/s", r.perSecond(), more},
		{"CPU µs/request", r.cpuPerRequest(), less},
		{"p50, ms", milliseconds(r.p50), noted},
		{"p99, ms", milliseconds(r.p99), noted},
		{"MB", r.memory, noted},
	}, err
}

func takeS3a(b settings) (sample, error) { return takeEvents(b, batches()) }

func takeS3b(b settings) (sample, error) { return takeEvents(b, singles(b)) }

func takeEvents(b settings, events stream) (sample, error) {
	start := func() (*server, error) { return startPipelined(b, "s3") }
	a, err := once(arm{start: start}, func(s *server) (asynchronous, error) { return throughPipelines(s, events, b.arm) })
	return sample{
		{"events/s end to end", a.rate(), more},
		{"accepted/s", a.accepted(), noted},
		{"CPU µs/event", a.cpuPerEvent(), less},
		{"MB", a.memory, noted},
	}, err
}

// takeS4 starts some servers and lets one rest.
func takeS4(b settings) (sample, error) {
	const starts = 5
	var first []float64
	var memory float64
	for i := range starts {
		var rest time.Duration
		if i == starts-1 {
			rest = min(b.arm, 3*time.Second)
		}
		s, err := once(arm{start: func() (*server, error) { return startWith(b, 99, "s1") }}, func(s *server) (started, error) { return start(s, rest) })
		if err != nil {
			return nil, err
		}
		first, memory = append(first, milliseconds(s.first)), s.memory
	}
	size, err := megabytes(b.binary)
	return sample{
		{"start to first answer, ms", median(first), less},
		{"idle, MB", memory, less},
		{"binary, MB", size, less},
	}, err
}

func takeS5(b settings) (sample, error) {
	e, err := extract(b)
	if err != nil {
		return nil, err
	}
	return sample{
		{"rows/s, read to consumed", e.perSecond(), more},
		{"CPU µs/row", e.cpuPerRow(), less},
		{"MB at most", highest(e.memory), less},
	}, nil
}

// takeS6 takes answers as they come: taking off what an answer costs without a
// document, as S6 does, would add the noise of that.
func takeS6(b settings) (sample, error) {
	o, err := keepObjects(b)
	if err != nil {
		return nil, err
	}
	out := sample{
		{"insert, documents/s", o.perSecond(), more},
		{"insert, CPU µs/document", o.fill.cpuPerRequest() / batch, less},
	}
	for i, q := range questions(o.count) {
		out = append(out, quantity{q.what + ", ms", milliseconds(o.answers[i]), less})
	}
	out[2].judging = noted // it is what the others are compared with
	return append(out, quantity{"MB", o.memory, noted}), nil
}
