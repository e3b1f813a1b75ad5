package sqlite

// Migrations are the steps from an empty file to the newest version.
func Migrations() []string { return migrations }
