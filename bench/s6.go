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

// objects is what one measurement of S6 found.
type objects struct {
	count   int             // documents
	fill    result          // requests of 1,000 documents each
	answers []time.Duration // to the questions, medians
	memory  float64         // MB, at the end
}

func (o objects) perSecond() float64 { return o.fill.perSecond() * batch }

// operation is what the n-th answer takes longer than one that needs no document.
func (o objects) operation(n int) time.Duration { return o.answers[n] - o.answers[0] }

// s6 fills a collection through a pipeline, 1,000 documents a request, and then
// asks it one thing at a time. What the operations cost is the answer's time less
// that of a pipeline which only answers.
func s6(b settings) error {
	o, err := keepObjects(b)
	if err != nil {
		return err
	}
	rows := [][]string{{"insert", "", thousands(o.perSecond()) + "/s"}}
	b.figures.atLeast("S6 insert", o.perSecond(), "documents/s", 20_000, 40_000)
	for i, q := range questions(o.count) {
		rows = append(rows, []string{q.what, fmt.Sprintf("%.3f ms", milliseconds(o.answers[i])), fmt.Sprintf("%.3f ms", milliseconds(o.operation(i)))})
		if q.must > 0 {
			b.figures.atMost("S6 "+q.what, float64(o.operation(i).Microseconds()), "µs", q.must, q.aim)
		}
	}
	table([]string{fmt.Sprintf("%s documents", thousands(float64(o.count))), "median answer", "the operation"}, rows)
	fmt.Printf("\n%s MB resident.\n", number(o.memory))
	return nil
}

// keepObjects has a server of its own keep documents, and asks it.
func keepObjects(b settings) (o objects, err error) {
	s, err := startPipelined(b, "s6")
	if err != nil {
		return o, err
	}
	defer s.stop()
	const conns = 2
	each := b.many / batch / conns
	o.count = each * conns * batch
	o.fill, err = load(s, job{conns: conns, each: each,
		request: func(conn, n int) request { return postDocuments((conn*each + n) * batch) },
		check: func(_, _, status int, answer []byte) error {
			return same(status, answer, fmt.Sprintf(`{"inserted":%d}`, batch))
		}})
	if err != nil {
		return o, err
	}
	for _, q := range questions(o.count) {
		answer, err := q.ask(s, b.arm/2)
		if err != nil {
			return o, err
		}
		o.answers = append(o.answers, answer)
	}
	o.memory = s.memory()
	return o, nil
}

// postDocuments is a request with as many documents as a batch has, from the n-th on.
func postDocuments(n int) request {
	var body strings.Builder
	body.Grow(700 * batch)
	for i := range batch {
		body.WriteString(map[bool]string{true: `{"orders":[`, false: ","}[i == 0])
		body.WriteString(storedOrder(n + i))
	}
	body.WriteString("]}")
	return post("/batches", []byte(body.String()))
}

// question is something to ask the collection again and again.
type question struct {
	what      string
	times     int // 0: as often as the time allows
	path      func(n int) string
	right     func(n int, answer []byte) bool
	must, aim float64 // µs; 0: no budget
}

// questions to ask a collection of count documents; the first asks for none of them.
func questions(count int) []question {
	pick := func(n int) int { return n * 7919 % count } // all over the collection
	isOrder := func(n int, a []byte) bool { return bytes.Contains(a, []byte(storedOrder(pick(n))[1:200])) }
	return []question{
		{"nothing (only answers)", 0, func(int) string { return "/nothing" }, func(_ int, a []byte) bool { return string(a) == "{}" }, 0, 0},
		{"get", 0, func(n int) string { return fmt.Sprintf("/orders/o-%08d", pick(n)) }, isOrder, 100, 50},
		{"find 100 by an index", 0, func(n int) string { return fmt.Sprintf("/customers/c-%06d/orders", pick(n)/perCustomer) },
			func(n int, a []byte) bool {
				return bytes.Count(a, fmt.Appendf(nil, `"customer":{"id":"c-%06d"`, pick(n)/perCustomer)) == perCustomer
			}, 5000, 2500},
		{"count by an index", 0, func(n int) string { return fmt.Sprintf("/customers/c-%06d/count", pick(n)/perCustomer) },
			func(_ int, a []byte) bool { return string(a) == fmt.Sprintf(`{"count":%d}`, perCustomer) }, 0, 0},
		{"count all", 20, func(int) string { return "/count" },
			func(_ int, a []byte) bool { return string(a) == fmt.Sprintf(`{"count":%d}`, count) }, 5000, 100},
		{"find 1 without an index", 3, func(n int) string { return fmt.Sprintf("/search/o-%08d", pick(n)) },
			func(n int, a []byte) bool { return bytes.Count(a, []byte(`"customer":`)) == 1 && isOrder(n, a) }, 1.7 * float64(count), 0.6 * float64(count)},
	}
}

// ask returns the median time of an answer. It asks for at most limit.
func (q question) ask(s *server, limit time.Duration) (time.Duration, error) {
	r, err := load(s, job{conns: 1, length: limit, each: q.times,
		request: func(_, n int) request { return get(q.path(n)) },
		check: func(_, n, status int, answer []byte) error {
			if status != http.StatusOK || !q.right(n, answer) {
				return fmt.Errorf("%s: status %d, answer %.500s", q.path(n), status, answer)
			}
			return nil
		}})
	return r.p50, err
}
