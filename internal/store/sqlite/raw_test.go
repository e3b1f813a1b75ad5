package sqlite_test

import (
	"database/sql"
	"testing"
)

// openRaw opens a file without the store's care.
func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
