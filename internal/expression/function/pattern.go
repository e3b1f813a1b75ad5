package function

import (
	"errors"
	"fmt"
	"regexp"
)

// maxPattern bounds a pattern. RE2 takes linear time whatever the pattern is.
const maxPattern = 1000

// Pattern compiles an RE2 pattern of at most 1000 characters.
func Pattern(s string) (*regexp.Regexp, error) {
	if len(s) > maxPattern {
		return nil, fmt.Errorf("a pattern of more than %d characters", maxPattern)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("not a pattern: %w", err)
	}
	return re, nil
}

// withPattern returns the texts and the pattern, which is the second argument and
// compiled already if it was known at load.
func withPattern(args []any, n int) ([]string, *regexp.Regexp, error) {
	re, compiled := args[1].(*regexp.Regexp)
	if !compiled {
		s, err := textArg(args, 1)
		if err != nil {
			return nil, nil, err
		}
		if re, err = Pattern(s); err != nil {
			return nil, nil, ErrPattern
		}
	}
	rest := append([]any{args[0], ""}, args[2:n]...)
	s, err := texts(rest, n)
	return s, re, err
}

// ErrPattern: a text that is no pattern stands where one is needed.
var ErrPattern = errors.New("the text is not a pattern, or too long for one")

func replaceRegex(args ...any) (any, error) {
	s, re, err := withPattern(args, 3)
	if err != nil {
		return nil, err
	}
	var out []byte
	end := 0
	for _, at := range re.FindAllStringSubmatchIndex(s[0], -1) {
		out = append(out, s[0][end:at[0]]...)
		out = re.ExpandString(out, s[2], s[0], at)
		if end = at[1]; len(out) > MaxText {
			return nil, errTooMuch
		}
	}
	return string(append(out, s[0][end:]...)), nil
}

func matchAll(args ...any) (any, error) {
	s, re, err := withPattern(args, 2)
	if err != nil {
		return nil, err
	}
	return anyList(re.FindAllString(s[0], -1)), nil
}

func matchGroups(args ...any) (any, error) {
	s, re, err := withPattern(args, 2)
	if err != nil {
		return nil, err
	}
	if m := re.FindStringSubmatch(s[0]); m != nil {
		return anyList(m), nil
	}
	return nil, nil
}

func splitRegex(args ...any) (any, error) {
	s, re, err := withPattern(args, 2)
	if err != nil {
		return nil, err
	}
	return anyList(re.Split(s[0], -1)), nil
}
