package expression_test

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"

	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

// What an expression means is what expr's own machine gives for it, but for the
// exceptions below: each has a reason, and the tests fail on one that meets nothing.
// Refusing is always allowed where it is an error that says why, of the kinds below.

// exception is a way in which we differ.
type exception struct {
	reason string
	where  func(src string) bool
}

func written(pattern string) func(string) bool { return regexp.MustCompile(pattern).MatchString }

var exceptions = []exception{
	{"toJSON is compact, as JSON on the wire is; expr indents", written(`toJSON`)},
	{"the text of a list or an object is its JSON; expr writes Go's map[a:1]", written(`string\(`)},
	{"of nothing there is no average: null, not 0", written(`mean|median`)},
	{"groups are an object, whose names are texts; expr gives a Go map, with any keys, and an empty list for a group that is not there", written(`groupBy`)},
	{"a whole result is a whole number, so that it can be an index; expr gives a decimal without a fraction", written(`type\(`)},
	{"texts are counted and cut in characters; expr does it in bytes, and cuts characters apart", written(`"äöü€😀"(\[|, "")`)},
	{"a predicate inside a predicate is evaluated anew for each element; expr keeps the outer element between turns", written(`(map\(.*|, .*)\bfind(Last)?(Index)?\(true\)`)},
}

// oracle is both sides of the comparison over one environment.
type oracle struct {
	env   map[string]any
	syms  *expression.Symbols
	frame *expression.Frame
	met   map[string]int
	said  int
}

func newOracle(env map[string]any) *oracle {
	o := &oracle{env: env, syms: expression.NewSymbols(nil), frame: frame(), met: map[string]int{}}
	o.frame.Slots = nil
	for _, name := range slices.Sorted(maps.Keys(env)) {
		o.syms.Declare(name, &expression.Symbol{Slot: len(o.frame.Slots)})
		o.frame.Slots = append(o.frame.Slots, env[name])
	}
	return o
}

// theirs is what expr's machine gives, as JSON; ok is false if it refuses, or gives
// what has no JSON.
func (o *oracle) theirs(src string) (text string, ok bool) {
	defer func() {
		if recover() != nil { // their machine panics on some
			text, ok = "", false
		}
	}()
	p, err := expr.Compile(src, expr.Env(o.env))
	if err != nil {
		return "", false
	}
	v, err := expr.Run(p, o.env)
	if err != nil {
		return "", false
	}
	j, err := value.JSON(jsonable(v))
	return string(j), err == nil
}

// jsonable turns expr's maps with keys of any kind into objects.
func jsonable(v any) any {
	switch t := v.(type) {
	case map[any][]any:
		out := map[string]any{}
		for k, e := range t {
			out[fmt.Sprint(k)] = jsonable(e)
		}
		return out
	case map[any]any:
		out := map[string]any{}
		for k, e := range t {
			out[fmt.Sprint(k)] = jsonable(e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range t {
			out[k] = jsonable(e)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = jsonable(e)
		}
		return out
	}
	return v
}

// ours is what we give; why is the refusal.
func (o *oracle) ours(src string) (text string, why error) {
	p, perr := expression.Compile(src, o.syms)
	if perr != nil {
		return "", perr
	}
	v, err := p.Eval(o.frame)
	if err != nil {
		return "", err
	}
	j, err := value.JSON(v)
	return string(j), err
}

// compare fails the test where the two give different values and no exception says why.
// It reports whether both gave one.
func (o *oracle) compare(t *testing.T, src string) bool {
	t.Helper()
	want, ok := o.theirs(src)
	if !ok {
		return false
	}
	got, why := o.ours(src)
	if why != nil {
		if !slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(why.Error(), r) }) {
			o.complain(t, "%s: refused, %v; expr gives %s", src, why, want)
		}
		return false
	}
	if value.Equal(value.Raw(got), value.Raw(want)) {
		return true
	}
	for _, e := range exceptions {
		if e.where(src) {
			o.met[e.reason]++
			return true
		}
	}
	o.complain(t, "%s = %s; expr gives %s", src, got, want)
	return true
}

