package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// keptStores says how each kept store ends; the program in make says how it came about,
// and holds.txt in its folder what is in it.
func keptStores() []keptStore {
	return []keptStore{acceptedStore(), retriesStore(), floodStore(), errorsStore(), ticksStore(), crashesStore()}
}

func acceptedStore() keptStore {
	const fast, slow = `{"times":1,"lane":"fast","query":"%d","amount":%s}`, `{"times":1,"lane":"slow","query":"%d","amount":%s}`
	ends := []ending{
		{"every accepted request runs once, as it came", "taken", map[string]string{
			"a-1": fmt.Sprintf(fast, 1, "1.50"), "a-2": fmt.Sprintf(fast, 2, "null"),
			"b-1": fmt.Sprintf(slow, 3, "12345678901234567890"), "b-2": fmt.Sprintf(slow, 4, "null"), "b-3": fmt.Sprintf(fast, 5, "null"),
			"b-4": fmt.Sprintf(fast, 6, "null"), "b-5": fmt.Sprintf(slow, 7, "0.10"),
		}},
		{"every published event is taken once", "notes", each(`{"times":1,"key":"k","from":"hand"}`, "n-1", "n-2")},
		{"what was done stays", "till", map[string]string{"main": `{"receipts":2}`}},
		{"what was done stays", "remarks", each(`{"times":1}`, "r-1")},
		{"what was done stays", "customers", map[string]string{"c-1": `{"email":"ada@example.com","name":"Ada"}`}},
		{"nothing fails", deadLetters, nil},
	}
	taken := ending{"a value that is taken is a failure", deadLetters, map[string]string{
		`customers {"email":"ada@example.com","id":"c-2"}`: `{"status":"pending","type":"object_store/conflict"}`}}
	return keptStore{name: "accepted", ends: always(ends...), then: []afterwards{
		{"requests are repeated under their keys", repeatRequests, nil},
		{"an id is published again", func(_ *testing.T, p *process, _ *sql.DB) {
			p.command("events", "publish", "note.new", p.dir, "--id", "n-1", "--data", "{}")
			p.command("events", "publish", "note.new", p.dir, "--id", "n-3", "--key", "k", "--header", "from=hand", "--data", "{}")
		}, []ending{{"only the new id runs", "notes", each(`{"times":1,"key":"k","from":"hand"}`, "n-1", "n-2", "n-3")}}},
		{"there are new requests", newRequests, []ending{
			{"receipts are numbered on", "till", map[string]string{"main": `{"receipts":3}`}},
			{"a unique value is still taken", "customers", map[string]string{"c-1": `{"email":"ada@example.com","name":"Ada"}`, "c-3": `{"email":"bob@example.com","name":"Bob"}`}},
			taken,
		}},
	}}
}

// repeatRequests sends requests again whose answers are in the store.
func repeatRequests(t *testing.T, p *process, held *sql.DB) {
	id := func(key string) string {
		return row(t, held, "select json_extract(body, '$.body') from documents where collection = '_idempotency' and id = 'take/"+key+"'")
	}
	for _, r := range []struct {
		path, body, key string
		status          int
		answer          string
	}{
		{"/pay", `{"id":"p-1"}`, "pay-1", 201, `{"id":"p-1","receipt":1}`},
		{"/pay", `{"id":"p-2"}`, "pay-2", 201, `{"id":"p-2","receipt":2}`},
		{"/remark", `{"id":"r-1"}`, "remark-1", 204, ""},
		{"/take/fast?q=2", `{"id":"a-2"}`, "take-a-2", 202, id("take-a-2")},
		{"/take/slow?q=7", `{"id":"b-5","amount":0.10,"hold":true}`, "take-b-5", 202, id("take-b-5")},
	} {
		status, header, answer := p.ask(r.path, r.body, r.key)
		if status != r.status || strings.TrimSpace(answer) != r.answer || header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s with the key %s is answered with %d %s %v, want the first answer: %d %s", r.path, r.key, status, answer, header, r.status, r.answer)
		}
		if r.path == "/pay" && header.Get("X-Receipt") == "" {
			t.Errorf("the headers of the first answer are not repeated: %v", header)
		}
		if status, _, answer := p.ask(r.path, `{"id":"other"}`, r.key); status != http.StatusUnprocessableEntity {
			t.Errorf("another request with the key %s is answered with %d %s", r.key, status, answer)
		}
	}
}

func newRequests(t *testing.T, p *process, _ *sql.DB) {
	if status, _, answer := p.ask("/pay", `{"id":"p-3"}`, "pay-3"); status != 201 || strings.TrimSpace(answer) != `{"id":"p-3","receipt":3}` {
		t.Errorf("a new payment is answered with %d %s", status, answer)
	}
	if status, _, answer := p.ask("/customers", `{"id":"c-2","email":"ada@example.com"}`, ""); status != http.StatusConflict {
		t.Errorf("a customer with an email that is taken is answered with %d %s", status, answer)
	}
	if status, _, answer := p.ask("/customers", `{"id":"c-3","email":"bob@example.com","name":"Bob"}`, ""); status != 201 {
		t.Errorf("a new customer is answered with %d %s", status, answer)
	}
}

