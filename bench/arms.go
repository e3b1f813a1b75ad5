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
	return turns(b.rounds, len(arms), func(i int) (T, error) {
		r, err := once(arms[i], measure)
		if err != nil {
			err = fmt.Errorf("%s: %w", arms[i].name, err)
		}
		return r, err
	})
}

// turns takes one result of each of n arms a round. Every round begins with another
// arm, so that what changes while they are measured, such as a processor that gets
// warm, favours none.
func turns[T any](rounds, n int, take func(arm int) (T, error)) ([][]T, error) {
	results := make([][]T, n)
	for round := range rounds {
		for i := range n {
			arm := (round + i) % n
			r, err := take(arm)
			if err != nil {
				return nil, err
			}
			results[arm] = append(results[arm], r)
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
