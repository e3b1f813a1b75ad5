// Package all is the list of connectors in the binary, and nothing else.
package all

import (
	"pipelined/connectors"
	"pipelined/connectors/csv"
	"pipelined/connectors/db"
	"pipelined/connectors/json"
	"pipelined/connectors/rest"
	"pipelined/connectors/validate"
)

// Set returns every connector.
func Set() *connectors.Set {
	return connectors.NewSet(csv.Connector, db.Connector, json.Connector, rest.Connector, validate.Connector)
}