func retriesStore() keptStore {
	attempt := func(n int) string { return fmt.Sprintf(`{"times":1,"attempt":%d}`, n) }
	ring := func(ids ...string) map[string]string {
		out := map[string]string{}
		for _, id := range ids {
			out[id] = `{"times":1,"key":"` + id + `","from":"alarms"}`
		}
		return out
	}
	return keptStore{name: "retries", before: renewMarks, ends: always(
		ending{"what waited succeeds at the attempt it should", "done", map[string]string{
			"first": attempt(1), "second": attempt(2), "third": attempt(3), "fourth": attempt(4)}},
		ending{"attempts that were made count towards the limit", deadLetters, map[string]string{
			`flaky {"until":9}`: `{"attempts":4,"status":"pending","type":"job/early"}`}},
		ending{"a key waits for its event", "lanes", map[string]string{"a": `{"seen":[1,2,3]}`, "b": `{"seen":[1]}`}},
		ending{"with skip it comes after those that passed it", "hops", map[string]string{"a": `{"seen":[2,3,1]}`}},
		ending{"one older than the newest of its key is dropped", "prices", map[string]string{
			"a": `{"price":2,"times":1,"attempt":1}`, "b": `{"price":3,"times":1,"attempt":2}`, "c": `{"price":4,"times":1,"attempt":1}`}},
		ending{"one older than max_age is dropped", "news", nil},
		ending{"what was delayed comes when it is due, and not before", "rings", ring("r-1", "r-2")},
	), then: []afterwards{
		{"alarms are set", func(t *testing.T, p *process, _ *sql.DB) {
			for _, id := range []string{"r-1", "never", "r-3"} {
				if status, _, answer := p.ask("/alarms", `{"id":"`+id+`","delay":"1ms"}`, ""); status != 201 {
					t.Errorf("an alarm is answered with %d %s", status, answer)
				}
			}
		}, []ending{{"ids that were published, or wait to be, are dropped", "rings", ring("r-1", "r-2", "r-3")}}},
		{"a price is set", func(_ *testing.T, p *process, _ *sql.DB) {
			p.command("events", "publish", "price.set", p.dir, "--key", "a", "--data", `{"price":5,"until":1}`)
		}, []ending{{"a newer one is taken", "prices", map[string]string{
			"a": `{"price":5,"times":2}`, "b": `{"price":3,"times":1,"attempt":2}`, "c": `{"price":4,"times":1,"attempt":1}`}}}},
	}}
}

// renewMarks has the marks that skip_stale goes by expire as late as if the store had
// been written now: they are kept for a month, and the store for ever.
func renewMarks(t *testing.T, db *sql.DB) {
	_, err := db.ExecContext(t.Context(), `update documents set expires = expires - updated + unixepoch() * 1000000 where collection = '_newest'`)
	if err != nil {
		t.Fatal(err)
	}
}

func floodStore() keptStore {
	ids := append(numbered("a-%d", 1060), numbered("b-%d", 5)...)
	return keptStore{name: "flood", ends: always(
		ending{"what was set aside comes in its order", "lanes", map[string]string{"a": `{"last":1060,"wrong":[]}`, "b": `{"last":5,"wrong":[]}`}},
		ending{"what was set aside comes once", "tenants", each(`{"times":1}`, ids...)},
		ending{"nothing fails", deadLetters, nil},
	)}
}

