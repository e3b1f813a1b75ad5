package main

import "fmt"

// arm is one of the things a scenario compares.
type arm struct {
	name  string
	start func() (*server, error)
}

// alternate measures every arm in turn, as often as there are rounds. The first
// round of each process is a warm-up of measure's own.
func alternate[T any](b settings, arms []arm, measure func(*server) (T, error)) ([][]T, error) {
	results := make([][]T, len(arms))
	for range b.rounds {
		for i, a := range arms {
			r, err := once(a, measure)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.name, err)
			}
			results[i] = append(results[i], r)
		}
	}
	return results, nil
}

func once[T any](a arm, measure func(*server) (T, error)) (T, error) {
	s, err := a.start()
	if err != nil {
		var none T
		return none, err
	}
	defer s.stop()
	r, err := measure(s)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.log.String())
	}
	return r, err
}
