// Package faulttest has SQLite's own file methods fail under a store: short and
// torn writes, errors of write and fsync, a full disk. Its methods are one table for
// the whole process, so these tests have a process of their own.
package faulttest
