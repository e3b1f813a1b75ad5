package attempt

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)

// TestAFloodIsCounted: so many of a kind are kept in an hour; of those beyond them the
// count is told at once, and then once a minute, always for the same letter.
func TestAFloodIsCounted(t *testing.T) {
	t.Parallel()
	var f floods
	kind := floodKey{"web", "web", "pay", "job/broken"}
	kept, told, letters := 0, []int{}, map[string]bool{}
	const perSecond = 10
	for i := range perSecond * 600 { // ten minutes
		now := noon.Add(time.Duration(i) * time.Second / perSecond)
		ok, letter, count := f.pass(kind, now, fmt.Sprint("x-", i))
		if ok {
			kept++
			if letter != "" || count != 0 {
				t.Errorf("failure %d is kept and counted", i)
			}
			continue
		}
		letters[letter] = true
		if count > 0 {
			told = append(told, count)
		}
	}
	if kept != floodLimit {
		t.Errorf("%d are kept", kept)
	}
	if !letters[fmt.Sprint("x-", floodLimit)] || len(letters) != 1 {
		t.Errorf("they are counted in the letters %v", letters)
	}
	want := []int{1} // the first beyond the limit, then each minute's
	for i := 1; i < 10; i++ {
		want = append(want, 1+i*60*perSecond)
	}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told are %v, want %v", told, want)
	}
}

// TestAnHourLaterAFloodBeginsAgain with a letter of its own.
func TestAnHourLaterAFloodBeginsAgain(t *testing.T) {
	t.Parallel()
	for after, again := range map[time.Duration]bool{59 * time.Minute: false, time.Hour - 1: false, time.Hour: true, 48 * time.Hour: true} {
		var f floods
		kind := floodKey{pipeline: "web"}
		for range floodLimit + 5 {
			f.pass(kind, noon, "first")
		}
		kept, _, _ := f.pass(kind, noon.Add(after), "later")
		if kept != again {
			t.Errorf("after %s a failure is kept: %v", after, kept)
		}
		for range floodLimit {
			f.pass(kind, noon.Add(after), "later")
		}
		want := "first"
		if again {
			want = "later"
		}
		if _, letter, _ := f.pass(kind, noon.Add(after), "last"); letter != want {
			t.Errorf("after %s they are counted in the letter %s", after, letter)
		}
	}
}

// TestKindsOfFailuresAreCountedApart: a flood of one hides none of another.
func TestKindsOfFailuresAreCountedApart(t *testing.T) {
	t.Parallel()
	var f floods
	base := floodKey{"web", "web", "pay", "job/broken"}
	for range 2 * floodLimit {
		f.pass(base, noon, "x")
	}
	for what, other := range map[string]floodKey{
		"another pipeline":        {"shop", "web", "pay", "job/broken"},
		"another pipeline called": {"web", "pricing", "pay", "job/broken"},
		"another step":            {"web", "web", "ship", "job/broken"},
		"another type":            {"web", "web", "pay", "job/late"},
	} {
		if kept, _, _ := f.pass(other, noon, "y"); !kept {
			t.Errorf("%s: a first failure is not kept", what)
		}
	}
	if kept, _, _ := f.pass(base, noon, "x"); kept {
		t.Error("the flood is forgotten")
	}
}

// TestKindsOfFailuresTakeBoundedMemory, however many an author's computed types make.
func TestKindsOfFailuresTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	var f floods
	for i := range 3 * floodKinds {
		if kept, _, _ := f.pass(floodKey{problem: fmt.Sprint(i)}, noon, "x"); !kept {
			t.Fatalf("the first of kind %d is not kept", i)
		}
		if len(f.kinds) > floodKinds+1 {
			t.Fatalf("%d kinds are in memory", len(f.kinds))
		}
	}
}
