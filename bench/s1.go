package main

import (
	"fmt"
	"net/http"
)

// The order of every scenario: about 600 bytes.
const order = `{"id":"o-%08d","customer":{"id":"c-4711","name":"Northwind Traders","tier":"gold"},"lines":[` +
	`{"sku":"A-100","name":"Chai, 10 boxes","qty":2,"price":18.00},` +
	`{"sku":"A-101","name":"Chang, 24 bottles","qty":1,"price":19.00},` +
	`{"sku":"B-200","name":"Aniseed syrup","qty":12,"price":10.00},` +
	`{"sku":"B-201","name":"Cajun seasoning","qty":4,"price":%d.00},` +
	`{"sku":"C-300","name":"Gumbo mix","qty":3,"price":21.35}],` +
	`"shipping":{"street":"2817 Milton Dr.","city":"Albuquerque","region":"NM","zip":"87110","country":"US"},"note":"leave at the door"}`

// perConnection keeps the ids of the orders of two connections apart.
const perConnection = 10_000_000

// amount is the price of the one line that differs, so that both lanes occur.
func amount(n int) int { return 22 + (n%2)*200 }

// orderTotal is what the total of order n must be.
func orderTotal(n int) float64 { return 2*18 + 19 + 12*10 + 4*float64(amount(n)) + 3*21.35 }

func lane(n int) string {
	if orderTotal(n) > 1000 {
		return "priority"
	}
	return "standard"
}

func orderID(conn, n int) int { return conn*perConnection + n }

func postOrder(conn, n int) request {
	return post("/orders", fmt.Appendf(make([]byte, 0, 700), order, orderID(conn, n), amount(n)))
}

// priced compares an answer with what it must be.
func priced(conn, n, status int, answer []byte) error {
	return same(status, answer, fmt.Sprintf(`{"id":"o-%08d","total":%v,"lane":%q}`, orderID(conn, n), orderTotal(n), lane(n)))
}

// same compares an answer with the one expected.
func same(status int, answer []byte, want string) error {
	if got := string(answer); status != http.StatusOK || (got != want && got != want+"\n") {
		return fmt.Errorf("status %d, answer %s, want %s", status, answer, want)
	}
	return nil
}

// s1 compares the synchronous scenario with the hand-written handler.
func s1(b settings) error {
	byHand := func() (*server, error) { return startBaseline("s1", b.dir) }
	results, err := synchronous(b, []arm{
		{"hand-written", byHand},
		{"pipelined", func() (*server, error) { return startPipelined(b, "s1") }},
		{"hand-written again (A/A)", byHand},
	}, priced)
	if err != nil {
		return err
	}
	b.figures.atMost("S1 CPU per request", cpuRatio(results), "× hand-written", 1.25, 1.0)
	return nil
}

// s2 has both call the same third process for every request.
func s2(b settings) error {
	crm, env, err := startCRM(b)
	if err != nil {
		return err
	}
	defer crm.stop()
	byHand := func() (*server, error) { return startBaseline("s2", b.dir, env) }
	results, err := synchronous(b, []arm{
		{"hand-written", byHand},
		{"pipelined", func() (*server, error) { return startPipelined(b, "s2", env) }},
		{"hand-written again (A/A)", byHand},
	}, merged)
	if err != nil {
		return err
	}
	b.figures.atLeast("S2 requests/s", medianOf(results[1], result.perSecond)/medianOf(results[0], result.perSecond), "× hand-written", 0.8, 1.0)
	return nil
}

// startCRM runs the third process; env tells servers where it is.
func startCRM(b settings) (s *server, env string, err error) {
	if s, err = startBaseline("crm", b.dir); err != nil {
		return nil, "", err
	}
	return s, "BENCH_CRM=http://" + s.addr, nil
}

// merged compares an answer of S2 with what it must be.
func merged(conn, n, status int, answer []byte) error {
	return same(status, answer, fmt.Sprintf(`{"id":"o-%08d","total":%v,"lane":%q,"account":{"id":"c-4711","manager":"Ada","credit":25000}}`,
		orderID(conn, n), orderTotal(n), lane(n)))
}

// synchronous measures servers that answer orders, and prints them beside each other.
func synchronous(b settings, arms []arm, check func(conn, n, status int, answer []byte) error) ([][]result, error) {
	results, err := alternate(b, arms, func(s *server) (result, error) { return orders(b, s, check) })
	if err != nil {
		return nil, err
	}
	var rows [][]string
	base := results[0]
	for i, a := range arms {
		r := results[i]
		rows = append(rows, []string{a.name,
			thousands(medianOf(r, result.perSecond)), number(medianOf(r, result.cpuPerRequest)),
			fmt.Sprintf("%.2f ms", medianOf(r, func(r result) float64 { return milliseconds(r.p50) })),
			fmt.Sprintf("%.2f ms", medianOf(r, func(r result) float64 { return milliseconds(r.p99) })),
			number(medianOf(r, func(r result) float64 { return r.memory })),
			number(medianOf(r, result.cpuPerRequest) / medianOf(base, result.cpuPerRequest)),
			number(medianOf(r, result.perSecond) / medianOf(base, result.perSecond))})
	}
	table([]string{"arm", "requests/s", "CPU µs/request", "p50", "p99", "MB", "CPU ratio", "requests ratio"}, rows)
	return results, nil
}

// orders posts orders after a warm-up.
func orders(b settings, s *server, check func(conn, n, status int, answer []byte) error) (result, error) {
	j := job{conns: b.conns, length: b.arm / 5, request: postOrder, check: check}
	if _, err := load(s, j); err != nil {
		return result{}, err
	}
	j.length = b.arm
	defer s.takeProfiles(b, b.arm)()
	return load(s, j)
}

// cpuRatio is what the second arm costs, by the mean of the two that are alike.
func cpuRatio(results [][]result) float64 {
	alike := (medianOf(results[0], result.cpuPerRequest) + medianOf(results[len(results)-1], result.cpuPerRequest)) / 2
	return medianOf(results[1], result.cpuPerRequest) / alike
}
