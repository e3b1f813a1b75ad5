// Package objectstore is collections of JSON documents as one execution sees
// them: what is stored, overlaid with the execution's own writes, which nobody
// else sees until it commits.
//
// A Session appends writes; Writes turns them into what the execution's batch
// carries. A write states what it depended on: a document that was read and then
// written must still be at the version read, one that was inserted must still be
// missing, one found by a condition must not have changed. If that no longer
// holds at the commit, nothing of the batch happens and the execution runs again
// (see package store, ErrConflict), so reading, computing and writing back never
// loses somebody else's change.
package objectstore
