package field_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined/internal/expression"
	"pipelined/internal/field"
)

type tree struct {
	Name     string `yaml:"name" doc:"x"`
	Children []tree `yaml:"children" doc:"x"`
}

type endless []endless

type (
	first struct {
		Second map[string]*second `yaml:"second" doc:"x"`
	}
	second struct {
		First *first `yaml:"first" doc:"x"`
	}
)

func TestBadDeclarationsPanic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		build func()
		says  string // what the message names
	}{
		{"not a struct", func() { field.Of[int]() }, "int is not a struct"},
		{"no doc", func() {
			field.Of[struct {
				A string `yaml:"a"`
			}]()
		}, ".A needs a yaml and a doc tag"},
		{"a key twice", func() {
			field.Of[struct {
				A, B string `yaml:"a" doc:"x"`
			}]()
		}, "has the key a twice"},
		{"a key twice, once in an embedded struct", func() {
			field.Of[struct {
				Pair
				A string `yaml:"left" doc:"x"`
			}]()
		}, "has the key left twice"},
		{"a channel", func() {
			field.Of[struct {
				A chan int `yaml:"a" doc:"x"`
			}]()
		}, ".A has a type that cannot be written in YAML: chan int"},
		{"a list of channels", func() {
			field.Of[struct {
				A []chan int `yaml:"a" doc:"x"`
			}]()
		}, ".A has a type that cannot be written in YAML: chan int"},
		{"a min that is no number", func() {
			field.Of[struct {
				A int `yaml:"a" doc:"x" min:"few"`
			}]()
		}, ".A: min:"},
		{"a min that is no duration", func() {
			field.Of[struct {
				A time.Duration `yaml:"a" doc:"x" min:"5"`
			}]()
		}, ".A: min:"},
		{"a max of a text", func() {
			field.Of[struct {
				A string `yaml:"a" doc:"x" max:"5"`
			}]()
		}, ".A: max: text has no range"},
		{"min above max", func() {
			field.Of[struct {
				A int `yaml:"a" doc:"x" min:"2" max:"1"`
			}]()
		}, ".A: min is above max"},
		{"an unknown tag", func() {
			field.Of[struct {
				A string `yaml:"a" doc:"x" requird:""`
			}]()
		}, ".A: there is no tag requird"},
		{"a tag twice", func() {
			field.Of[struct {
				A string "yaml:\"a\" doc:\"x\" doc:\"y\""
			}]()
		}, ".A has the tag doc twice"},
		{"an option in a key", func() {
			field.Of[struct {
				A string `yaml:"a,omitempty" doc:"x"`
			}]()
		}, `.A: "a,omitempty" is not a key`},
		{"required with a value", func() {
			field.Of[struct {
				A string `yaml:"a" doc:"x" required:"no"`
			}]()
		}, ".A: required takes no value"},
		{"required with a default", func() {
			field.Of[struct {
				A string `yaml:"a" doc:"x" required:"" default:"a"`
			}]()
		}, ".A is required, and has a default"},
		{"a default of the wrong type", func() {
			field.Of[struct {
				A int `yaml:"a" doc:"x" default:"some"`
			}]()
		}, `.A: the default "some" cannot be used`},
		{"a default out of range", func() {
			field.Of[struct {
				A time.Duration `yaml:"a" doc:"x" default:"1s" min:"5s"`
			}]()
		}, `.A: the default "1s" cannot be used`},
		{"a default that is not allowed", func() {
			field.Of[struct {
				A string `yaml:"a" doc:"x" default:"c" enum:"a,b"`
			}]()
		}, `.A: the default "c" cannot be used`},
		{"a default of a list", func() {
			field.Of[struct {
				A []string `yaml:"a" doc:"x" default:"[]"`
			}]()
		}, `.A: the default "[]" cannot be used`},
		{"a condition that cannot be one", func() {
			field.Of[struct {
				A expression.Condition `yaml:"a" doc:"x" default:"1 +"`
			}]()
		}, `.A: the default "1 +" cannot be used`},
		{"an enum of numbers", func() {
			field.Of[struct {
				A int `yaml:"a" doc:"x" enum:"1,2"`
			}]()
		}, ".A: enum is for texts"},
		{"a field that is not exported", func() {
			field.Of[struct {
				a string `yaml:"a" doc:"x"`
			}]()
		}, ".a has a tag, and is not exported"},
		{"a struct in itself", func() { field.Of[tree]() }, "field_test.tree.Children makes field_test.tree a part of itself"},
		{"two structs in each other", func() { field.Of[first]() }, "field_test.second.First makes *field_test.first a part of itself"},
		{"a list in itself", func() {
			field.Of[struct {
				A endless `yaml:"a" doc:"x"`
			}]()
		}, ".A makes field_test.endless a part of itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "field: ") || !strings.Contains(got, tt.says) {
					t.Error(got)
				}
			}()
			tt.build()
		})
	}
}
