package main

import "slices"

// recipes say what happens to each project until its store is kept.
func recipes() map[string]func(*project) error {
	return map[string]func(*project) error{
		"accepted": accepted,
		"retries":  retries,
		"flood":    flood,
		"errors":   failures,
		"ticks":    ticks,
		"crashes":  crashes,
	}
}

// Requests that were accepted and have not run, some after others that have; answers
// kept for their keys. The store has a log beside it, as a kill leaves it.
func accepted(p *project) error {
	return p.all(
		p.begin,
		p.post("/take/fast?q=1", `{"id":"a-1","amount":1.50}`, ""),
		p.post("/take/fast?q=2", `{"id":"a-2"}`, "take-a-2"),
		p.post("/pay", `{"id":"p-1"}`, "pay-1"),
		p.post("/pay", `{"id":"p-2"}`, "pay-2"),
		p.post("/remark", `{"id":"r-1"}`, "remark-1"),
		p.post("/customers", `{"id":"c-1","email":"ada@example.com","name":"Ada"}`, ""),
		p.publish("note.new", "n-1", `{}`, "--key", "k", "--header", "from=hand"),
		p.until("select count(*) from documents where collection in ('taken', 'notes')", 3),
		p.stop,
		p.begin,
		p.post("/take/slow?q=3", `{"id":"b-1","amount":12345678901234567890,"hold":true}`, ""),
		p.post("/take/slow?q=4", `{"id":"b-2","hold":true}`, ""),
		p.post("/take/fast?q=5", `{"id":"b-3"}`, ""),
		p.post("/take/fast?q=6", `{"id":"b-4"}`, ""),
		p.until("select count(*) from documents where collection = 'taken'", 4),
		p.post("/take/slow?q=7", `{"id":"b-5","amount":0.10,"hold":true}`, "take-b-5"),
		p.publish("note.new", "n-2", `{"hold":true}`, "--key", "k", "--header", "from=hand"),
		p.kill,
	)
}

// Deliveries that wait for their next attempt, the order of keys with them; delayed
// events; the times of the newest events that skip_stale goes by.
func retries(p *project) error {
	return p.all(
		p.begin,
		p.publish("lane.step", "", `{"lane":"a","n":1,"until":2}`),
		p.publish("lane.step", "", `{"lane":"a","n":2,"until":1}`),
		p.publish("lane.step", "", `{"lane":"a","n":3,"until":1}`),
		p.publish("lane.step", "", `{"lane":"b","n":1,"until":1}`),
		p.publish("hop.step", "", `{"lane":"a","n":1,"until":2}`),
		p.publish("hop.step", "", `{"lane":"a","n":2,"until":1}`),
		p.publish("hop.step", "", `{"lane":"a","n":3,"until":1}`),
		p.publish("price.set", "", `{"price":1,"until":2}`, "--key", "a"),
		p.publish("price.set", "", `{"price":2,"until":1}`, "--key", "a"),
		p.publish("price.set", "", `{"price":3,"until":2}`, "--key", "b"),
		p.publish("price.set", "", `{"price":4,"until":1}`, "--key", "c"),
		p.publish("news.read", "old", `{}`),
		p.post("/alarms", `{"id":"r-1","delay":"1m"}`, ""),
		p.post("/alarms", `{"id":"r-2","delay":"2m"}`, ""),
		p.post("/alarms", `{"id":"never","delay":"36500d"}`, ""),
		p.publish("job.new", "third", `{"until":3,"mended":true}`),
		p.publish("job.new", "fourth", `{"until":4}`),
		p.publish("job.new", "vain", `{"until":9}`),
		p.publish("job.new", "first", `{"until":1}`),
		p.until("select count(*) from deferred where subscription = 'flaky' and attempt = 3", 3),
		p.publish("job.new", "second", `{"until":2,"mended":true}`),
		p.until("select count(*) from deferred where subscription = 'flaky'", 4),
		p.until("select count(*) from deferred", 9),
		p.until("select count(*) from documents where collection = 'prices'", 2),
		p.kill, p.fold,
	)
}

// More of one key, and of one tenant, than waits in memory: the rest is set aside.
func flood(p *project) error {
	return p.all(
		p.begin,
		p.post("/flood", `{"lane":"b","count":5}`, ""),
		p.until("select count(*) from documents", 1+5),
		p.post("/flood", `{"lane":"a","count":1060}`, ""),
		p.until("select count(distinct subscription) from parked", 2),
		p.kill, p.fold,
	)
}

