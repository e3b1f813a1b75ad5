//go:build unix

package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// exclusive opens a file that no other process has open this way; held reports
// that one has. The hold ends with the process, however it ends.
func exclusive(path string) (f *os.File, held bool, err error) {
	f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Is(err, syscall.EWOULDBLOCK), errors.Join(err, f.Close())
	}
	return f, false, nil
}

// release ends the hold. Closing the file is not enough: a child process that is
// just being started has a copy of it until it becomes the other program.
func release(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
