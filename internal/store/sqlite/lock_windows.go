package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// sharingViolation is what opening a file gives that another process has open
// without sharing it.
const sharingViolation = syscall.Errno(32)

// exclusive opens a file that no other process has open this way; held reports
// that one has. The hold ends with the process, however it ends.
func exclusive(path string) (f *os.File, held bool, err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, false, err
	}
	const unshared = 0
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, unshared, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, errors.Is(err, sharingViolation), &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), false, nil
}

// release ends the hold.
func release(f *os.File) error {
	return f.Close()
}
