package diag

import "strings"

// Suggest returns the candidate an author most likely meant by word, or "" if
// none is close: at most a third of its letters wrong, and never more than three.
// Of several as close, the first by name.
func Suggest(word string, candidates []string) string {
	best, distance := "", min(3, len(word)/3)+1
	low := []rune(strings.ToLower(word))
	var m edits
	for _, c := range candidates {
		if c == word {
			continue
		}
		d := m.between(low, c, distance)
		if d < distance || d == distance && best != "" && c < best {
			best, distance = c, d
		}
	}
	return best
}

// edits is room to count in, used again for each candidate: a misspelt name may be
// compared with thousands.
type edits struct {
	letters       []rune
	row, one, two []int // of the table: this row and the two above it
}

// between is how many letters must be inserted, removed, replaced or swapped with
// their neighbour to get from a to b, whose case does not matter; more than limit
// where it is more than limit.
func (m *edits) between(a []rune, b string, limit int) int {
	m.letters = m.letters[:0]
	for _, r := range strings.ToLower(b) {
		m.letters = append(m.letters, r)
	}
	x, y := a, m.letters
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if apart := len(x) - len(y); apart > limit || -apart > limit {
		return limit + 1
	}
	for len(m.row) <= len(y) {
		m.row, m.one, m.two = append(m.row, 0), append(m.one, 0), append(m.two, 0)
	}
	for j := range len(y) + 1 {
		m.row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		m.row, m.one, m.two = m.two, m.row, m.one
		m.row[0] = i
		least := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(m.one[j]+1, m.row[j-1]+1, m.one[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, m.two[j-2]+1)
			}
			m.row[j] = d
			least = min(least, d)
		}
		if least > limit+1 { // a swap may still save one
			return limit + 1
		}
	}
	return m.row[len(y)]
}
