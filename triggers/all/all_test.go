package all

import (
	"os"
	"slices"
	"testing"
)

// A trigger that is written but not listed would be missing from the binary
// without anyone noticing.
func TestSetHoldsEveryFolder(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "all" {
			folders = append(folders, e.Name())
		}
	}
	names := Set().Names()
	slices.Sort(names)
	if !slices.Equal(names, folders) {
		t.Errorf("listed %v, folders %v", names, folders)
	}
}

func TestEveryTriggerIsDocumented(t *testing.T) {
	t.Parallel()
	set := Set()
	for _, name := range set.Names() {
		if d := set.Get(name).Doc; d.Summary == "" || len(d.Examples) == 0 {
			t.Errorf("%s: summary %q, %d examples", name, d.Summary, len(d.Examples))
		}
	}
}
