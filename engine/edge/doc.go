// Package edge answers HTTP requests with the pipelines of a revision: routing, bodies,
// replies, problem documents, idempotency keys.
//
// A request pins the revision in use before it is routed, and is checked by that
// revision's schema and run by its flow, whatever is loaded meanwhile.
//
//	socket ─► Edge.ServeHTTP (pins) ─► routes ─► body ─► admitted? ─► known key? ─► attempt ─► reply
//	                                                                  │
//	                         respond: accepted ─► one event, durable ─┴─► 202
package edge