func (o *oracle) complain(t *testing.T, format string, args ...any) {
	t.Helper()
	if o.said++; o.said <= 60 {
		t.Errorf(format, args...)
	}
}

// refusals are what we refuse and expr does not: what is not there, what is not of the
// kind an operation is for, and results that JSON cannot say.
var refusals = []string{
	"has no field", "there is no ", "needs ", "is null", "division by zero", "not a finite number", "adds numbers", "the predicate of",
	"cannot be looked into", "not a number", "not a text", "not true or false", "not a list", "not an object", "have no order", "are never equal", "is never in a list",
	"cannot be compared", "by number, not by", "by name, not by", "is looked into", "may stand there once", "are needed", "is too large",
}

// examples are expr's own: those that its fuzzer found worth keeping.
func examples(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/expr-lang/expr").Output()
	if err != nil {
		t.Skipf("expr's own examples are not at hand: %v", err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "generated.txt"))
	if err != nil {
		t.Skipf("expr's own examples are not at hand: %v", err)
	}
	defer f.Close()
	var out []string
	unknown := regexp.MustCompile(`\$env|\badd\b|\bgreet\b|\.String\b`) // of the environment they were made in
	for s := bufio.NewScanner(f); s.Scan(); {
		if !unknown.MatchString(s.Text()) {
			out = append(out, s.Text())
		}
	}
	return out
}

// every is how many of expr's examples are tried: one of so many. 1 takes 15 s.
var every = flag.Int("every", 4, "try one of this many of expr's own examples")

// TestExprsExamples gives for each what expr's machine gives.
func TestExprsExamples(t *testing.T) {
	t.Parallel()
	o := newOracle(map[string]any{"ok": true, "i": 1, "str": "str", "f64": .5, "array": []any{1, 2, 3, 4, 5},
		"foo": map[string]any{"Bar": "foo"}, "list": []any{map[string]any{"Bar": "bar"}, map[string]any{"Bar": "baz"}}})
	both := 0
	for i, src := range examples(t) {
		if i%*every == 0 && o.compare(t, src) {
			both++
		}
	}
	if both < 15_000 / *every {
		t.Errorf("only %d examples gave a value on both sides", both)
	}
}

// arguments are what each builtin is tried with, in every combination.
var arguments = []string{
	`nil`, `true`, `0`, `1`, `-3`, `2.5`, `-0.5`, `1e10`, `9007199254740993`, `""`, `"abc"`, `"äöü€😀"`, `" a b "`, `"a,b,,c"`, `"b"`, `","`, `"12"`,
	`[]`, `[1, 2, 3]`, `[3, 1.5, 2]`, `["b", "a"]`, `[[1, 2], [3]]`, `[["k", 1]]`, `[true, nil]`, `"1h30m"`, `"90s"`, `"{\"a\": [1.5, null]}"`, `[["k", 1], ["l", nil]]`, `{}`, `{"c": [1.5]}`, `{"b": 1, "a": [2]}`,
}

// few are those tried where there are three.
var few = []string{`0`, `1`, `-1`, `"abc"`, `"a,b,,c"`, `","`, `""`, `[1, 2, 3]`, `{"b": 1}`}

// untried are the shared builtins that cannot be compared by their results.
var untried = map[string]string{
	"now":      "the time differs from call to call",
	"timezone": "gives a Go location; a zone is its name here",
	"date":     "the oracle has the machine's zone; functions_test has its examples",
}

// unordered are those that expr gives in the order of a Go map, another each time.
var unordered = []string{"keys", "values", "toPairs"}

// TestEveryBuiltin that expr has and we have, by its own name, gives what expr's machine
// gives for every combination of arguments; one that we do not have says what to write.
func TestEveryBuiltin(t *testing.T) {
	t.Parallel()
	o := newOracle(map[string]any{})
	for _, name := range builtin.Names {
		if untried[name] != "" {
			continue
		}
		if function.Named(name) == nil {
			if _, why := o.ours(name + "(1)"); why == nil || !strings.Contains(why.(*expression.Error).Fix, "write ") {
				t.Errorf("%s: nothing says what to write: %v", name, why)
			}
			continue
		}
		given := 0
		for _, src := range calls(name) {
			if slices.Contains(unordered, name) && strings.Contains(src, `"b": 1, "a"`) {
				continue
			}
			if o.compare(t, src) {
				given++
			}
		}
		if given < 2 {
			t.Errorf("%s gave a value on both sides %d times: it is not tried", name, given)
		}
	}
}

