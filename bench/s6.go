package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// perCustomer is how many orders a customer has: what the indexed find returns.
const perCustomer = 100

func storedOrder(n int) string {
	return strings.Replace(fmt.Sprintf(order, n, amount(n)), "c-4711", fmt.Sprintf("c-%06d", n/perCustomer), 1)
}

// s6 fills a collection through a pipeline, 1,000 documents a request, and then
// asks it one thing at a time. What the operations cost is the answer's time less
// that of a pipeline which only answers.
func s6(b settings) error {
	s, err := startPipelined(b, "s6")
	if err != nil {
		return err
	}
	defer s.stop()
	const conns = 2
	each := b.many / batch / conns
	count := each * conns * batch
	r, err := load(s, job{conns: conns, each: each, request: func(conn, n int) request {
		var body strings.Builder
		body.Grow(700 * batch)
		for i := range batch {
			body.WriteString(map[bool]string{true: `{"orders":[`, false: ","}[i == 0])
			body.WriteString(storedOrder((conn*each+n)*batch + i))
		}
		return post("/batches", []byte(body.String()+"]}"))
	}, check: func(_, _, status int, answer []byte) error {
		return same(status, answer, fmt.Sprintf(`{"inserted":%d}`, batch))
	}})
	if err != nil {
		return err
	}
	inserts := float64(count) / r.elapsed.Seconds()

	pick := func(n int) int { return n * 7919 % count } // all over the collection
	ask := func(limit time.Duration, each int, path func(n int) string, want func(n int, answer []byte) bool) (time.Duration, error) {
		r, err := load(s, job{conns: 1, length: limit, each: each, request: func(_, n int) request { return get(path(n)) },
			check: func(_, n, status int, answer []byte) error {
				if status != http.StatusOK || !want(n, answer) {
					return fmt.Errorf("%s: status %d, answer %.500s", path(n), status, answer)
				}
				return nil
			}})
		return r.p50, err
	}
	tests := []struct {
		what      string
		each      int
		path      func(n int) string
		want      func(n int, answer []byte) bool
		must, aim float64 // µs; 0: no budget
	}{
		{"nothing (only answers)", 0, func(int) string { return "/nothing" }, func(_ int, a []byte) bool { return string(a) == "{}" }, 0, 0},
		{"get", 0, func(n int) string { return fmt.Sprintf("/orders/o-%08d", pick(n)) },
			func(n int, a []byte) bool { return bytes.Contains(a, []byte(storedOrder(pick(n))[1:200])) }, 100, 50},
		{"find 100 by an index", 0, func(n int) string { return fmt.Sprintf("/customers/c-%06d/orders", pick(n)/perCustomer) },
			func(n int, a []byte) bool {
				return bytes.Count(a, fmt.Appendf(nil, `"customer":{"id":"c-%06d"`, pick(n)/perCustomer)) == perCustomer
			}, 5000, 2500},
		{"count by an index", 0, func(n int) string { return fmt.Sprintf("/customers/c-%06d/count", pick(n)/perCustomer) },
			func(_ int, a []byte) bool { return string(a) == fmt.Sprintf(`{"count":%d}`, perCustomer) }, 0, 0},
		{"count all", 20, func(int) string { return "/count" },
			func(_ int, a []byte) bool { return string(a) == fmt.Sprintf(`{"count":%d}`, count) }, 0, 0},
		{"find 1 without an index", 3, func(n int) string { return fmt.Sprintf("/search/o-%08d", pick(n)) },
			func(n int, a []byte) bool {
				return bytes.Count(a, []byte(`"customer":`)) == 1 && bytes.Contains(a, []byte(storedOrder(pick(n))[1:200]))
			}, 0, 0},
	}
	rows := [][]string{{"insert", "", thousands(inserts) + "/s"}}
	b.figures.atLeast("S6 insert", inserts, "documents/s", 20_000, 40_000)
	var nothing time.Duration
	for _, t := range tests {
		p50, err := ask(b.arm/2, t.each, t.path, t.want)
		if err != nil {
			return err
		}
		if nothing == 0 {
			nothing = p50
		}
		rows = append(rows, []string{t.what, fmt.Sprintf("%.3f ms", milliseconds(p50)), fmt.Sprintf("%.3f ms", milliseconds(p50-nothing))})
		if t.must > 0 {
			b.figures.atMost("S6 "+t.what, float64((p50 - nothing).Microseconds()), "µs", t.must, t.aim)
		}
	}
	table([]string{fmt.Sprintf("%s documents", thousands(float64(count))), "median answer", "the operation"}, rows)
	fmt.Printf("\n%s MB resident.\n", number(s.memory()))
	return nil
}
