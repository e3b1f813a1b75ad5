package rest

import "net/url"

// Params are parameters for a url, without the decoder's defaults.
func Params(u string) any { return &params{Method: "GET", URL: u} }

// Below is where a path below a base leads.
func Below(base, path string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u, err := below(b, path)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// StatusesIn are the bounds of the ranges of a list.
func StatusesIn(text string) []int {
	s, _ := parseStatuses(text)
	var out []int
	for _, r := range s {
		out = append(out, r.from, r.to)
	}
	return out
}
