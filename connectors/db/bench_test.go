package db_test

import (
	"net"
	"runtime"
	"testing"

	"pipelined/connectors/connectortest"
	"pipelined/connectors/db"
	"pipelined/internal/value"
)

// openBench opens a database for a benchmark, or skips where it is away.
func openBench(b *testing.B, connection, address string) *connectortest.Client {
	b.Helper()
	if address != "" {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Skip(err)
		}
		c.Close()
	}
	return connectortest.Open(b, db.Connector, connection)
}

// BenchmarkStream reads rows of five columns; heap_MB is what is live at the end.
func BenchmarkStream(b *testing.B) {
	for _, tt := range []struct{ name, connection, address, sql string }{
		{"postgres", "driver: postgres\nurl: postgres://postgres:x@127.0.0.1:5432/test\n", addresses["postgres"],
			"select n as id, 'customer-' || n as customer, (n * 1.10)::numeric(20,2) as total, now() as at, n % 2 = 0 as paid from generate_series(1, 1000000) n"},
		{"mysql", "driver: mysql\nurl: mysql://root@127.0.0.1:3306/test\n", addresses["mysql"],
			"select seq as id, concat('customer-', seq) as customer, cast(seq * 1.10 as decimal(20,2)) as total, now() as at, seq % 2 = 0 as paid from seq_1_to_1000000"},
		{"sqlite", "driver: sqlite\ncreate: true\npath: bench.db\n", "",
			"with recursive s(n) as (select 1 union all select n + 1 from s where n < 1000000) select n as id, 'customer-' || n as customer, n * 1.10 as total, '2026-03-08' as at, n % 2 = 0 as paid from s"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			c := openBench(b, tt.connection, tt.address)
			rows := 0
			for b.Loop() {
				out, err := c.Operate(b.Context(), "db.query", "sql: |\n  "+tt.sql+"\nstream: true", nil)
				if err != nil {
					b.Fatal(err)
				}
				s := out.(map[string]any)["rows"].(value.Stream)
				for {
					_, ok, err := s.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if !ok {
						break
					}
					rows++
				}
				s.Close()
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap_MB")
		})
	}
}

// BenchmarkBatch inserts 1,000 rows in one transaction.
func BenchmarkBatch(b *testing.B) {
	items := make([]any, 1000)
	for i := range items {
		items[i] = value.Raw(`{"sku": "sku-1", "qty": 2, "price": 9.90}`)
	}
	for _, tt := range []struct{ name, connection, address string }{
		{"postgres", "driver: postgres\nurl: postgres://postgres:x@127.0.0.1:5432/test\n", addresses["postgres"]},
		{"mysql", "driver: mysql\nurl: mysql://root@127.0.0.1:3306/test\n", addresses["mysql"]},
		{"sqlite", "driver: sqlite\ncreate: true\npath: bench.db\n", ""},
	} {
		b.Run(tt.name, func(b *testing.B) {
			c := openBench(b, tt.connection, tt.address)
			for _, sql := range []string{"drop table if exists bench_lines", "create table bench_lines (sku varchar(20), qty int, price decimal(20,2))"} {
				if _, err := c.Operate(b.Context(), "db.exec", "sql: "+sql, nil); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				if _, err := c.Operate(b.Context(), "db.batch", "sql: insert into bench_lines values (:sku, :qty, :price)\nitems: \"${{ input }}\"", items); err != nil {
					b.Fatal(err)
				}
				n += len(items)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
			if _, err := c.Operate(b.Context(), "db.exec", "sql: drop table bench_lines", nil); err != nil {
				b.Fatal(err)
			}
		})
	}
}
