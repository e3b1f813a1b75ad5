package function

import "errors"

var bitFunctions = []Function{
	own("number", "bitand", "bitand(i, i)", "The bits that both whole numbers have.", `bitand(12, 10)`, `8`, bits2(func(a, b int) int { return a & b })),
	own("number", "bitor", "bitor(i, i)", "The bits that either has.", `bitor(12, 10)`, `14`, bits2(func(a, b int) int { return a | b })),
	own("number", "bitxor", "bitxor(i, i)", "The bits that one of them has.", `bitxor(12, 10)`, `6`, bits2(func(a, b int) int { return a ^ b })),
	own("number", "bitnand", "bitnand(i, i)", "The bits of the first that the second has not.", `bitnand(12, 10)`, `4`, bits2(func(a, b int) int { return a &^ b })),
	own("number", "bitnot", "bitnot(i)", "Every bit the other way.", `bitnot(12)`, `-13`, func(args ...any) (any, error) {
		n, err := intArg(args, 0)
		return ^n, err
	}),
	own("number", "bitshl", "bitshl(i, n)", "The bits moved to the left.", `bitshl(45, 2)`, `180`, shift(func(i, n int) int { return i << n })),
	own("number", "bitshr", "bitshr(i, n)", "The bits moved to the right; the sign stays.", `bitshr(-20, 2)`, `-5`, shift(func(i, n int) int { return i >> n })),
	own("number", "bitushr", "bitushr(i, n)", "The bits moved to the right; zeros come from the left.", `bitushr(-5, 62)`, `3`, shift(func(i, n int) int { return int(uint(i) >> n) })),
}

func bits2(f func(a, b int) int) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		a, err1 := intArg(args, 0)
		b, err2 := intArg(args, 1)
		return f(a, b), errors.Join(err1, err2)
	}
}

func shift(f func(i, n int) int) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		i, err1 := intArg(args, 0)
		n, err2 := intArg(args, 1)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if n < 0 {
			return nil, errors.New("bits are not moved by less than 0 places")
		}
		return f(i, n), nil
	}
}
