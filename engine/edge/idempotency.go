package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// idempotencyCollection holds the answers that were given to requests with a key.
// Authors cannot name it.
const idempotencyCollection = "_idempotency"

// keyed is a request with an idempotency key.
type keyed struct {
	id      string // of the stored answer
	print   string // of what was asked
	expires time.Time
}

// storedAnswer is what was answered, kept with the effects in one commit.
type storedAnswer struct {
	Print   string            `json:"print"`
	None    bool              `json:"none,omitempty"` // the pipeline responded nothing
	Status  int               `json:"status,omitempty"`
	Type    string            `json:"type,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Run     string            `json:"run"`
}

// keysInUse are the keys of requests that run now.
type keysInUse struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (k *keysInUse) claim(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[id] {
		return false
	}
	if k.keys == nil {
		k.keys = map[string]bool{}
	}
	k.keys[id] = true
	return true
}

func (k *keysInUse) free(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, id)
}

// known looks a request's key up. It returns the key, nil if the request has none,
// and the answer that was given before, if there is one. The key is claimed until
// free is called.
func (e *Edge) known(ctx context.Context, pipeline string, plan *triggers.Idempotency, r *Request) (k *keyed, before *pipelined.Reply, free func(), err error) {
	free = func() {}
	key, p := keyOf(plan, r.Header)
	if p != nil || key == "" {
		return nil, nil, free, problemOrNil(p)
	}
	print, err := fingerprint(r)
	if err != nil {
		return nil, nil, free, err
	}
	k = &keyed{id: pipeline + "/" + key, print: print, expires: e.Runner.Clock.Now().Add(plan.TTL)}
	if !e.keys.claim(k.id) {
		p := pipelined.NewProblem(pipelined.TypeKeyRunning, "The first request with this key still runs", http.StatusConflict, "repeat the request when it has been answered").Transient()
		p.RetryAfter = time.Second
		return nil, nil, free, p
	}
	id := k.id
	free = func() { e.keys.free(id) }
	before, err = e.stored(ctx, k, r)
	return k, before, free, err
}

// stored is the answer that was given to the first request with a key; nil if there was
// none.
func (e *Edge) stored(ctx context.Context, k *keyed, r *Request) (*pipelined.Reply, error) {
	doc, err := e.Runner.Store.Get(ctx, idempotencyCollection, k.id)
	if err != nil || doc == nil {
		return nil, err
	}
	var a storedAnswer
	if err := json.Unmarshal([]byte(doc.Body), &a); err != nil {
		return nil, fmt.Errorf("read the answer stored for a key: %w", err)
	}
	if a.Print != k.print {
		return nil, pipelined.NewProblem(pipelined.TypeKeyReused, "The key was used for another request", http.StatusUnprocessableEntity,
			"method, path, query and body must be those of the first request with this key")
	}
	r.RunID = a.Run
	return a.reply(), nil
}

// takenBy reports whether a commit did not happen because somebody else has stored an
// answer for the key.
func (k *keyed) takenBy(err error) bool {
	var c *store.ConflictError
	return errors.As(err, &c) && c.Collection == idempotencyCollection && c.ID == k.id
}

func problemOrNil(p *pipelined.Problem) error {
	if p == nil {
		return nil
	}
	return p
}

// reply is the stored answer, marked as such.
func (a *storedAnswer) reply() *pipelined.Reply {
	reply := &pipelined.Reply{Status: a.Status, ContentType: a.Type, Body: a.Body, Headers: map[string]string{"Idempotency-Replayed": "true"}}
	if a.None {
		reply.Status = http.StatusNoContent
	}
	for name, text := range a.Headers {
		reply.Headers[name] = text
	}
	return reply
}

// write is the write that stores an answer. Another one in its place means that somebody
// else has answered the key (see takenBy).
func (k *keyed) write(reply *pipelined.Reply, run string) (store.Write, error) {
	a := storedAnswer{Print: k.print, Run: run, None: reply == nil}
	if reply != nil {
		a.Status, a.Type, a.Headers, a.Body = reply.Status, reply.ContentType, reply.Headers, reply.Body
	}
	text, err := json.Marshal(a)
	if err != nil {
		return store.Write{}, fmt.Errorf("store the answer for a key: %w", err)
	}
	return store.Write{Kind: store.Insert, Collection: idempotencyCollection, ID: k.id, Document: string(text), Expires: k.expires}, nil
}

// maxKey bounds a key, in characters.
const maxKey = 255

// keyOf reads the key: a text as RFC 8941 has it, in quotes, or any other without.
func keyOf(plan *triggers.Idempotency, header http.Header) (string, *pipelined.Problem) {
	values := header[plan.Header]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		if plan.Required {
			return "", pipelined.NewProblem(pipelined.TypeKeyMissing, "The request needs a key", http.StatusBadRequest,
				fmt.Sprintf("send the header %s with a text of your own that is new for each request, such as a UUID, and the same when you repeat one", plan.Header))
		}
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(key[1 : n-1])
	}
	bad := strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if len(values) > 1 || key == "" || len(key) > maxKey || bad {
		return "", pipelined.NewProblem(pipelined.TypeInput, "The key cannot be used", http.StatusBadRequest,
			fmt.Sprintf("%s must be one text of 1 to %d printable ASCII characters", plan.Header, maxKey))
	}
	return key, nil
}

// fingerprint tells requests apart by what they ask for.
func fingerprint(r *Request) (string, error) {
	body, err := value.JSON(r.Input)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s", r.Method, r.Path, r.Query.Encode(), body)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// storable reports whether an outcome is an answer to be repeated: what failed left
// no effects, and the caller may try again.
func storable(o *attempt.Outcome) bool {
	return o.Problem == nil || o.Reply != nil && o.Reply.Status < 500
}
