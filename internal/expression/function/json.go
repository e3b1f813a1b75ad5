package function

import (
	"fmt"

	"pipelined/internal/value"
)

var jsonFunctions = []Function{
	own("JSON", "path", "path(v, gjson)", "What a GJSON path finds.", `path({"lines": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": 1}]}, "lines.#(qty>1)#.sku")`, `["A"]`, queryPath),
	own("JSON", "toJSON", "toJSON(v)", "The value as JSON text, numbers as they came.", `toJSON({"a": 1})`, `"{\"a\":1}"`, toJSON),
	own("JSON", "fromJSON", "fromJSON(s)", "The value of JSON text; numbers stay exact.", `fromJSON("[1, 2]")`, `[1,2]`, fromJSON),
}

func queryPath(args ...any) (any, error) {
	s, err := textArg(args, 1)
	if err != nil {
		return nil, err
	}
	return value.Query(args[0], s), nil
}

func toJSON(args ...any) (any, error) {
	raw, err := value.JSON(args[0])
	return string(raw), err
}

func fromJSON(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	raw, err := value.ParseString(s)
	if err != nil {
		return nil, fmt.Errorf("the text is not JSON: %w", err)
	}
	return value.Exact(raw, value.NewPath()), nil
}
