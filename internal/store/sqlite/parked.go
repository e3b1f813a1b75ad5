package sqlite

import (
	"context"
	"database/sql"

	"pipelined/internal/store"
)

// ParkedGroups tells how many events of each group a subscription has set aside.
func (s *Store) ParkedGroups(ctx context.Context, subscription string) (map[string]int, error) {
	rows, err := s.read.QueryContext(ctx, "select grp, count(*) from parked where subscription = ? group by grp", subscription)
	type group struct {
		name string
		n    int
	}
	scan := func(rows *sql.Rows) (g group, err error) {
		err = rows.Scan(&g.name, &g.n)
		return g, err
	}
	out := map[string]int{}
	if err := each(rows, err, scan, func(g group) bool { out[g.name] = g.n; return true }); err != nil {
		return nil, s.failed(err, "read what %s has set aside", subscription)
	}
	return out, nil
}

// Parked returns events of one group with numbers above after, ascending.
func (s *Store) Parked(ctx context.Context, subscription, group string, after int64, limit int) ([]store.StoredEvent, error) {
	rows, err := s.read.QueryContext(ctx, `select e.seq, e.id, e.type, e.source, e.time, e.key, e.attempt, e.headers, e.data, e.appended
		from parked p join events e on e.seq = p.seq where p.subscription = ? and p.grp = ? and p.seq > ? order by p.seq limit ?`,
		subscription, group, after, limit)
	out, err := collect(rows, err, scanEvent)
	if err != nil {
		return nil, s.failed(err, "read what %s has set aside", subscription)
	}
	return out, nil
}
