package crashtest

import (
	"fmt"
	"strings"
)

// sagaFiles are what reaches outside: sagas of requests and of events, what follows a
// commit, branches of one document, unique values.
func (s settings) sagaFiles() map[string]string {
	book := func(what, id string) string {
		return fmt.Sprintf(`  - name: %[1]s
    rest: { method: POST, url: "%[3]s/do/%[1]s/%[2]s" }
    compensate:
      - rest: { method: POST, url: "%[3]s/undo/%[1]s/%[2]s" }
      - object_store.put: { collection: undone, id: "%[1]s-%[2]s", document: { id: "${{ steps.%[1]s.body.id }}" } }
`, what, id, s.world)
	}
	return map[string]string{
		"trips.yaml": `pipeline: trips
trigger: { http: { method: POST, path: /trips } }
steps:
` + book("hotel", "${{ input.id }}") + book("flight", "${{ input.id }}") + count("trips", "input.id", "") + `  - when: input.n % 3 == 0
    fail: { type: crash/sold_out, title: Sold out, status: 409 }
  - respond: { body: { id: "${{ input.id }}" } }
`,
		"tours.yaml": fmt.Sprintf(`pipeline: tours
trigger:
  event: { types: [order.received], where: input.n %% 3 == 0, concurrency: %d, retry: { attempts: 3, initial: 30ms, max: 60ms } }
steps:
`, s.concurrency) + book("hotel", "tour-${{ input.id }}") + `  - parallel:
      out:
` + indent(book("out", "tour-${{ input.id }}")) + `      back:
` + indent(book("back", "tour-${{ input.id }}")) + `  - when: input.n % 5 == 0
    fail: { type: crash/tour, title: No tour, status: 503, retriable: true }
` + count("tours", "input.id", ""),
		"marks.yaml": fmt.Sprintf(`pipeline: marks
trigger: { event: { types: [order.received], where: input.n %% 3 == 1, concurrency: %d } }
steps:
  - when: input.n %% 4 == 0
    stop: true
  - name: found
    set: { found: "${{ input.id }}" }
after_commit:
  retry: { initial: 20ms, max: 200ms }
  steps:
    - rest: { method: POST, url: "%s/mark/-/${{ input.id }}" }
`, s.concurrency, s.world) + indentBy("  ", count("marked", "input.id", "")),
		"branches.yaml": fmt.Sprintf(`pipeline: branches
trigger: { event: { types: [order.received], where: input.n %% 3 == 2, concurrency: %d } }
steps:
`, s.concurrency) + count("branched", "input.id", "") + `  - name: now
    object_store.get: { collection: branched, id: "${{ input.id }}" }
  - parallel:
      a:
        - object_store.update: { collection: branched, id: "${{ input.id }}", merge: { a: "${{ (steps.now.a ?? 0) + 1 }}" } }
      b:
        - object_store.update: { collection: branched, id: "${{ input.id }}", merge: { b: "${{ (steps.now.b ?? 0) + 1 }}" } }
`,
		"people.yaml": fmt.Sprintf(`pipeline: people
trigger: { event: { types: [order.received], concurrency: %d } }
steps:
  - try:
      - object_store.insert: { collection: people, id: "${{ input.id }}", document: { email: "${{ input.key }}" } }
    catch:
      - when: error.type != "object_store/conflict"
        fail: { type: crash/people, title: "${{ error.title }}" }
`, s.concurrency) + indentBy("    ", count("refused", "input.id", "")),
	}
}

func indent(text string) string { return indentBy("      ", text) }

func indentBy(by, text string) string {
	return by + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n"+by), by)
}

// sagas holds every execution that books outside to all or nothing: what the world's book
// says is done is what an execution that ended well did, and what one that did not has
// undone. None of it was done again once something was undone.
func (l *left) sagas(orders []string, happened func(string) bool) {
	for id, f := range l.trips {
		d, ok := l.docs["trips"][id]
		booked := l.world.done(id)
		l.expect(ok || f != done, "trips: %s was answered and is lost", id)
		l.expect(!ok || f != refused, "trips: %s was refused and happened", id)
		l.expect(!ok || d.Times == 1, "trips: %s happened %d times", id, d.Times)
		l.expect(!ok || len(booked) == 2, "trips: %s happened and %v is done: %s", id, booked, l.world.story(id))
		l.expect(ok || len(booked) == 0, "trips: %s did not happen and %v is not undone: %s", id, booked, l.world.story(id))
		l.expect(!l.world.backward(id), "trips: %s went on after it was undone: %s", id, l.world.story(id))
	}
	for _, id := range orders {
		if !happened(id) || number(id)%3 != 0 {
			continue
		}
		d, ok := l.docs["tours"][id]
		tour := "tour-" + id
		booked := l.world.done(tour)
		want := number(id)%5 != 0
		l.expect(ok == want && (!ok || d.Times == 1), "tours: %s: %v, %+v", id, ok, d)
		l.expect(!want || len(booked) == 3, "tours: %s happened and %v is done: %s", id, booked, l.world.story(tour))
		l.expect(want || len(booked) == 0 && l.world.count(tour, "do hotel") > 0, "tours: %s failed and %v is not undone: %s", id, booked, l.world.story(tour))
		l.expect(!l.world.backward(tour), "tours: %s went on after it was undone: %s", id, l.world.story(tour))
	}
}

// number is the n of an order.
func number(id string) (n int) {
	_, _ = fmt.Sscanf(id[strings.LastIndex(id, "-")+1:], "%d", &n)
	return n
}

// marks holds every order to its mark: made at least once outside, exactly once in the
// store, also where the flow stopped.
func (l *left) marks(orders []string, happened func(string) bool) {
	taken := func(id string) bool { return happened(id) && number(id)%3 == 1 }
	l.once("marked", 1, taken, taken, orders)
	for _, id := range orders {
		n := l.world.count(id, "mark -")
		l.expect(!taken(id) || n > 0, "marks: %s was not marked: %s", id, l.world.story(id))
		l.expect(taken(id) || n == 0, "marks: %s was marked and did not happen", id)
	}
}

// branches wants what both branches of an execution wrote into one document, once.
func (l *left) branches(orders []string, happened func(string) bool) {
	taken := func(id string) bool { return happened(id) && number(id)%3 == 2 }
	l.once("branched", 1, taken, taken, orders)
	for id, d := range l.docs["branched"] {
		l.expect(d.A == 1 && d.B == 1, "branched: %s was written %d and %d times by its branches", id, d.A, d.B)
	}
}

// people wants one document for each email that was used, and every other order refused,
// once.
func (l *left) people(orders []string, happened func(string) bool) {
	owner := map[string]string{}
	for id, d := range l.docs["people"] {
		l.expect(owner[d.Email] == "", "people: %s belongs to %s and %s", d.Email, owner[d.Email], id)
		owner[d.Email] = id
		l.expect(happened(id) && strings.HasPrefix(id, d.Email+"-"), "people: %s of %s came from nowhere", id, d.Email)
	}
	for _, id := range orders {
		d, no := l.docs["refused"][id]
		_, yes := l.docs["people"][id]
		l.expect(!happened(id) || yes != no, "people: %s is there: %v, refused: %v", id, yes, no)
		l.expect(!no || d.Times == 1, "people: %s was refused %d times", id, d.Times)
	}
}
