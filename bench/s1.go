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

// amount is the price of the one line that differs, so that both lanes occur.
func amount(n int) int { return 22 + (n%2)*200 }

// s1Total is what the total of order n must be.
func s1Total(n int) float64 { return 2*18 + 19 + 12*10 + 4*float64(amount(n)) + 3*21.35 }

func s1Body(conn, n int) []byte { return fmt.Appendf(nil, order, conn*10_000_000+n, amount(n)) }

// s1Check compares an answer with what it must be.
func s1Check(conn, n, status int, answer []byte) error {
	lane := "standard"
	if s1Total(n) > 1000 {
		lane = "priority"
	}
	want := fmt.Sprintf(`{"id":"o-%08d","total":%v,"lane":%q}`, conn*10_000_000+n, s1Total(n), lane)
	got := string(answer)
	if status != http.StatusOK || (got != want && got != want+"\n") {
		return fmt.Errorf("status %d, answer %s, want %s", status, answer, want)
	}
	return nil
}

// s1 compares the synchronous scenario with the hand-written handler.
func s1(b settings) error {
	arms := []struct {
		name  string
		start func() (*server, error)
	}{
		{"hand-written", func() (*server, error) { return startBaseline("s1", b.dir) }},
		{"pipelined", func() (*server, error) { return startPipelined(b, "s1") }},
		{"hand-written again (A/A)", func() (*server, error) { return startBaseline("s1", b.dir) }},
	}
	results := make([][]result, len(arms))
	for range b.rounds {
		for i, arm := range arms {
			s, err := arm.start()
			if err != nil {
				return fmt.Errorf("%s: %w", arm.name, err)
			}
			if _, err := load(s, b.conns, b.arm/5, "/orders", s1Body, s1Check); err == nil { // warm-up
				var r result
				if r, err = load(s, b.conns, b.arm, "/orders", s1Body, s1Check); err == nil {
					results[i] = append(results[i], r)
				}
				if err != nil {
					s.stop()
					return fmt.Errorf("%s: %w", arm.name, err)
				}
			} else {
				s.stop()
				return fmt.Errorf("%s: %w", arm.name, err)
			}
			s.stop()
		}
	}
	fmt.Println("## S1 synchronous: POST an order, check, total, branch, answer (every answer checked)")
	fmt.Println("\n| arm | requests/s | CPU µs/request | p50 | p99 | MB | CPU ratio |\n|---|---|---|---|---|---|---|")
	base := medianOf(results[0], result.cpuPerRequest)
	for i, arm := range arms {
		fmt.Printf("| %s | %.0f | %.1f | %.2f ms | %.2f ms | %.0f | %.2f |\n", arm.name,
			medianOf(results[i], result.perSecond), medianOf(results[i], result.cpuPerRequest),
			medianOf(results[i], func(r result) float64 { return r.p50.Seconds() * 1000 }),
			medianOf(results[i], func(r result) float64 { return r.p99.Seconds() * 1000 }),
			medianOf(results[i], func(r result) float64 { return r.memory }),
			medianOf(results[i], result.cpuPerRequest)/base)
	}
	fmt.Println()
	return nil
}

func medianOf(list []result, f func(result) float64) float64 {
	var out []float64
	for _, r := range list {
		out = append(out, f(r))
	}
	return median(out)
}
