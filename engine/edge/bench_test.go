package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"pipelined"
	"pipelined/internal/schema"
)

const orderBody = `{"id":"o-1001","placed_at":"2026-03-08T09:30:00Z","customer":{"id":"c-77","email":"ada@example.com","name":"Ada Lovelace"},` +
	`"lines":[{"sku":"A-1","qty":2,"price":19.99},{"sku":"B-2","qty":1,"price":250},{"sku":"C-3","qty":10,"price":3.5},` +
	`{"sku":"D-4","qty":4,"price":12.25},{"sku":"E-5","qty":1,"price":899.0}],` +
	`"shipping":{"speed":"express","country":"DE","city":"Berlin","street":"Unter den Linden 1","zip":"10117","gift":null},` +
	`"channel":"web","currency":"EUR","locale":"de-DE","coupon":"SPRING","comment":"Please pack the glass separately"}`

const orderShape = `{"type":"object","required":["id","lines"],"properties":{"id":{"type":"string","minLength":1},
	"lines":{"type":"array","minItems":1,"items":{"type":"object","required":["sku","qty","price"],
	"properties":{"sku":{"type":"string"},"qty":{"type":"integer","minimum":1},"price":{"type":"number","minimum":0}}}}}}`

// sink is a ResponseWriter that costs nothing itself.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header                  { return s.header }
func (s *sink) WriteHeader(status int)               { s.status = status }
func (s *sink) Write(b []byte) (int, error)          { return len(b), nil }
func (s *sink) WriteString(text string) (int, error) { return len(text), nil }

type bodyReader struct{ bytes.Reader }

func (*bodyReader) Close() error { return nil }

func benchmark(b *testing.B, h http.Handler, target string) {
	u, _ := url.Parse("http://shop.test" + target)
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bench"}, "Accept": {"*/*"}}
	text := []byte(orderBody)
	var body bodyReader
	w := &sink{header: http.Header{}}
	r := &http.Request{Method: "POST", URL: u, Header: header, ContentLength: int64(len(text)), Host: "shop.test", RemoteAddr: "127.0.0.1:5", Body: &body}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(text)
		clear(w.header)
		w.status = 0
		h.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatalf("status %d", w.status)
		}
	}
}

func BenchmarkHandler(b *testing.B) {
	reply := &pipelined.Reply{Body: `{"id":"o-1001","total":1272.98,"lane":"review"}`}
	run := func(context.Context, *Request) (*pipelined.Reply, error) { return reply, nil }
	checked, err := schema.Compile("order.json", []byte(orderShape), nil)
	if err != nil {
		b.Fatal(err)
	}
	static, param, strict := at("POST /orders", run), at("POST /shops/{shop}/orders", run), at("POST /checked", run)
	strict.Schema = checked
	h := newHandler(b, static, param, strict, at("GET /orders/{id}", run), at("GET /orders", run))

	b.Run("static", func(b *testing.B) { benchmark(b, h, "/orders") })
	b.Run("param", func(b *testing.B) { benchmark(b, h, "/shops/s-1/orders") })
	b.Run("schema", func(b *testing.B) { benchmark(b, h, "/checked") })
	// The baselines: what the same edge costs by hand.
	b.Run("bare read and reply", func(b *testing.B) {
		benchmark(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(400)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(200)
			_, _ = io.WriteString(w, reply.Body)
		}), "/orders")
	})
	b.Run("bare decode and reply", func(b *testing.B) {
		benchmark(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var order struct {
				ID    string
				Lines []struct {
					SKU   string
					Qty   int
					Price float64
				}
			}
			if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
				w.WriteHeader(400)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(200)
			_, _ = io.WriteString(w, reply.Body)
		}), "/orders")
	})
}
