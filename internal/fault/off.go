//go:build !faults

package fault

// Point does nothing in a normal build.
func Point(string) {}
