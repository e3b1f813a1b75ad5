package sqlite

// Migrations are the steps from an empty file to the newest version.
func Migrations() []string { return migrations }

// Filters is how many conditions of searches the store remembers.
func (s *Store) Filters() (n int) {
	s.filters.lists.Range(func(_, _ any) bool { n++; return true })
	return n
}