func errorsStore() keptStore {
	record := func(attempts int, status string) string {
		return fmt.Sprintf(`{"attempts":%d,"status":"%s","pipeline":"orders"}`, attempts, status)
	}
	order := func(attempt int) string { return fmt.Sprintf(`{"times":1,"attempt":%d}`, attempt) }
	letter := func(status, typ string) string {
		return `{"status":"` + status + `","attempts":1,"type":"` + typ + `"}`
	}
	const told = `{"times":1,"type":"bill/broken","pipeline":"bills"}`
	records := map[string]string{
		"second": record(1, "pending"), "third": record(2, "pending"), "vain": record(3, "pending"), "discarded": record(1, "discarded"),
		"resolved": record(1, "resolved"), "permanent": record(1, "exhausted"), "under_way": record(1, "resolved"),
	}
	orders := map[string]string{"good": order(1), "resolved": order(2), "under_way": order(2)}
	letters := map[string]string{
		`mails {"to":"ada"}`: letter("pending", "mail/broken"), `mails {"to":"bob"}`: letter("resolved", "mail/broken"),
		`hooks {"id":"h-1"}`: letter("pending", "hook/broken"), `quotes {"id":"q-1"}`: letter("pending", "quote/broken"),
		`bills {}`: `{"type":"bill/broken"}`, `bills {"hold":true}`: `{"type":"bill/broken"}`,
	}
	mail := `{"times":1,"attempt":2,"to":"%s"}`
	return keptStore{name: "errors", ends: always(
		ending{"an event under way ends its record", "order_errors", records},
		ending{"an event under way runs once", "orders", orders},
		ending{"letters are still there", deadLetters, letters},
		ending{"a failure reaches its handler once", "incidents", each(told, "told", "untold")},
		ending{"what was done stays", "mails", map[string]string{"again": fmt.Sprintf(mail, "bob")}},
		ending{"what was done stays", "given_up", map[string]string{"permanent": `{"times":1,"attempts":1}`}},
		ending{"a letter does not run by itself", "hooks", nil},
	), then: []afterwards{
		{"records are reprocessed", func(t *testing.T, p *process, _ *sql.DB) {
			if status, _, answer := p.ask("/again", "{}", ""); status != 200 {
				t.Errorf("%d %s", status, answer)
			}
		}, []ending{
			{"those below the limit run again, at the next attempt", "orders", with(orders, map[string]string{
				"second": `{"times":1,"attempt":2,"amount":1.10}`, "third": order(3)})},
			{"and one at the limit is given up", "order_errors", with(records, map[string]string{
				"second": record(1, "resolved"), "third": record(2, "resolved"), "vain": record(3, "exhausted")})},
			{"and one at the limit is told once", "given_up", map[string]string{
				"permanent": `{"times":1,"attempts":1}`, "vain": `{"times":1,"attempts":3}`}},
		}},
		{"letters are redriven", func(_ *testing.T, p *process, _ *sql.DB) {
			p.command("errors", "redrive", p.dir, "--pipeline", "mails")
			p.command("errors", "redrive", p.dir, "--pipeline", "hooks")
		}, []ending{
			{"the event runs again", "mails", map[string]string{"again": fmt.Sprintf(mail, "bob"), "letter": fmt.Sprintf(mail, "ada")}},
			{"the accepted request runs again", "hooks", map[string]string{"h-1": `{"times":1,"attempt":2,"kind":"push"}`}},
			{"they say so", deadLetters, with(letters, map[string]string{
				`mails {"to":"ada"}`: letter("resolved", "mail/broken"), `hooks {"id":"h-1"}`: letter("resolved", "hook/broken")})},
		}},
	}}
}

func ticksStore() keptStore {
	sum := func(total int) string { return fmt.Sprintf(`{"times":1,"total":%d,"succeeded":%[1]d}`, total) }
	ids := append(append(numbered("one-%d", 10), numbered("two-%d", 4)...), numbered("up-%d", 5)...)
	return keptStore{name: "ticks", ends: func(t *testing.T, held *sql.DB) []ending {
		first := row(t, held, "select json_extract(body, '$.at') from documents where collection = 'minutes'")
		open := row(t, held, "select substr(key, length('open/minutes/') + 1) from meta where key like 'open/minutes/%'")
		return []ending{
			{"the run that was under way runs once, at its own time", "minutes", map[string]string{
				"first": `{"times":1,"at":"` + first + `"}`, "second": `{"times":1,"at":"` + open + `","previous":"` + first + `"}`}},
			{"a schedule's loop goes on after its last commit", "swept", each(`{"times":1}`, numbered("%02d", 20)...)},
			{"loops that go on count all their turns", "sums", map[string]string{"sweep": sum(20), "one": sum(10), "two": sum(4), "up": sum(5)}},
			{"the loops of events go on after their last commit", "entries", each(`{"times":1}`, ids...)},
			{"a run that the process died of five times fails", "relics", map[string]string{"interrupted": `{"times":1,"type":"engine/interrupted"}`}},
			{"nothing else fails", deadLetters, nil},
		}
	}}
}

func crashesStore() keptStore {
	letter := func(status string) map[string]string {
		return map[string]string{`poison {}`: `{"status":"` + status + `","type":"engine/interrupted"}`}
	}
	return keptStore{name: "crashes", ends: always(
		ending{"an event that the process died of is a dead letter", deadLetters, letter("pending")},
		ending{"what was there beside it runs", "drunk", each(`{"times":1}`, "water")},
	), then: []afterwards{{"the letter is redriven", func(_ *testing.T, p *process, _ *sql.DB) {
		p.command("errors", "redrive", p.dir, "--pipeline", "poison")
	}, []ending{
		{"it runs", "drunk", each(`{"times":1}`, "water", "poison")},
		{"it says so", deadLetters, letter("resolved")},
	}}}}
}
