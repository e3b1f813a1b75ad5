package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"pipelined/connectors"
	"pipelined/connectors/rest"
)

const order = `{"id":"o-1","customer":"c-1","lines":[{"sku":"a","qty":2,"price":9.90},{"sku":"b","qty":1,"price":120.00}],"shipping":{"city":"Recife"}}`

func newService(b *testing.B) *httptest.Server {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, order)
	}))
	b.Cleanup(s.Close)
	return s
}

func BenchmarkCall(b *testing.B) {
	s := newService(b)
	c, err := rest.Connector.Open(context.Background(), nil, connectors.Env{})
	if err != nil {
		b.Fatal(err)
	}
	p := rest.Params(s.URL + "/orders/o-1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rest.Connector.Operations[0].Call(context.Background(), c, p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNetHTTP is the same by hand, to compare with.
func BenchmarkNetHTTP(b *testing.B) {
	s := newService(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.URL+"/orders/o-1", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := s.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}
