// Package db queries and changes relational databases: PostgreSQL, MySQL and
// MariaDB, SQLite.
//
// Values always travel as bound arguments, never inside the text of a statement.
// Results are assembled straight from the driver into JSON, with numbers exact.
package db

import (
	"context"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// Connector is the `db` connector.
var Connector = connectors.Define("db", connectors.Doc{
	Summary: "Queries and changes a relational database.",
	Details: "Placeholders are `:name`, whose values are `args`, or `?` or `$1`, whose values are the list `values`, for every database; `??` is a literal `?`. " +
		"`args` may have more than the statement names, so `args: ${{ input }}` is fine. Times and bytes are sent as such, objects and lists as JSON text; PostgreSQL takes lists as arrays too: `id = any(:ids)`.\n\n" +
		"What a database does is outside the execution's own commit: it may happen again after a crash, so make statements idempotent " +
		"(`on conflict do nothing`, a key made of `event.id`).\n\n" +
		"Errors: `db/constraint` (409), `db/data` (422, a value that fits no column), `db/syntax`, `db/args`, `db/too-many-rows`, and, retriable, `db/busy` " +
		"(deadlock, lock or serialization), `db/timeout` and `db/connection`. They never repeat values; `error.data` has `code`, `constraint`, `table` and " +
		"`column` where the database names them.",
}, open,
	connectors.Op("query", connectors.Doc{
		Summary: "Reads rows.",
		Details: "`insert … returning` and its like are queries too. With `stream: true`, `rows` is read while `foreach` or `db.batch` consumes it; " +
			"until then it holds one of the connection's `max_open`.\n\n" +
			"What a column becomes: integers and decimals are numbers with every digit; JSON columns are JSON; times are RFC 3339 text, in UTC where the column " +
			"has no zone; days are `2026-01-31`; bytes are base64 text; PostgreSQL arrays are lists; NaN and infinity are null. MySQL's " +
			"`tinyint(1)` is a number, `bit` too; MariaDB's JSON is a text, for `json.parse`.",
		Result: "`rows` (a list of objects, or a stream with `stream: true`), `count` (not with `stream`)",
		Examples: []connectors.Example{
			{Title: "Orders of a customer", YAML: "sql: select id, total from orders where customer = :customer order by id\nargs: { customer: \"${{ input.customer }}\" }\n", Connection: "shop"},
			{Title: "A large table, row by row with foreach", YAML: "sql: select * from orders order by id\nstream: true\n", Connection: "shop"},
		},
	}, queryEffect, (*client).query),
	connectors.Op("exec", connectors.Doc{
		Summary: "Runs one statement that changes data.",
		Result:  "`affected` (rows matched), `last_id` (of MySQL and SQLite; null for PostgreSQL, whose `returning` is a query)",
		Examples: []connectors.Example{
			{Title: "Store a total", YAML: "sql: update orders set total = :total where id = :id\nargs: { id: \"${{ input.id }}\", total: \"${{ input.total }}\" }\n", Connection: "shop"},
		},
	}, execEffect, (*client).exec),
	connectors.Op("batch", connectors.Doc{
		Summary: "Runs one statement for every item, in one transaction: all or nothing.",
		Details: "`items` is a list or a stream. An error names the item, counted from 0, and nothing is stored.",
		Result:  "`affected`, `items` (how many)",
		Examples: []connectors.Example{
			{Title: "Store lines", YAML: "sql: insert into lines (sku, qty) values (:sku, :qty)\nitems: ${{ input.lines }}\n", Connection: "shop"},
			{Title: "Copy a large table into another database", YAML: "sql: insert into orders (id, total) values (:id, :total) on conflict do nothing\nitems: ${{ steps.orders.rows }}\n", Connection: "shop"},
		},
	}, batchEffect, (*client).batch),
)

type connection struct {
	_ field.ExactlyOne `keys:"url,path"`

	Driver      string           `yaml:"driver" required:"" enum:"postgres,mysql,sqlite" doc:"Which database; mysql is MariaDB too."`
	URL         pipelined.Secret `yaml:"url" doc:"postgres://user:password@host:5432/db, or mysql://user:password@host:3306/db?tls=true."`
	Path        string           `yaml:"path" doc:"SQLite: the file, relative to the project folder."`
	Create      bool             `yaml:"create" doc:"SQLite: create the file and its folder if missing."`
	ReadOnly    bool             `yaml:"read_only" doc:"SQLite: open for reading only."`
	MaxOpen     int              `yaml:"max_open" default:"16" min:"1" max:"1000" doc:"Connections at a time."`
	MaxLifetime time.Duration    `yaml:"max_lifetime" default:"30m" doc:"Connections are renewed after this long."`
}

// CheckFields finds an address of the wrong kind of database, where the driver is
// literal.
func (k *connection) CheckFields(c *field.Context) {
	want, other := "url", "path"
	if dialect(k.Driver) == sqliteDialect {
		want, other = other, want
	}
	if k.Driver != "" && c.Given(other) {
		c.Report(field.CodeExclusive, diag.Error, c.Pos(other), k.Driver+" takes no "+other, "There would be nothing to connect to.", "write `"+want+":` instead")
	}
}

type queryParams struct {
	_ field.AtMostOne `keys:"args,values"`

	SQL     statement      `yaml:"sql" required:"" doc:"The statement; values go into args."`
	Args    map[string]any `yaml:"args" doc:"The values of :name."`
	Values  []any          `yaml:"values" doc:"The values of ? or $1, in order."`
	Stream  bool           `yaml:"stream" default:"false" doc:"rows becomes a stream for foreach: constant memory."`
	MaxRows int            `yaml:"max_rows" default:"10000" min:"1" doc:"More rows than this are an error, without stream."`
	Timeout time.Duration  `yaml:"timeout" default:"60s" doc:"Limit for the statement; for a stream, until its first row."`
}

type execParams struct {
	_ field.AtMostOne `keys:"args,values"`

	SQL     statement      `yaml:"sql" required:"" doc:"The statement; values go into args."`
	Args    map[string]any `yaml:"args" doc:"The values of :name."`
	Values  []any          `yaml:"values" doc:"The values of ? or $1, in order."`
	Timeout time.Duration  `yaml:"timeout" default:"60s" doc:"Limit for the statement."`
}

type batchParams struct {
	SQL     statement     `yaml:"sql" required:"" doc:"The statement, run once for every item."`
	Items   any           `yaml:"items" required:"" doc:"A list or a stream; each item is a map for :name or a list for ? and $1."`
	Timeout time.Duration `yaml:"timeout" default:"5m" doc:"Limit for the whole transaction."`
}

func open(_ context.Context, c connection, env connectors.Env) (*client, error) {
	return newClient(c, env)
}