// Error records in every state, and dead letters. It was stopped in good order.
func failures(p *project) error {
	return p.all(
		p.begin,
		p.publish("order.new", "second", `{"until":2,"amount":1.10}`),
		p.publish("order.new", "third", `{"until":3}`),
		p.publish("order.new", "vain", `{"until":9}`),
		p.publish("order.new", "under_way", `{"until":2,"hold":true}`),
		p.publish("order.new", "resolved", `{"until":2}`),
		p.publish("order.new", "discarded", `{"until":2}`),
		p.publish("order.new", "permanent", `{"until":2,"status":422}`),
		p.publish("order.new", "good", `{"until":1}`),
		p.publish("mail.new", "letter", `{"to":"ada"}`),
		p.publish("mail.new", "again", `{"to":"bob"}`),
		p.publish("bill.new", "told", `{}`),
		p.publish("bill.new", "untold", `{"hold":true}`),
		p.post("/hooks/push", `{"id":"h-1"}`, ""),
		p.post("/quotes", `{"id":"q-1"}`, ""),
		p.until("select count(*) from documents where collection = 'order_errors'", 7),
		p.until("select count(*) from documents where collection = 'dead_letters'", 6),
		p.command("errors", "redrive", "resolved", p.dir),
		p.command("errors", "redrive", "third", p.dir),
		p.command("errors", "redrive", "vain", p.dir),
		p.command("errors", "redrive", "under_way", p.dir),
		p.command("errors", "discard", "discarded", p.dir, "--reason", "not needed"),
		p.command("errors", "redrive", p.dir, "--where", `doc.event.id == "again"`),
		p.until("select count(*) from documents where collection = 'order_errors' and body like '%\"attempts\":2%'", 2),
		p.command("errors", "redrive", "vain", p.dir),
		p.until("select count(*) from documents where collection = 'order_errors' and body like '%\"attempts\":3%'", 1),
		p.until("select count(*) from documents where collection = 'order_errors' and body like '%\"status\":\"resolved\"%'", 1),
		p.post("/again", `{}`, ""),
		p.until("select count(*) from documents where collection in ('given_up', 'mails', 'incidents')", 3),
		p.stop,
	)
}

// A scheduled run that the process died in once, and one that it died in five times;
// loops that had committed some of their turns.
func ticks(p *project) error {
	died := func(times int64) []func() error {
		return []func() error{p.begin, p.until("select cast(value as integer) from meta where key like 'open/relic/%'", times), p.kill}
	}
	p.only = []string{"pipelined.yaml", "relic.yaml"}
	if err := p.all(slices.Concat(died(1), died(2), died(3), died(4))...); err != nil {
		return err
	}
	p.only = nil
	return p.all(
		p.begin,
		p.publish("list.new", "", `{"id":"one","entries":[1,2,3,4,5,6,7,8,9,10]}`),
		p.publish("list.new", "", `{"id":"two","entries":[1,2,3,4]}`),
		p.post("/uploads", `{"id":"up","entries":[1,2,3,4,5]}`, ""),
		p.until("select cast(value as integer) from meta where key like 'open/relic/%'", 5),
		p.until("select count(*) from meta where key like 'open/minutes/%' and (select count(*) from documents where collection = 'minutes') = 1", 1),
		p.until("select count(*) from documents where collection = 'swept'", 10),
		p.until("select count(*) from documents where collection = 'entries'", 10),
		p.kill, p.fold,
	)
}

// An event that ran alone three times, and the process died of it each time; another
// that was there, too.
func crashes(p *project) error {
	suspects := func(cond string) func() error {
		return p.until("select count(*) from meta where key = 'engine/suspects' and value like '"+cond+"'", 1)
	}
	return p.all(
		p.begin, p.publish("poison.new", "poison", `{}`), p.publish("water.new", "water", `{}`),
		p.until("select count(*) from events", 2), p.kill,
		p.begin, suspects(`%"crashes":1}%"crashes":1}%`), p.kill,
		p.begin, suspects(`%"alone":1}%`), p.kill,
		p.begin, suspects(`%"alone":2}%`), p.kill,
		p.begin, suspects(`%"alone":3}%`), p.kill, p.fold,
	)
}
