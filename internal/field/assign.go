package field

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/unit"
	"pipelined/internal/value"
)

// TypeValue is the type of the problem of a value that has the wrong type when it
// is bound.
const TypeValue = "expression/type"

// unfit is a value that cannot be what its field needs.
type unfit struct {
	code diag.Code
	path string // from the struct down; empty for the field itself
	text string // begins with "it "
}

func (e *unfit) Error() string {
	if e.path == "" {
		return e.text
	}
	return e.path + ": " + e.text
}

func wrongValue(format string, args ...any) error {
	return &unfit{code: CodeWrongType, text: "it " + fmt.Sprintf(format, args...)}
}

// placed puts a key in front of where a value does not fit.
func placed(key string, err error) error {
	e, ok := err.(*unfit)
	if !ok {
		return err
	}
	at := *e
	if at.path = key; e.path != "" {
		at.path += "." + e.path
	}
	return &at
}

// problem is what a step fails with.
func problem(err error) error {
	if e, ok := err.(*unfit); ok {
		return pipelined.NewProblem(TypeValue, "A parameter has the wrong type", 500, e.Error())
	}
	return err
}

// assign converts a value of an expression; a number where a number is asked, no
// guessing.
func assign(f *spec, k *kindSpec, v any, dst reflect.Value) error {
	if v == nil {
		if f.required {
			return wrongValue("is null, and required")
		}
		dst.SetZero()
		return nil
	}
	switch k.form {
	case formString, formName:
		s, err := value.Text(v)
		if err != nil {
			return wrongValue("is %s, not a text", value.Describe(v))
		}
		if !f.checkEnum(s) {
			return &unfit{code: CodeEnum, text: "it is not one of " + strings.Join(f.enum, ", ")}
		}
		if k.form == formName && !unit.IsName(s) {
			return &unfit{code: CodeName, text: "it is not a name"}
		}
		dst.SetString(s)
	case formSecret:
		s, err := value.Text(v)
		if err != nil {
			return wrongValue("is %s, not a text", value.Describe(v))
		}
		dst.Set(reflect.ValueOf(pipelined.NewSecret(s)))
	case formBool:
		b, ok := value.Scalar(v).(bool)
		if !ok {
			return wrongValue("is %s, not true or false", value.Describe(v))
		}
		dst.SetBool(b)
	case formInt, formSize:
		n, ok := value.Int(v)
		if s, isText := value.Scalar(v).(string); isText && k.form == formSize {
			size, err := unit.Size(s)
			n, ok = size, err == nil
		}
		if !ok {
			return wrongValue("is %s, not a whole number", value.Describe(v))
		}
		if err := f.checkRange(float64(n)); err != nil {
			return err
		}
		dst.SetInt(n)
	default:
		return assignOther(f, k, v, dst)
	}
	return nil
}

func assignOther(f *spec, k *kindSpec, v any, dst reflect.Value) error {
	switch k.form {
	case formFloat:
		n, ok := number(v)
		if !ok {
			return wrongValue("is %s, not a number", value.Describe(v))
		}
		if err := f.checkRange(n); err != nil {
			return err
		}
		dst.SetFloat(n)
	case formDuration:
		t, err := durationOf(v)
		if err != nil {
			return wrongValue("is %s, not a duration such as 5s", value.Describe(v))
		}
		if err := f.checkRange(float64(t)); err != nil {
			return err
		}
		dst.SetInt(int64(t))
	case formList:
		list, err := value.Elements(v)
		if err != nil || value.Describe(v) != "a list" {
			return wrongValue("is %s, not a list", value.Describe(v))
		}
		out := reflect.MakeSlice(k.typ, len(list), len(list))
		for i, e := range list {
			if err := assignElement(f, k.elem, e, out.Index(i)); err != nil {
				return placed(fmt.Sprint(i), err)
			}
		}
		dst.Set(out)
	case formMap:
		m, ok := value.Open(v).(map[string]any)
		if !ok {
			return wrongValue("is %s, not an object", value.Describe(v))
		}
		out := reflect.MakeMapWithSize(k.typ, len(m))
		for name, e := range m {
			cell := reflect.New(k.typ.Elem()).Elem()
			if err := assignElement(f, k.elem, e, cell); err != nil {
				return placed(name, err)
			}
			out.SetMapIndex(reflect.ValueOf(name).Convert(k.typ.Key()), cell)
		}
		dst.Set(out)
	default:
		return wrongValue("cannot be given by an expression")
	}
	return nil
}

// assignElement takes an element of a list or a map, which is checked as the field
// says.
func assignElement(f *spec, k *kindSpec, v any, dst reflect.Value) error {
	switch {
	case v == nil: // only the field itself can be required
		dst.SetZero()
		return nil
	case k.form == formAny:
		dst.Set(reflect.ValueOf(v))
		return nil
	}
	return assign(f, k, v, dst)
}

// checkEnum compares with the allowed words.
func (f *spec) checkEnum(s string) bool { return len(f.enum) == 0 || slices.Contains(f.enum, s) }
