package step_test

import "testing"

// TestDocuments: what the keys of the object store do and give, to what is stored and to
// what the execution itself has written.
func TestDocuments(t *testing.T) {
	t.Parallel()
	put := func(more string) string {
		return it(2, "object_store.put: { collection: c, id: a, document: { n: 1 }"+more+" }")
	}
	check(t, "", []says{
		{"put, put again", put("") + "  - { name: two, object_store.put: { collection: c, id: a, document: { n: 2 } } }\n" + say(2, "[steps.it._version, steps.two._version]"), "[1,2]"},
		{"put of what is stored", it(2, "object_store.put: { collection: kept, id: a, document: {} }") + say(2, "steps.it"), `{"_id":"a","_version":2}`},
		{"put makes an id where none is written", it(2, "object_store.put: { collection: c, document: {} }") + say(2, "steps.it._id startsWith 'id-'"), "true"},
		{"put at the version that it gave", put("") + "  - object_store.put: { collection: c, id: a, document: { n: 2 }, if_version: \"${{ steps.it._version }}\" }\n" + say(2, "1"), "1"},
		{"fails at a version that is none", put(", if_version: \"${{ input.zero }}\""), ""},
		{"fails at an old version", put("") + "  - object_store.put: { collection: c, id: a, document: {}, if_version: 9 }\n" + say(2, "1"), ""},
		{"get what was put", put("") + "  - { name: got, object_store.get: { collection: c, id: a } }\n" + say(2, "[steps.got.n, steps.got._id, steps.got._version]"), `[1,"a",1]`},
		{"get what was deleted", "  - object_store.delete: { collection: kept, id: a }\n" + it(2, "object_store.get: { collection: kept, id: a }") + say(2, "steps.it"), "null"},
		{"update merges", it(2, "object_store.update: { collection: kept, id: a, merge: { m: { x: 1 }, n: null } }") + "  - { name: got, object_store.get: { collection: kept, id: a } }\n" + say(2, "[steps.it.updated, steps.got.n, steps.got.m]"), `[1,null,{"x":1}]`},
		{"update of none", it(2, "object_store.update: { collection: kept, id: none, merge: {} }") + say(2, "steps.it"), `{"updated":0}`},
		{"update where", put("") + "  - { name: up, object_store.update: { collection: c, where: doc.n < input.n, merge: { seen: true } } }\n" + say(2, "steps.up"), `{"updated":1}`},
		{"fails with an update at another version", it(2, "object_store.update: { collection: kept, id: a, merge: {}, if_version: 9 }"), ""},
		{"delete where", put("") + "  - { name: del, object_store.delete: { collection: c, where: doc.n == 1 } }\n  - { name: left, object_store.count: { collection: c } }\n" + say(2, "[steps.del.deleted, steps.left.count]"), "[1,0]"},
		{"delete of none", it(2, "object_store.delete: { collection: kept, id: none }") + say(2, "steps.it"), `{"deleted":0}`},
		{"fails with a delete at another version", it(2, "object_store.delete: { collection: kept, id: a, if_version: 9 }"), ""},
		{"count where", put("") + "  - { name: n, object_store.count: { collection: c, where: doc.n == 1 } }\n" + say(2, "steps.n.count"), "1"},
		{"distinct", "  - foreach: '[3, 1, 3, nil, 2]'\n    steps: [ { object_store.put: { collection: c, document: { n: \"${{ item }}\" } } } ]\n  - { name: d, object_store.distinct: { collection: c, field: n } }\n" + say(2, "steps.d.values"), "[1,2,3]"},
		{"distinct where", "  - foreach: '[3, 1, 3]'\n    steps: [ { object_store.put: { collection: c, document: { n: \"${{ item }}\" } } } ]\n  - { name: d, object_store.distinct: { collection: c, field: n, where: doc.n > 1 } }\n" + say(2, "steps.d.values"), "[3]"},
		{"insert of what was deleted", "  - object_store.delete: { collection: kept, id: a }\n" + it(2, "object_store.insert: { collection: kept, id: a, document: {} }") + say(2, "steps.it._id"), `"a"`},
		{"fails with an insert of what was put", put("") + "  - object_store.insert: { collection: c, id: a, document: {} }\n" + say(2, "1"), ""},
		{"a conflict is caught, and what was before stands", put("") + "  - try: [ { object_store.put: { collection: c, id: b, document: {} } }, { object_store.insert: { collection: c, id: a, document: {} } } ]\n    catch:\n" + say(6, "[error.type, error.status, error.retriable]") +
			"  - { name: n, object_store.count: { collection: c } }\n" + say(2, "steps.n.count"), `["object_store/conflict",409,false] 1`},
	})
}
