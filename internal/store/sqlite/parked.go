package sqlite

import (
	"context"

	"pipelined/internal/store"
)

// ParkedGroups tells how many events of each group a subscription has set aside.
func (s *Store) ParkedGroups(ctx context.Context, subscription string) (map[string]int, error) {
	rows, err := s.read.QueryContext(ctx, "select grp, count(*) from parked where subscription = ? group by grp", subscription)
	if err != nil {
		return nil, s.failed(err, "read what %s has set aside", subscription)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var group string
		var n int
		if err := rows.Scan(&group, &n); err != nil {
			return nil, s.failed(err, "read what %s has set aside", subscription)
		}
		out[group] = n
	}
	if err := rows.Err(); err != nil {
		return nil, s.failed(err, "read what %s has set aside", subscription)
	}
	return out, nil
}

// Parked returns events of one group with numbers above after, ascending.
func (s *Store) Parked(ctx context.Context, subscription, group string, after int64, limit int) ([]store.StoredEvent, error) {
	rows, err := s.read.QueryContext(ctx, `select e.seq, e.id, e.type, e.source, e.time, e.key, e.attempt, e.headers, e.data
		from parked p join events e on e.seq = p.seq where p.subscription = ? and p.grp = ? and p.seq > ? order by p.seq limit ?`,
		subscription, group, after, limit)
	if err != nil {
		return nil, s.failed(err, "read what %s has set aside", subscription)
	}
	defer rows.Close()
	var out []store.StoredEvent
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, s.failed(err, "read what %s has set aside", subscription)
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, s.failed(err, "read what %s has set aside", subscription)
	}
	return out, nil
}
