package broker

import (
	"context"
	"time"

	"pipelined/internal/store"
)

// Config is what a subscription wants. Its functions are called from one
// goroutine at a time and must not call the broker.
type Config struct {
	Name        string
	Matches     func(typ string) bool
	Where       func(*store.StoredEvent) (bool, error)   // nil: every event of a matching type
	OrderKey    func(*store.StoredEvent) (string, error) // nil: no order; an empty key has none either
	Tenant      func(*store.StoredEvent) (string, error) // nil: all are one
	Concurrency int                                      // at least 1
	Skip        bool                                     // while_waiting: skip
	Owed        bool                                     // Broker.Owed will be asked
	From        int64                                    // where a new subscription begins: 0 the beginning, -1 now
	// Handle runs one delivery. It returns when the delivery needs its place no
	// longer: the batch is submitted, not necessarily durable.
	Handle func(context.Context, *Delivery)
	// Filtered is told of every event of a matching type that where kept out.
	Filtered func(*store.StoredEvent)
}

const (
	// queueLimit is how many deliveries a subscription keeps in memory.
	queueLimit = 4096
	// readBatch is how many events are read from the log at a time.
	readBatch = 512
	// refusedWait is how long a delivery waits whose commit was refused.
	refusedWait = 250 * time.Millisecond
	// maxRefusedWait bounds the wait while commits go on being refused.
	maxRefusedWait = 10 * time.Second
)
