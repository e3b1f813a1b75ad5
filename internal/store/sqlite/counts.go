package sqlite

import (
	"context"
	"errors"
)

// counts is how many documents the batches of a group add to collections and take
// from them. The table document_counts follows in the transaction of the group: it
// always says how many rows a collection has in documents, so that nobody needs to
// walk through a million of them to know.
type counts struct {
	list []counted
	mark int // where the list of the batch begins that is being applied
}

type counted struct {
	collection string
	by         int64
}

func (c *counts) reset() { c.list, c.mark = c.list[:0], 0 }

// begin is called before a batch is applied, drop if it was refused.
func (c *counts) begin() { c.mark = len(c.list) }

func (c *counts) drop() { c.list = c.list[:c.mark] }

func (c *counts) add(collection string, by int64) {
	for i := c.mark; i < len(c.list); i++ {
		if c.list[i].collection == collection {
			c.list[i].by += by
			return
		}
	}
	c.list = append(c.list, counted{collection, by})
}

// saveCounts writes what the group counted.
func (w *writer) saveCounts(ctx context.Context) error {
	if len(w.counts.list) == 0 {
		return nil
	}
	sums := map[string]int64{}
	for _, c := range w.counts.list {
		sums[c.collection] += c.by
	}
	for collection, by := range sums {
		if by == 0 {
			continue
		}
		if _, err := w.st.docCount.ExecContext(ctx, collection, by); err != nil {
			return err
		}
	}
	return nil
}

// removeDocuments runs a statement that removes documents and returns the collection
// of each.
func (w *writer) removeDocuments(ctx context.Context, text string, args ...any) (n int64, err error) {
	rows, err := w.conn.QueryContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var collection string
		if err := rows.Scan(&collection); err != nil {
			return n, err
		}
		w.counts.add(collection, -1)
		n++
	}
	return n, rows.Err()
}
