package main

import (
	"time"

	"github.com/spf13/pflag"

	"pipelined/internal/unit"
)

// durationFlag takes a duration as pipelines write it: 15m, 24h, 7d.
func durationFlag(f *pflag.FlagSet, into *time.Duration, name, usage string) {
	f.Var((*duration)(into), name, usage)
}

type duration time.Duration

// Set reads the flag's value.
func (d *duration) Set(text string) error {
	v, err := unit.Duration(text)
	*d = duration(v)
	return err
}

// String is the value so far; nothing where there is no default.
func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

// Type is what the help calls it.
func (*duration) Type() string { return "duration" }
