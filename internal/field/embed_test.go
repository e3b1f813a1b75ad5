package field_test

import (
	"slices"
	"strings"
	"testing"

	"pipelined/internal/field"
)

// Pair is shared by declarations.
type Pair struct {
	Left  string `yaml:"left" doc:"The left one."`
	Right string `yaml:"right" doc:"The right one." default:"r"`

	_ field.AtMostOne `keys:"left,middle"`

	Middle string `yaml:"middle" doc:"The middle one."`
}

// Deep embeds what embeds.
type Deep struct {
	Pair
	Depth int `yaml:"depth" doc:"How deep." min:"1"`
}

type sharing struct {
	Name string `yaml:"name" doc:"A name." required:""`
	Deep
	Last string `yaml:"last" doc:"The last one."`
}

func TestKeysOfAnEmbeddedStructStandBesideTheOthers(t *testing.T) {
	t.Parallel()
	shape := field.Of[sharing]()
	var keys []string
	for _, f := range shape.Fields() {
		keys = append(keys, f.Key)
	}
	if want := []string{"name", "left", "right", "middle", "depth", "last"}; !slices.Equal(keys, want) {
		t.Errorf("the keys are %v, want %v", keys, want)
	}
	c, n := context("name: n\nleft: ${{ input.s }}\ndepth: 2\nlast: l\n")
	b := shape.Decode(c, n)
	if b == nil {
		t.Fatalf("%+v", c.Diags.All())
	}
	var got sharing
	if err := b.Bind(frame(input), &got); err != nil {
		t.Fatal(err)
	}
	if want := (sharing{Name: "n", Deep: Deep{Pair: Pair{Left: "text", Right: "r"}, Depth: 2}, Last: "l"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !strings.Contains(shape.Table(), "`left` and `middle` exclude each other.") {
		t.Errorf("the rule of the embedded struct is not in the table:\n%s", shape.Table())
	}
}

func TestFindingsInAnEmbeddedStruct(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name: n\nleft: a\nmiddle: b\n": "left and middle exclude each other",
		"name: n\ndepth: 0\n":           "depth",
		"name: n\nlfet: a\n":            "there is no key lfet here",
	} {
		c, n := context(text)
		var got sharing
		if field.Of[sharing]().DecodeInto(c, n, &got) {
			t.Errorf("%q is taken", text)
		}
		if all := c.Diags.All(); len(all) != 1 || !strings.Contains(all[0].Summary, want) {
			t.Errorf("%q: %+v, want %s", text, all, want)
		}
	}
}
