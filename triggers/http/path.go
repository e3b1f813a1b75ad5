package http

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pipelined/internal/diag"
	"pipelined/internal/unit"
	"pipelined/triggers"
)

// RestParam is the parameter that holds what a * at the end of a path takes.
const RestParam = "rest"

// pathError is why a path cannot be routed, and what to write instead.
type pathError struct {
	code         diag.Code
	summary, fix string
}

// piece is a part of a path: text, a parameter, or the rest.
type piece struct {
	text    string // of a text
	name    string // of a parameter, and of the rest
	pattern string // of a parameter; empty: any
	rest    bool   // the last *
}

// parsePath finds everything the router would panic on, overwrite or never match.
func parsePath(path string) ([]piece, *pathError) {
	if err := checkWhole(path); err != nil {
		return nil, err
	}
	pieces, err := splitPath(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for i, p := range pieces {
		if p.name == "" {
			if err := checkText(p.text); err != nil {
				return nil, err
			}
			continue
		}
		if slices.Contains(names, p.name) {
			return nil, &pathError{codeParam, fmt.Sprintf("parameter %s occurs twice", p.name), "give each parameter a name of its own"}
		}
		names = append(names, p.name)
		if i > 0 && pieces[i-1].name != "" {
			return nil, &pathError{codeParam, fmt.Sprintf("nothing separates %s from the parameter before it", p.name), "put a / or another text between two parameters"}
		}
	}
	return pieces, nil
}

func checkWhole(path string) *pathError {
	switch {
	case !strings.HasPrefix(path, "/"):
		return &pathError{codePath, fmt.Sprintf("path %q does not begin with /", path), "write /" + path}
	case path != "/" && strings.HasSuffix(path, "/"):
		return &pathError{codePath, fmt.Sprintf("path %q ends with /", path), "remove the last /: a request may have one all the same"}
	}
	return nil
}

// checkText looks at what stands between parameters.
func checkText(text string) *pathError {
	bad := func(summary, fix string) *pathError { return &pathError{codePath, summary, fix} }
	switch {
	case strings.ContainsAny(text, "?#"):
		return bad("a path ends before ? and #", "read the query from request.query instead")
	case strings.Contains(text, "%"):
		return bad("a path is written without %", "write the characters as they are, also spaces and umlauts")
	case strings.Contains(text, "}"):
		return bad("a } has no { before it", "write a parameter as {name}")
	case strings.Contains(text, "*"):
		return bad("a * is not the last segment", "use * only as the whole last segment, such as /files/*, and {name} elsewhere")
	case strings.Contains(text, "//"):
		return bad("a path has an empty segment", "write one / instead of //")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return bad("a path has a character that no request can have", "use letters, digits and / - _ . ~")
	}
	for segment := range strings.SplitSeq(text, "/") {
		if segment == "." || segment == ".." {
			return bad("a path has a segment "+segment, "write the path without it: callers resolve such segments themselves")
		}
	}
	return nil
}

// splitPath cuts a path at its parameters.
func splitPath(path string) ([]piece, *pathError) {
	before, rest := strings.CutSuffix(path, "/*")
	if !rest {
		return splitParams(path)
	}
	out, err := splitParams(before + "/")
	return append(out, piece{name: RestParam, rest: true}), err
}

func splitParams(path string) ([]piece, *pathError) {
	var out []piece
	for path != "" {
		open := strings.IndexByte(path, '{')
		if open < 0 {
			return append(out, piece{text: path}), nil
		}
		if open > 0 {
			out = append(out, piece{text: path[:open]})
		}
		length := closing(path[open:])
		if length < 0 {
			return nil, &pathError{codeParam, "a { has no } after it", "write a parameter as {name}"}
		}
		p, err := parameter(path[open+1 : open+length])
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		path = path[open+length+1:]
	}
	return out, nil
}

// closing returns where the { at the start of text is closed.
func closing(text string) int {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func parameter(text string) (piece, *pathError) {
	name, pattern, restricted := strings.Cut(text, ":")
	if !unit.IsName(name) {
		return piece{}, &pathError{codeParam, fmt.Sprintf("%q is not a name of a parameter", name), "begin with a small letter and use small letters, digits and _, such as {order_id}"}
	}
	if !restricted {
		return piece{name: name}, nil
	}
	bad := func(why string) (piece, *pathError) {
		return piece{}, &pathError{codeParam, fmt.Sprintf("the pattern of %s cannot be used: %s", name, why), "write a regular expression for one segment, such as {id:[0-9]+}, or only {" + name + "}"}
	}
	if pattern == "" {
		return bad("it is empty")
	}
	if strings.Contains(pattern, "/") {
		return bad("it has a /, and a parameter is inside one segment")
	}
	if _, err := regexp.Compile(pattern); err != nil { // on its own, so that a stray ) does not meet the group's
		return bad(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return piece{name: name, pattern: pattern}, nil
}

// group makes the anchors the router puts around a pattern hold for all of its
// alternatives.
func group(pattern string) string { return "(?:" + pattern + ")" }

// routerPattern writes a path for the router.
func routerPattern(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		switch {
		case p.name == "":
			b.WriteString(p.text)
		case p.rest:
			b.WriteString("*")
		case p.pattern == "":
			b.WriteString("{" + p.name + "}")
		default:
			b.WriteString("{" + p.name + ":" + group(p.pattern) + "}")
		}
	}
	return b.String()
}

// Pattern is a path as chi has it; an error says why it cannot be routed.
func Pattern(path string) (string, error) {
	pieces, bad := parsePath(path)
	if bad != nil {
		return "", errors.New(bad.summary)
	}
	return routerPattern(pieces), nil
}

// Requests names what a route answers. It is the same for two routes that would
// answer the same requests: same method, and paths that differ in nothing but the
// names of parameters.
func Requests(r *triggers.Route) string { return r.Method + " " + shape(r.Path) }

// shape is a path without the names of its parameters; a path that cannot be
// routed is its own shape.
func shape(path string) string {
	pieces, err := parsePath(path)
	if err != nil {
		return path
	}
	var b strings.Builder
	for _, p := range pieces {
		switch {
		case p.name == "":
			b.WriteString(p.text)
		case p.rest:
			b.WriteString("*")
		default:
			b.WriteString("{" + p.pattern + "}")
		}
	}
	return b.String()
}

// NotToken reports what may not be in the name of a header (RFC 9110, section 5.1).
func NotToken(r rune) bool {
	alnum := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	return !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
