package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// baseline runs one of the hand-written servers until it is told to stop.
func baseline(role string) error {
	mux := http.NewServeMux()
	switch role {
	case "s1":
		mux.HandleFunc("POST /orders", handWritten)
	case "s2":
		mux.Handle("POST /orders", newMerging(os.Getenv("BENCH_CRM")))
	case "crm":
		mux.HandleFunc("GET /accounts/{id}", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":%q,"manager":"Ada","credit":25000}`, r.PathValue("id"))
		})
	case "s3":
		j, err := newJournal(filepath.Join(os.Getenv("BENCH_DIR"), fmt.Sprintf("journal-%d", os.Getpid())))
		if err != nil {
			return err
		}
		mux.HandleFunc("POST /orders", j.single)
		mux.HandleFunc("POST /batches", j.batch)
		mux.HandleFunc("GET /sunk", j.count)
	default:
		return errors.New("no baseline called " + role)
	}
	s := &http.Server{Addr: os.Getenv("BENCH_ADDR"), Handler: mux}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() { <-stop; s.Close() }()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type orderLine struct {
	SKU   string  `json:"sku"`
	Name  string  `json:"name"`
	Qty   int     `json:"qty"`
	Price float64 `json:"price"`
}

type orderDocument struct {
	ID       string `json:"id"`
	Customer struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Tier string `json:"tier"`
	} `json:"customer"`
	Lines    []orderLine `json:"lines"`
	Shipping struct {
		Street  string `json:"street"`
		City    string `json:"city"`
		Region  string `json:"region"`
		Zip     string `json:"zip"`
		Country string `json:"country"`
	} `json:"shipping"`
	Note string `json:"note"`
}

type pricedOrder struct {
	ID    string  `json:"id"`
	Total float64 `json:"total"`
	Lane  string  `json:"lane"`
}

func price(o *orderDocument) (pricedOrder, error) {
	if o.ID == "" || len(o.Lines) == 0 {
		return pricedOrder{}, errors.New("id and lines are needed")
	}
	p := pricedOrder{ID: o.ID, Lane: "standard"}
	for _, l := range o.Lines {
		p.Total += float64(l.Qty) * l.Price
	}
	if p.Total > 1000 {
		p.Lane = "priority"
	}
	return p, nil
}

// handWritten is S1 as one would write it: net/http, encoding/json, structs.
func handWritten(w http.ResponseWriter, r *http.Request) {
	var o orderDocument
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, err := price(&o)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p) // the client checks what it gets
}

// merging is S2 as one would write it: the same, with a call to another service.
type merging struct {
	client *http.Client
	crm    string
}

type account struct {
	ID      string `json:"id"`
	Manager string `json:"manager"`
	Credit  int    `json:"credit"`
}

func newMerging(crm string) *merging {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return &merging{&http.Client{Transport: t, Timeout: 5 * time.Second}, crm}
}

func (m *merging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var o orderDocument
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, err := price(&o)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	a, err := m.account(r.Context(), o.Customer.ID)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct { // the client checks what it gets
		pricedOrder
		Account account `json:"account"`
	}{p, a})
}

func (m *merging) account(ctx context.Context, id string) (account, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.crm+"/accounts/"+url.PathEscape(id), nil)
	if err != nil {
		return account{}, err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return account{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return account{}, errors.New(resp.Status)
	}
	var a account
	return a, json.NewDecoder(io.LimitReader(resp.Body, 10<<20)).Decode(&a)
}

// journal is the bare log: everything waiting is appended and synced together.
type journal struct {
	file   *os.File
	queue  chan write
	events chan []byte
	sunk   atomic.Int64
}

type write struct {
	data []byte
	done *sync.WaitGroup
	then func()
}

func newJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, queue: make(chan write, 4096), events: make(chan []byte, 1<<20)}
	go j.write()
	for range 16 {
		go j.consume()
	}
	return j, nil
}

// write groups what waits into one append and one fdatasync.
func (j *journal) write() {
	var buf []byte
	for w := range j.queue {
		group := []write{w}
		for len(group) < 1024 && len(j.queue) > 0 {
			group = append(group, <-j.queue)
		}
		buf = buf[:0]
		for _, w := range group {
			buf = append(append(buf, w.data...), '\n')
		}
		if _, err := j.file.Write(buf); err != nil {
			panic(err)
		}
		if err := syscall.Fdatasync(int(j.file.Fd())); err != nil {
			panic(err)
		}
		for _, w := range group {
			if w.done != nil {
				w.done.Done()
			}
			if w.then != nil {
				w.then()
			}
		}
	}
}

func (j *journal) append(data []byte) {
	var done sync.WaitGroup
	done.Add(1)
	j.queue <- write{data: data, done: &done}
	done.Wait()
}

// consume is the second pipeline: transform, append the result, count.
func (j *journal) consume() {
	for data := range j.events {
		var o orderDocument
		if err := json.Unmarshal(data, &o); err != nil {
			panic(err)
		}
		p, err := price(&o)
		if err != nil {
			panic(err)
		}
		out, err := json.Marshal(p)
		if err != nil {
			panic(err)
		}
		j.queue <- write{data: out, then: func() { j.sunk.Add(1) }}
	}
}

func (j *journal) single(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(data) {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	j.append(data)
	j.events <- data
	w.WriteHeader(http.StatusAccepted)
}

func (j *journal) batch(w http.ResponseWriter, r *http.Request) {
	var in struct{ Orders []json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	var all bytes.Buffer
	for _, o := range in.Orders {
		all.Write(o)
		all.WriteByte('\n')
	}
	j.append(all.Bytes())
	for _, o := range in.Orders {
		j.events <- o
	}
	w.WriteHeader(http.StatusAccepted)
}

func (j *journal) count(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "sunk %d\n", j.sunk.Load())
}
