package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Error says what is wrong with a schema and where.
type Error struct {
	File    string // relative to the project folder
	Pointer string // JSON pointer into the file; empty where the place is Line and Column
	Line    int    // 1-based; 0 where the place is Pointer
	Column  int
	Message string
}

func (e *Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	case e.Pointer != "":
		return e.File + "#" + e.Pointer + ": " + e.Message
	}
	return e.File + ": " + e.Message
}

// Compile compiles doc, the content of the file name, a slash-separated path
// relative to the project folder. A relative $ref is resolved against that path
// and read through read; read may be nil where no other file may be named. Every
// error holds an *Error.
func Compile(name string, doc []byte, read func(path string) ([]byte, error)) (*Schema, error) {
	l := &loader{read: read, docs: map[string]any{}}
	root, err := l.parse(name, doc)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(l)
	at := fileURL(name)
	if err := c.AddResource(at, root); err != nil {
		return nil, l.explain(name, err)
	}
	full, err := c.Compile(at)
	if err != nil {
		return nil, l.explain(name, err)
	}
	return &Schema{name: name, full: full, quick: compileQuick(full), shaped: typeOf(full)}, nil
}

// loader reads the files a schema refers to; it is used at compile time only.
type loader struct {
	read func(path string) ([]byte, error)
	docs map[string]any // by path, for pointing at the $ref that led nowhere
}

var errNetwork = errors.New("schemas are never fetched from a network: save the file in the project and refer to it by its relative path")

// Load implements jsonschema.URLLoader.
func (l *loader) Load(at string) (any, error) {
	path, local := filePath(at)
	if !local {
		return nil, errNetwork
	}
	if l.read == nil {
		return nil, errors.New("no other file may be referred to here")
	}
	text, err := l.read(path)
	if err != nil {
		return nil, err
	}
	return l.parse(path, text)
}

func (l *loader) parse(path string, text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc any
	err := d.Decode(&doc)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more text after the end of the schema")
		}
	}
	if err != nil {
		line, column := place(text, errorOffset(err, d.InputOffset(), int64(len(text))))
		return nil, &Error{File: path, Line: line, Column: column, Message: "not valid JSON: " + err.Error()}
	}
	switch doc.(type) {
	case map[string]any, bool:
	default:
		return nil, &Error{File: path, Message: "a schema is a JSON object, or true or false"}
	}
	l.docs[path] = doc
	return doc, nil
}

func errorOffset(err error, fallback, end int64) int64 {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return syntax.Offset - 1
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return end
	}
	return fallback
}

// place turns a byte offset into a line and a column, both from 1.
func place(text []byte, offset int64) (line, column int) {
	before := text[:min(max(offset, 0), int64(len(text)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	start := bytes.LastIndexByte(before, '\n') + 1
	return line, 1 + len([]rune(string(before[start:])))
}

func fileURL(name string) string {
	return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(name, "/")}).String()
}

// filePath is the reverse of fileURL; local is false for any other kind of URL.
func filePath(at string) (path string, local bool) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "file" || u.Host != "" {
		return "", false
	}
	return strings.TrimPrefix(u.Path, "/"), true
}

// explain turns the library's errors into ours: file, pointer, what and why.
func (l *loader) explain(name string, err error) error {
	var (
		own      *Error
		load     *jsonschema.LoadURLError
		invalid  *jsonschema.SchemaValidationError
		pointer  *jsonschema.JSONPointerNotFoundError
		anchor   *jsonschema.AnchorNotFoundError
		regex    *jsonschema.InvalidRegexError
		twice    *jsonschema.DuplicateAnchorError
		instance *jsonschema.ValidationError
	)
	switch {
	case errors.As(err, &load):
		if errors.As(load.Err, &own) {
			return own // the file is there, but is not JSON
		}
		return l.unloadable(name, load)
	case errors.As(err, &invalid) && errors.As(invalid.Err, &instance):
		file, _ := filePath(beforeHash(invalid.URL))
		first := violations(instance)[0]
		return &Error{File: file, Pointer: first.Pointer, Message: first.Message}
	case errors.As(err, &pointer):
		return l.dangling(name, pointer.URL, "the $ref points at nothing")
	case errors.As(err, &anchor):
		return l.dangling(name, anchor.Reference, "the $ref names an anchor that does not exist")
	case errors.As(err, &regex):
		file, _ := filePath(beforeHash(regex.URL))
		_, at, _ := strings.Cut(regex.URL, "#")
		return &Error{File: file, Pointer: unescape(at), Message: fmt.Sprintf("%q is not a regular expression that can be used here: %v", regex.Regex, regex.Err)}
	case errors.As(err, &twice):
		file, _ := filePath(twice.URL)
		first, second := min(twice.Ptr1, twice.Ptr2), max(twice.Ptr1, twice.Ptr2) // the library's order is a map's
		return &Error{File: file, Pointer: second + "/$anchor", Message: fmt.Sprintf("the anchor %s is given at %s already", twice.Anchor, first)}
	}
	return &Error{File: name, Message: tidy(err.Error())}
}

// unloadable explains a $ref, $schema or $id that leads outside or to a file
// that cannot be read.
func (l *loader) unloadable(name string, e *jsonschema.LoadURLError) error {
	what := e.URL
	if path, local := filePath(e.URL); local {
		what = path
	}
	file, at := l.findRef(name, what)
	return &Error{File: file, Pointer: at, Message: fmt.Sprintf("cannot use %s: %v", what, e.Err)}
}

func (l *loader) dangling(name, target, message string) error {
	file, at := l.findRef(name, tidy(target))
	return &Error{File: file, Pointer: at, Message: message + ": " + tidy(target)}
}

// findRef looks for the reference that led to target. The library does not say
// which one it was, so this compares the ends: a $ref is the tail of the place it
// leads to.
func (l *loader) findRef(name, target string) (file, pointer string) {
	files := make([]string, 0, len(l.docs))
	for f := range l.docs {
		files = append(files, f)
	}
	slices.Sort(files)
	for _, f := range files {
		if p, ok := refTo(l.docs[f], target, ""); ok {
			return f, p
		}
	}
	return name, ""
}

func refTo(node any, target, at string) (string, bool) {
	switch n := node.(type) {
	case map[string]any:
		for _, key := range sortedKeys(n) {
			here := at + "/" + escapePointer(key)
			if ref, ok := n[key].(string); ok && (key == "$ref" || key == "$dynamicRef" || key == "$schema") {
				if leadsTo(ref, target) {
					return here, true
				}
				continue
			}
			if key == "const" || key == "enum" || key == "default" || key == "examples" {
				continue // values, not schemas
			}
			if p, ok := refTo(n[key], target, here); ok {
				return p, true
			}
		}
	case []any:
		for i, item := range n {
			if p, ok := refTo(item, target, fmt.Sprintf("%s/%d", at, i)); ok {
				return p, true
			}
		}
	}
	return "", false
}

func leadsTo(ref, target string) bool {
	if !strings.Contains(target, "#") {
		ref = beforeHash(ref)
	}
	for strings.HasPrefix(ref, "../") || strings.HasPrefix(ref, "./") {
		_, ref, _ = strings.Cut(ref, "/")
	}
	return ref != "" && strings.HasSuffix(target, ref)
}

func beforeHash(at string) string {
	before, _, _ := strings.Cut(at, "#")
	return before
}

// tidy removes the scheme under which the library knows the project's files.
func tidy(text string) string { return strings.ReplaceAll(unescape(text), "file:///", "") }

func unescape(at string) string {
	if plain, err := url.PathUnescape(at); err == nil {
		return plain
	}
	return at
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
