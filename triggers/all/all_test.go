package all

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pipelined/triggers/triggertest"
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
		if e.IsDir() && e.Name() != "all" && e.Name() != "triggertest" {
			folders = append(folders, e.Name())
		}
	}
	names := Set().Names()
	slices.Sort(names)
	if !slices.Equal(names, folders) {
		t.Errorf("listed %v, folders %v", names, folders)
	}
}

// The engine must not know a trigger by its name: what a trigger needs of it is in its
// plan and its scope.
func TestTheEngineNamesNoTrigger(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?:TriggerKind|Trigger)\s*(?:==|!=|:)\s*"[a-z]`)
	files := 0
	err := filepath.WalkDir("../../engine", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "enginetest") {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if m := named.Find(text); m != nil {
			t.Errorf("%s: %s", path, m)
		}
		return err
	})
	if err != nil || files < 50 {
		t.Errorf("%d files, %v", files, err)
	}
}

// What the decoder refuses for a trigger, by the code of the finding.
func TestWhatIsNotDeclaredIsAFinding(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, trigger, yaml, code string }{
		{"a setting that does not exist", "http", "method: GET\npath: /a\ncors: {}\n", "E201"},
		{"a method nobody knows", "http", "method: FETCH\npath: /a\n", "E204"},
		{"a route without a method", "http", "path: /a\n", "E202"},
		{"a schedule is needed", "cron", "timezone: UTC\n", "E202"},
		{"a policy nobody knows", "cron", "schedule: 0 0 * * *\nmissed: never\n", "E204"},
		{"types are needed", "event", "concurrency: 4\n", "E202"},
		{"more at a time than there may be", "event", "types: [a]\nconcurrency: 1001\n", "E205"},
		{"a retry without attempts", "event", "types: [a]\nretry: { initial: 1s }\n", "E202"},
		{"a pipeline whose name is none", "error", "pipelines: [Orders]\n", "E206"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, diags := triggertest.Plan(t, Set().Get(tt.trigger), tt.yaml)
			all := diags.All()
			if len(all) != 1 || all[0].Code.ID != tt.code {
				t.Errorf("want %s, got\n%s", tt.code, triggertest.Render(diags, tt.yaml))
			}
		})
	}
}
