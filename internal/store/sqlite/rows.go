package sqlite

import "database/sql"

// each reads the rows of a query, whose own error it takes with them, until take has
// enough, and closes them.
func each[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error), take func(T) (more bool)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return err
		}
		if !take(row) {
			return nil
		}
	}
	return rows.Err()
}

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) (out []T, _ error) {
	err = each(rows, err, scan, func(row T) bool { out = append(out, row); return true })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// scanText is a row of one text.
func scanText(rows *sql.Rows) (text string, err error) {
	err = rows.Scan(&text)
	return text, err
}
