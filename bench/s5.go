package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the source is a database file
)

// extraction is what one measurement of S5 found.
type extraction struct {
	rows      int
	took, cpu time.Duration
	memory    []float64 // MB, sampled while it went on
}

func (e extraction) perSecond() float64 { return float64(e.rows) / e.took.Seconds() }

func (e extraction) cpuPerRow() float64 { return float64(e.cpu.Microseconds()) / float64(e.rows) }

// s5 reads a database with a streamed query and publishes an event for each row,
// while a second pipeline consumes them.
func s5(b settings) error {
	e, err := extract(b)
	if err != nil {
		return err
	}
	first, second := e.memory[:len(e.memory)/2], e.memory[len(e.memory)/2:]
	table([]string{"rows", "rows/s, read to consumed", "CPU µs/row", "MB, median of the first half", "MB, median of the second half", "MB at most"}, [][]string{{
		thousands(float64(e.rows)), thousands(e.perSecond()), number(e.cpuPerRow()),
		number(median(first)), number(median(second)), number(highest(e.memory))}})
	b.figures.atMost("S5 resident memory, highest", highest(e.memory), "MB", 150, 80)
	b.figures.atMost("S5 memory, second half", median(second)/median(first), "× first half", 1.1, 1.05)
	return nil
}

// extract has a server of its own read a database of its own.
func extract(b settings) (e extraction, err error) {
	dir, err := copyProject(b, "s5")
	if err != nil {
		return e, err
	}
	if err := makeSource(filepath.Join(dir, "source.db"), b.many); err != nil {
		return e, err
	}
	s, err := runOwn(b, dir)
	if err != nil {
		return e, err
	}
	defer s.stop()
	defer s.takeProfiles(b, b.arm)()
	before, err := s.cpu()
	if err != nil {
		return e, err
	}
	watch := s.watchMemory()
	began := time.Now()
	_, err = load(s, job{conns: 1, each: 1, check: accepted, request: func(int, int) request { return post("/extract", []byte("null")) }})
	if err == nil {
		err = awaitSink(s, b.many)
	}
	e = extraction{rows: b.many, took: time.Since(began), memory: watch()}
	if err != nil {
		return e, fmt.Errorf("%w\n%s", err, s.log.String())
	}
	after, err := s.cpu()
	e.cpu = after - before
	return e, err
}

// makeSource writes a database with n orders of one line.
func makeSource(path string, n int) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range []string{
		`pragma journal_mode = off`, `pragma synchronous = off`,
		`create table orders (id text primary key, customer text, sku text, name text, qty integer, price real, city text, note text) without rowid`,
		fmt.Sprintf(`with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < %d)
			insert into orders select printf('o-%%08d', i), printf('c-%%06d', i / 100), 'A-100', 'Chai, 10 boxes of 20 bags', 1 + i %% 9, 18.25, 'Albuquerque', 'leave at the door' from n`, n),
	} {
		if _, err := db.Exec(text); err != nil {
			return fmt.Errorf("make the source: %w", err)
		}
	}
	return nil
}

// watchMemory samples the resident set until the function it returns is called.
func (s *server) watchMemory() func() []float64 {
	stop, done := make(chan struct{}), make(chan []float64)
	go func() {
		list := []float64{s.memory()}
		for {
			select {
			case <-stop:
				done <- append(list, s.memory())
				return
			case <-time.After(50 * time.Millisecond):
				list = append(list, s.memory())
			}
		}
	}()
	return func() []float64 { close(stop); return <-done }
}

func highest(list []float64) float64 {
	var h float64
	for _, v := range list {
		h = max(h, v)
	}
	return h
}
