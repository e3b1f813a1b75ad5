//go:build unix

package file_test

import (
	"syscall"
	"testing"
)

func pipe(t *testing.T, at string) {
	t.Helper()
	if err := syscall.Mkfifo(at, 0o644); err != nil {
		t.Fatal(err)
	}
}
