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
//
// Branches of one execution (a Group) share one view. What a branch writes its
// siblings see at once, or, where a part of the branch may still drop it, when the
// outermost such part has succeeded; until then they see what was before. A branch
// that writes a document which a sibling holds in such a part, or has changed since
// the branch was shown it, meets object_store/conflict at that step, and may try
// again:
//
//	          ┌ Begin ─ put a ────────────── Keep ┐     a is everybody's from here on
//	left   ───┤                                   ├───►
//	          └ held: a write of right is refused ┘
//	right  ── get a ──────────── put a: conflict ─ get a ─ put a ───►
//
// So no change is lost between branches either, and none that a sibling makes has
// the execution run again. A merge keeps what a sibling changed meanwhile, unless it
// changes the same.
package objectstore
