package broker

// ready is what may run now: first in, first out per tenant, tenants in turn.
type ready struct {
	turns []string // tenants with something waiting, next one first
	queue map[string]*fifo
	size  int
}

func (r *ready) push(d *Delivery) { r.tenant(d.tenant).push(d); r.size++ }

func (r *ready) pushFront(d *Delivery) { r.tenant(d.tenant).pushFront(d); r.size++ }

// tenant returns the tenant's queue, giving it a turn if it had none.
func (r *ready) tenant(name string) *fifo {
	if r.queue == nil {
		r.queue = map[string]*fifo{}
	}
	q := r.queue[name]
	if q == nil {
		q = &fifo{}
		r.queue[name] = q
		r.turns = append(r.turns, name)
	}
	return q
}

// pop takes the next delivery of the tenant whose turn it is; nil if none.
func (r *ready) pop() *Delivery {
	if r.size == 0 {
		return nil
	}
	name := r.turns[0]
	q := r.queue[name]
	d := q.pop()
	r.size--
	if len(r.turns) == 1 && q.len() > 0 {
		return d
	}
	r.turns = r.turns[1:]
	if q.len() > 0 {
		r.turns = append(r.turns, name)
	} else {
		delete(r.queue, name)
	}
	return d
}

// fifo is a queue that reuses its memory.
type fifo struct {
	items []*Delivery
	head  int
}

func (q *fifo) len() int { return len(q.items) - q.head }

func (q *fifo) push(d *Delivery) {
	if q.head > 64 && q.head*2 > len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, d)
}

func (q *fifo) pushFront(d *Delivery) {
	if q.head > 0 {
		q.head--
		q.items[q.head] = d
		return
	}
	q.items = append([]*Delivery{d}, q.items...)
}

func (q *fifo) pop() *Delivery {
	if q.len() == 0 {
		return nil
	}
	d := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return d
}
