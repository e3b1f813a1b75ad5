// Package all is the list of the triggers in the binary.
package all

import (
	"pipelined/triggers"
	"pipelined/triggers/cron"
	failure "pipelined/triggers/error"
	"pipelined/triggers/event"
	"pipelined/triggers/file"
	"pipelined/triggers/http"
)

// Set returns every trigger there is.
func Set() *triggers.Set {
	return triggers.NewSet(cron.Trigger, failure.Trigger, event.Trigger, file.Trigger, http.Trigger)
}
