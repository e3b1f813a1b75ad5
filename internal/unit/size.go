package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizes are the units of a size, the longest names first.
var sizes = [...]struct {
	name  string
	shift uint
}{{"GB", 30}, {"MB", 20}, {"KB", 10}, {"B", 0}}

// Size reads a number of bytes: 500B, 64KB, 10MB, 1GB; 1KB is 1024 bytes. A number alone
// is bytes.
func Size(text string) (int64, error) {
	s := strings.TrimSpace(text)
	shift := uint(0)
	for _, u := range sizes {
		if before, ok := strings.CutSuffix(s, u.name); ok {
			s, shift = strings.TrimRight(before, " "), u.shift
			break
		}
	}
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a size: write 500B, 64KB, 10MB or 1GB", text)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is too large for a size", text)
	}
	return n << shift, nil
}
