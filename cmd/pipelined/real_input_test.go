package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const shared = "../../../shared/data"

// needService skips, or fails where the environment says the service must be there.
func needService(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("PIPELINED_TEST_REQUIRE"), ","), name) {
		t.Fatalf("%s is required and away: %v", name, err)
	}
	t.Skipf("%s is not running here: %v", name, err)
}

// needData skips where the sample data does not stand beside the repository.
func needData(t *testing.T, path string) string {
	t.Helper()
	path = filepath.Join(shared, path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the sample data is not here: %v", err)
	}
	return path
}

// northwind loads the trading database into a PostgreSQL database of the test's
// own and returns its URL.
func northwind(t *testing.T) (url string, db *pgx.Conn) {
	t.Helper()
	script := needData(t, "northwind/northwind.sql")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	admin, err := pgx.Connect(ctx, "postgres://postgres@127.0.0.1:5432/postgres")
	needService(t, "postgres", err)
	name := fmt.Sprintf("northwind_%d", time.Now().UnixNano())
	if _, err := admin.Exec(ctx, "create database "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := admin.Exec(ctx, "drop database "+name+" with (force)"); err != nil {
			t.Error(err)
		}
		admin.Close(ctx)
	})
	url = "postgres://postgres@127.0.0.1:5432/" + name
	db, err = pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.PgConn().Exec(ctx, string(text)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	return url, db
}

func TestNorthwindThroughTheFourPipelines(t *testing.T) {
	t.Parallel()
	url, db := northwind(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/northwind")); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dir, "NORTHWIND_URL="+url)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	var orders, lines, total, refused int64
	// Cents, computed by the database from the same lines with the same rounding.
	err := db.QueryRow(ctx, `
		select (select count(*) from orders), (select count(*) from order_details),
		       (select sum(round(unit_price::numeric * 100) * quantity) from order_details),
		       (select count(*) from orders where ship_country = 'Venezuela')`).Scan(&orders, &lines, &total, &refused)
	if err != nil {
		t.Fatal(err)
	}
	if orders != 830 || lines != 2155 {
		t.Fatalf("the database has %d orders and %d lines, not 830 and 2,155", orders, lines)
	}
	p.eventually("all orders are processed or given up", 90*time.Second, func() bool {
		var n int64
		err := db.QueryRow(ctx, `select (select count(*) from invoices) + (select count(*) from given_up)`).Scan(&n)
		return err == nil && n == orders
	})
	var invoices, invoicedLines, invoiced, givenUp, givenUpCents int64
	err = db.QueryRow(ctx, `
		select count(*), sum(lines), sum(cents), (select count(*) from given_up), (select coalesce(sum(cents), 0) from given_up)
		  from invoices`).Scan(&invoices, &invoicedLines, &invoiced, &givenUp, &givenUpCents)
	if err != nil {
		t.Fatal(err)
	}
	if givenUp != refused || invoices != orders-refused {
		t.Errorf("%d invoices and %d given up of %d orders, %d of which are refused", invoices, givenUp, orders, refused)
	}
	if invoiced+givenUpCents != total {
		t.Errorf("%d cents invoiced + %d given up, the database says %d", invoiced, givenUpCents, total)
	}
	var refusedLines int64
	if err := db.QueryRow(ctx, `select count(*) from order_details join orders using (order_id) where ship_country = 'Venezuela'`).Scan(&refusedLines); err != nil {
		t.Fatal(err)
	}
	if invoicedLines+refusedLines != lines {
		t.Errorf("%d lines invoiced + %d refused, want %d", invoicedLines, refusedLines, lines)
	}
	if list := p.objects("dead_letters"); len(list) != 0 {
		t.Errorf("%d dead letters: %v", len(list), list[0])
	}
}

func TestWebhooksArriveByteForByte(t *testing.T) {
	t.Parallel()
	folder := needData(t, "webhooks")
	bodies, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(bodies) < 10 {
		t.Fatalf("%d bodies, %v", len(bodies), err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/webhooks")); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dir)
	for _, file := range bodies {
		kind, _, _ := strings.Cut(filepath.Base(file), ".")
		sent, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, "http://"+p.addr+"/webhooks", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GitHub-Event", kind)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var echoed bytes.Buffer
		if _, err := echoed.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || !bytes.Equal(echoed.Bytes(), sent) {
			t.Errorf("%s: status %d, answered %d bytes for %d", kind, resp.StatusCode, echoed.Len(), len(sent))
		}
		if lane := resp.Header.Get("X-Lane"); lane != laneOf(kind) {
			t.Errorf("%s went to lane %q, want %q", kind, lane, laneOf(kind))
		}
	}
	// The same bytes went through the event log and the object store.
	p.eventually("every webhook is stored", 10*time.Second, func() bool { return len(p.objects("webhooks")) == len(bodies) })
	for _, d := range p.objects("webhooks") {
		file := ""
		for _, b := range bodies {
			if strings.HasPrefix(filepath.Base(b), fmt.Sprint(d["kind"])+".") && sameJSON(t, b, d["body"]) {
				file = b
			}
		}
		if file == "" {
			t.Errorf("what was stored for %v is none of what was sent", d["kind"])
		}
	}
}

func laneOf(kind string) string {
	switch kind {
	case "push", "pull_request", "delete":
		return "code"
	case "issues", "issue_comment", "label", "milestone", "discussion":
		return "planning"
	}
	return "other"
}

func sameJSON(t *testing.T, file string, v any) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(v)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
