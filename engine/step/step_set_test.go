package step_test

import "testing"

func TestSet(t *testing.T) {
	t.Parallel()
	check(t, "", []says{
		{"in the order written", "  - set: { a: 1, b: \"${{ vars.a + 1 }}\", c: \"${{ vars.b + 1 }}\" }\n" + say(2, "[vars.a, vars.b, vars.c]"), "[1,2,3]"},
		{"exact numbers", "  - set: { a: 1.10, b: 12345678901234567890 }\n" + say(2, "[vars.a, vars.b]"), "[1.10,12345678901234567890]"},
		{"an object with expressions", "  - set: { a: { n: \"${{ input.n }}\", t: \"x${{ input.n }}\" } }\n" + say(2, "vars.a"), `{"n":7,"t":"x7"}`},
		{"a later one replaces it", "  - set: { a: 1 }\n  - set: { a: null }\n" + say(2, "vars.a"), "null"},
		{"fails where it was not set", "  - when: \"false\"\n    set: { a: 1 }\n" + say(2, "vars.a"), ""},
		{"?? where it was not set", "  - when: \"false\"\n    set: { a: 1 }\n" + say(2, "vars.a ?? 'none'"), `"none"`},
		{"accumulates in a loop", "  - set: { sum: 0 }\n  - foreach: input.list\n    steps: [ { set: { sum: \"${{ vars.sum + item }}\" } } ]\n" + say(2, "vars.sum"), "6"},
		{"is a copy in concurrent turns", "  - set: { sum: 0 }\n  - foreach: input.list\n    concurrency: 2\n    steps: [ { set: { sum: \"${{ vars.sum + item }}\" } }, { probe: { do: say, with: \"${{ vars.sum - item }}\" } } ]\n" + say(2, "vars.sum"), "0 0 0 0"},
		{"is a copy in branches", "  - set: { a: 1 }\n  - parallel: { l: [ { set: { a: 2 } } ], r: [ { delay: 1s }, { probe: { do: say, with: \"${{ vars.a }}\" } } ] }\n" + say(2, "vars.a"), "1 1"},
		{"stays where the try fails", "  - try: [ { set: { a: 1 } }, { fail: { type: a/b } } ]\n    catch: []\n" + say(2, "vars.a"), "1"},
	})
}
