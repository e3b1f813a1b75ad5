package value

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// JSON writes a value as a document.
func JSON(v any) (Raw, error) {
	if r, ok := v.(Raw); ok && r != "" {
		return r, nil
	}
	b, err := Append(make([]byte, 0, 128), v)
	return Raw(b), err
}

// Append appends a value as JSON. Raw goes out as it is (I9); maps are sorted by
// key. What JSON cannot say (NaN, infinities, a stream) is an error.
func Append(dst []byte, v any) ([]byte, error) {
	switch t := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case Raw:
		if t == "" {
			return append(dst, "null"...), nil
		}
		return append(dst, t...), nil
	case string:
		return appendString(dst, t), nil
	case bool:
		return strconv.AppendBool(dst, t), nil
	case int:
		return strconv.AppendInt(dst, int64(t), 10), nil
	case int64:
		return strconv.AppendInt(dst, t, 10), nil
	case float64:
		return appendFloat(dst, t)
	case map[string]any:
		return appendMap(dst, t)
	case []any:
		return appendList(dst, t)
	case time.Time:
		return appendString(dst, FormatTime(t)), nil
	case time.Duration:
		return appendString(dst, t.String()), nil
	case []byte:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, t)
		return append(dst, '"'), nil
	}
	return appendOther(dst, v)
}

// appendOther handles the types that are rare on the way through a pipeline.
func appendOther(dst []byte, v any) ([]byte, error) {
	switch t := v.(type) {
	case Stream:
		return dst, fmt.Errorf("a stream has no JSON form: consume it with foreach")
	case int8:
		return strconv.AppendInt(dst, int64(t), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(t), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(t), 10), nil
	case uint:
		return strconv.AppendUint(dst, uint64(t), 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(t), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(t), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(t), 10), nil
	case uint64:
		return strconv.AppendUint(dst, t, 10), nil
	case float32:
		return appendFloat(dst, shortest(t))
	case []string:
		return appendEach(dst, t)
	case []int:
		return appendEach(dst, t)
	case []float64:
		return appendEach(dst, t)
	case []map[string]any:
		return appendEach(dst, t)
	case []Raw:
		return appendEach(dst, t)
	case map[string]string:
		m := make(map[string]any, len(t))
		for k, e := range t {
			m[k] = e
		}
		return appendMap(dst, m)
	case json.Number:
		return append(dst, t...), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("a %T has no JSON form: %w", v, err)
	}
	return append(dst, b...), nil
}

func appendMap(dst []byte, m map[string]any) ([]byte, error) {
	keys := slices.Sorted(maps.Keys(m))
	dst = append(dst, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, k), ':')
		if dst, err = Append(dst, m[k]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendList(dst []byte, list []any) ([]byte, error) { return appendEach(dst, list) }

func appendEach[T any](dst []byte, list []T) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = Append(dst, e); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendFloat writes the shortest text that reads back the same, without an
// exponent for the sizes people write without one, as browsers do.
func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%v is not a JSON number", f)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
			dst = append(dst[:n-2], dst[n-1]) // 1e-07 is 1e-7
		}
		return dst, nil
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
}

// shortest is the float64 a person means by a float32: 0.1, not 0.10000000149.
func shortest(f float32) float64 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return d
}

const hex = "0123456789abcdef"

// appendString quotes s. HTML is left alone; what is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + n
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// Quote returns s as a JSON string.
func Quote(s string) Raw { return Raw(appendString(make([]byte, 0, len(s)+2), s)) }

// FormatTime is how times are written: RFC 3339 in UTC, fractions only as far as
// they go.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Text is what putting a value into a text inserts: texts bare, numbers as they
// came, null as nothing, everything else as JSON.
func Text(v any) (string, error) {
	if r, ok := v.(Raw); ok && r != "" && (r[0] == '-' || r[0] >= '0' && r[0] <= '9') {
		return string(r), nil
	}
	switch t := Scalar(v).(type) {
	case nil:
		return "", nil
	case string:
		return t, nil
	case Raw:
		return string(t), nil
	case time.Time:
		return FormatTime(t), nil
	case time.Duration:
		return t.String(), nil
	case []byte:
		return string(t), nil
	default:
		r, err := JSON(t)
		return string(r), err
	}
}
