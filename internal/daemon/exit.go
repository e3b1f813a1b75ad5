package daemon

import (
	"errors"

	"pipelined/internal/admin"
	"pipelined/internal/store"
)

// Exit codes of every command.
const (
	ExitOK          = 0
	ExitFindings    = 1 // the project has errors, or a test failed
	ExitUsage       = 2 // the command was called wrongly
	ExitEnvironment = 3 // port taken, store locked, service away
)

// ErrFindings says that the project has errors, already shown.
var ErrFindings = errors.New("the project has errors")

// UsageError is a command called wrongly.
type UsageError struct{ What, Fix string }

func (e *UsageError) Error() string {
	if e.Fix == "" {
		return e.What
	}
	return e.What + "; " + e.Fix
}

// ExitCode is the one place that turns an error into an exit code.
func ExitCode(err error) int {
	var usage *UsageError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrFindings):
		return ExitFindings
	case errors.As(err, &usage), admin.IsMistake(err):
		return ExitUsage
	}
	return ExitEnvironment
}

// Explain adds to an error what a person can do about it.
func Explain(err error) string {
	switch {
	case errors.Is(err, store.ErrLocked):
		return err.Error() + "\n  another `pipelined run` has this project open; stop it, or use its admin address"
	case errors.Is(err, store.ErrNewer):
		return err.Error() + "\n  install the newer pipelined, or set store.path to another file"
	}
	return err.Error()
}
