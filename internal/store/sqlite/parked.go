package sqlite

import (
	"context"
	"database/sql"

	"pipelined/internal/store"
)

// ParkedGroups tells how many events of each group a subscription has set aside.
func (s *Store) ParkedGroups(ctx context.Context, subscription string, p int) (map[string]int, error) {
	if p != partition {
		return map[string]int{}, nil
	}
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
func (s *Store) Parked(ctx context.Context, q store.ParkedQuery) ([]store.StoredEvent, error) {
	if q.Partition != partition {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, `select e.seq, e.id, e.type, e.source, e.time, e.key, e.attempt, e.headers, e.data, e.appended
		from parked p join events e on e.seq = p.seq where p.subscription = ? and p.grp = ? and p.seq > ? order by p.seq limit ?`,
		q.Subscription, q.Group, q.After, pageOf(q.Limit))
	out, err := collect(rows, err, scanEvent)
	if err != nil {
		return nil, s.failed(err, "read what %s has set aside", q.Subscription)
	}
	return out, nil
}