// calls are those of one builtin with every combination of arguments, and of predicates
// where it takes one.
func calls(name string) []string {
	var out []string
	if function.Named(name).Loop() {
		for _, list := range arguments {
			out = append(out, name+"("+list+")")
			for _, predicate := range []string{"# > 1", "#", "# == nil", "true", "#index", "len(#)", "#acc", "#acc + #"} {
				out = append(out, name+"("+list+", "+predicate+")", name+"("+list+", "+predicate+", 1)", name+"("+list+", "+predicate+`, "desc")`)
			}
		}
		return out
	}
	for _, a := range arguments {
		out = append(out, name+"("+a+")")
		for _, b := range arguments {
			out = append(out, name+"("+a+", "+b+")")
		}
	}
	for _, a := range few {
		for _, b := range few {
			for _, c := range few {
				out = append(out, name+"("+a+", "+b+", "+c+")")
			}
		}
	}
	return out
}

// TestEveryOperator gives what expr's machine gives, for every pair of operands.
func TestEveryOperator(t *testing.T) {
	t.Parallel()
	o := newOracle(map[string]any{})
	operands := slices.Concat(arguments, []string{`7`, `-7`, `0.1`, `1.0`, `9223372036854775807`, `"abd"`})
	for _, op := range []string{"+", "-", "*", "/", "%", "**", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "&&", "||", "??", "in", "not in", "contains", "startsWith", "endsWith", "matches", ".."} {
		for _, a := range operands {
			for _, b := range operands {
				if op == ".." && (len(a) > 3 || len(b) > 3) {
					continue // a list of all numbers between
				}
				o.compare(t, a+" "+op+" "+b)
			}
		}
	}
	for _, a := range operands {
		for _, before := range []string{"-", "+", "not ", "!"} {
			o.compare(t, before+a)
		}
		for _, after := range []string{"[0]", "[-1]", "[1:]", "[:1]", "[0:2]", "[-2:]", "[:-1]", "[1:100]", "[2:1]", ".a", "?.a", `["a"]`, "?.[0]"} {
			o.compare(t, a+after)
		}
		o.compare(t, a+" == nil ? 1 : 2")
	}
}

// TestEveryExceptionIsOne: each stands for a difference that is there.
func TestEveryExceptionIsOne(t *testing.T) {
	t.Parallel()
	o := newOracle(map[string]any{"list": []any{map[string]any{"Bar": "bar"}}})
	shown := []string{`toJSON([1])`, `string({"a": 1})`, `mean([])`, `groupBy(list, .Bar).b`, `type(2 ** 2)`, `"äöü€😀"[0:2]`, `[1, 2] | map([1, 2] | findLast(true))`}
	if len(shown) != len(exceptions) {
		t.Fatal("an exception is not shown")
	}
	for i, src := range shown {
		o.compare(t, src)
		if reason := exceptions[i].reason; o.met[reason] == 0 {
			t.Errorf("%s does not meet %q: take the exception away", src, reason)
		}
	}
}

// TestTheOracleCanBeWrong: it tells a difference from none.
func TestTheOracleCanBeWrong(t *testing.T) {
	t.Parallel()
	o := newOracle(map[string]any{"x": 1})
	if want, ok := o.theirs("x + 1"); !ok || want != "2" {
		t.Fatal(want, ok)
	}
	o.frame.Slots[0] = 2 // ours sees something else
	if got, _ := o.ours("x + 1"); got != "3" {
		t.Fatal(got)
	}
	probe := &testing.T{}
	if !o.compare(probe, "x + 1") || o.said != 1 {
		t.Error("a difference is not told")
	}
}
