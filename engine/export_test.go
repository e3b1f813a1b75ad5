package engine

import "context"

// Dispatch hands what is published to the subscriptions, and runs nothing.
func (e *Engine) Dispatch(ctx context.Context) error {
	_, err := e.broker.Dispatch(ctx)
	return err
}

// RunSome runs at most n deliveries, one after the other.
func (e *Engine) RunSome(ctx context.Context, n int) (ran int, err error) {
	for ; ran < n; ran++ {
		d := e.broker.Take()
		if d == nil {
			if err := e.Dispatch(ctx); err != nil {
				return ran, err
			}
			if d = e.broker.Take(); d == nil {
				return ran, nil
			}
		}
		e.broker.Handle(e.work, d)
		e.consumer.Wait()
	}
	return ran, nil
}
