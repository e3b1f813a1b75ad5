package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine"
	"pipelined/engine/attempt"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
	"pipelined/triggers"
)

// ErrorQuery selects error records: those of on_failure and reprocess, and the dead
// letters, which nothing handled.
type ErrorQuery struct {
	IDs        []string      `json:"ids,omitempty"`        // only these
	Collection string        `json:"collection,omitempty"` // empty: all that hold error records
	Pipeline   string        `json:"pipeline,omitempty"`
	Status     string        `json:"status,omitempty"`
	Where      string        `json:"where,omitempty"` // expression over doc
	Since      time.Duration `json:"since,omitempty"` // failed at most so long ago, in nanoseconds
	Limit      int           `json:"limit,omitempty"` // 0: 50 for a list, no limit for a change
}

// Failure is one error record.
type Failure struct {
	Collection string          `json:"collection"`
	ID         string          `json:"id"`
	Pipeline   string          `json:"pipeline"`
	Step       string          `json:"step"`
	Status     string          `json:"status"`
	Attempts   int             `json:"attempts"`
	FailedAt   time.Time       `json:"failed_at"` // the last time
	Error      string          `json:"error"`
	Record     json.RawMessage `json:"record"` // the whole document, redacted
}

// Aging is how a collection of error records stands.
type Aging struct {
	Collection string         `json:"collection"`
	ByStatus   map[string]int `json:"by_status"`
	// Oldest is when the oldest record failed first that waits for something to
	// happen: pending, reprocessing or exhausted; zero if none does.
	Oldest time.Time `json:"oldest,omitzero"`
}

// Failures is the answer to an ErrorQuery: the newest first.
type Failures struct {
	Records []Failure `json:"records"`
	Total   int       `json:"total"` // that match, without limit
	Aging   []Aging   `json:"aging"` // of every collection asked for, whatever else was asked
}

// ErrorCollections are the collections that hold error records.
func (s *Service) ErrorCollections() []string {
	names := map[string]bool{engine.DeadLetters: true}
	for _, p := range s.Program.Pipelines {
		if p.OnFailure != nil {
			names[p.OnFailure.Collection] = true
		}
		for _, r := range p.Facts.Reprocesses {
			names[r.Collection] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Errors lists error records and tells how old the open ones are.
func (s *Service) Errors(ctx context.Context, q ErrorQuery) (*Failures, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	out := &Failures{Records: []Failure{}, Aging: []Aging{}}
	err := s.eachError(ctx, q, func(f Failure, matches bool) error {
		if n := len(out.Aging); n == 0 || out.Aging[n-1].Collection != f.Collection {
			out.Aging = append(out.Aging, Aging{Collection: f.Collection, ByStatus: map[string]int{}})
		}
		a := &out.Aging[len(out.Aging)-1]
		a.ByStatus[f.Status]++
		if first := firstFailed(f); open(f.Status) && (a.Oldest.IsZero() || first.Before(a.Oldest)) {
			a.Oldest = first
		}
		if matches {
			out.Total++
			out.Records = append(out.Records, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out.Records, func(a, b Failure) int { return b.FailedAt.Compare(a.FailedAt) })
	out.Records = out.Records[:min(len(out.Records), q.Limit)]
	for i := range out.Records {
		out.Records[i].Record = json.RawMessage(value.Redact(value.Raw(out.Records[i].Record), s.Program.Redaction))
	}
	return out, nil
}

// open reports whether a record of that status waits for something to happen.
func open(status string) bool {
	return status != string(objectstore.Resolved) && status != string(objectstore.Discarded)
}

func firstFailed(f Failure) time.Time {
	if at := timeAt(value.Raw(f.Record), "first_failed_at"); !at.IsZero() {
		return at
	}
	return f.FailedAt
}

// eachError visits the error records of the collections asked for.
func (s *Service) eachError(ctx context.Context, q ErrorQuery, visit func(f Failure, matches bool) error) error {
	collections := s.ErrorCollections()
	if q.Collection != "" {
		if !slices.Contains(collections, q.Collection) {
			return &badRequest{"collection", fmt.Sprintf("%s holds no error records; those that do are: %s", q.Collection, strings.Join(collections, ", "))}
		}
		collections = []string{q.Collection}
	}
	where, err := s.where(q.Where)
	if err != nil {
		return err
	}
	after := time.Time{}
	if q.Since > 0 {
		after = s.Clock.Now().Add(-q.Since)
	}
	for _, c := range collections {
		docs := objectstore.NewSession(s.Store, s.Program.Collection, s.NewID, s.Clock.Now)
		stream, err := docs.Stream(ctx, objectstore.FindQuery{Collection: c})
		if err != nil {
			return err
		}
		err = each(ctx, stream, func(doc value.Raw) error {
			f := failureOf(c, doc)
			matches := (len(q.IDs) == 0 || slices.Contains(q.IDs, f.ID)) && (q.Pipeline == "" || q.Pipeline == f.Pipeline) &&
				(q.Status == "" || q.Status == f.Status) && !f.FailedAt.Before(after)
			if matches && where.Program != nil {
				where.Frame.Slots[where.Slot] = doc
				if matches, err = where.Program.Bool(where.Frame); err != nil {
					return &badRequest{"where", err.Error()}
				}
			}
			return visit(f, matches)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func each(ctx context.Context, stream value.Stream, visit func(value.Raw) error) error {
	defer stream.Close()
	for {
		v, ok, err := stream.Next(ctx)
		if err != nil || !ok {
			return err
		}
		raw, err := value.JSON(v)
		if err != nil {
			return err
		}
		if err := visit(raw); err != nil {
			return err
		}
	}
}

// failureOf reads what records and dead letters have in common.
func failureOf(collection string, doc value.Raw) Failure {
	f := Failure{Collection: collection, ID: textAt(doc, "_id"), Pipeline: textAt(doc, "pipeline"), Step: textAt(doc, "step"),
		Status: textAt(doc, "status"), Attempts: numberAt(doc, "attempts"), Record: json.RawMessage(doc)}
	if f.Attempts == 0 {
		f.Attempts = numberAt(doc, "attempt")
	}
	for _, name := range []string{"last_failed_at", "failed_at", "_created_at"} {
		if f.FailedAt = timeAt(doc, name); !f.FailedAt.IsZero() {
			break
		}
	}
	f.Error = textAt(doc, "error", "title")
	if d := textAt(doc, "error", "detail"); d != "" {
		f.Error += ": " + d
	}
	return f
}

func textAt(doc value.Raw, path ...string) string {
	s, _ := value.Get(doc, value.NewPath(path...)).(string)
	return s
}

func numberAt(doc value.Raw, path ...string) int {
	n, _ := value.Int(value.Get(doc, value.NewPath(path...)))
	return int(n)
}

func timeAt(doc value.Raw, path ...string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, textAt(doc, path...))
	if err != nil {
		return time.Time{}
	}
	return t
}

// rawAt is the JSON below a path; empty where there is nothing.
func rawAt(doc value.Raw, path ...string) value.Raw {
	v := value.Exact(doc, value.NewPath(path...))
	if v == nil {
		return ""
	}
	raw, err := value.JSON(v)
	if err != nil {
		return ""
	}
	return raw
}

// ErrorChange is what to do with error records.
type ErrorChange struct {
	ErrorQuery
	Action  string          `json:"action"`            // redrive, edit or discard
	Input   json.RawMessage `json:"input,omitempty"`   // edit: instead of the recorded one
	Set     json.RawMessage `json:"set,omitempty"`     // edit: a merge patch of it, RFC 7396
	Redrive bool            `json:"redrive,omitempty"` // edit: and publish it again
	Reason  string          `json:"reason,omitempty"`  // discard
	Force   bool            `json:"force,omitempty"`   // redrive what is under way too
	DryRun  bool            `json:"dry_run,omitempty"`
}

// Changed is what became of one record.
type Changed struct {
	Collection string `json:"collection"`
	ID         string `json:"id"`
	Did        string `json:"did,omitempty"` // redriven, edited, discarded
	Problem    string `json:"problem,omitempty"`
}

// Changes is what a change did.
type Changes struct {
	Records []Changed `json:"records"`
	Failed  int       `json:"failed"`
	DryRun  bool      `json:"dry_run,omitempty"`
}

// ChangeErrors does something with every record that matches, each in one commit:
// the event and the record's new state are there together or not at all.
func (s *Service) ChangeErrors(ctx context.Context, c ErrorChange) (*Changes, error) {
	if !slices.Contains([]string{"redrive", "edit", "discard"}, c.Action) {
		return nil, &badRequest{"action", "redrive, edit or discard, not " + c.Action}
	}
	if c.Action == "edit" && (len(c.Input) == 0) == (len(c.Set) == 0) {
		return nil, &badRequest{"edit", "give a new input, or what to set in it"}
	}
	var found []Failure
	err := s.eachError(ctx, c.ErrorQuery, func(f Failure, matches bool) error {
		// What is over is only touched by its name.
		if matches && (len(c.IDs) > 0 || c.Status != "" || open(f.Status)) {
			found = append(found, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.Limit > 0 {
		found = found[:min(len(found), c.Limit)]
	}
	out := &Changes{Records: []Changed{}, DryRun: c.DryRun}
	for _, id := range c.IDs {
		if !slices.ContainsFunc(found, func(f Failure) bool { return f.ID == id }) {
			out.Records = append(out.Records, Changed{ID: id, Problem: "there is no such record"})
			out.Failed++
		}
	}
	for _, f := range found {
		did, err := s.changeError(ctx, c, f)
		changed := Changed{Collection: f.Collection, ID: f.ID, Did: did}
		if err != nil {
			changed.Did, changed.Problem = "", err.Error()
			out.Failed++
		}
		out.Records = append(out.Records, changed)
	}
	return out, nil
}

// changeError changes one record.
func (s *Service) changeError(ctx context.Context, c ErrorChange, f Failure) (did string, err error) {
	docs := objectstore.NewSession(s.Store, s.Program.Collection, s.NewID, s.Clock.Now)
	doc, ok, err := docs.Get(ctx, f.Collection, f.ID)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errors.New("it is gone")
	}
	changed, events, did, err := s.changeRecord(c, f.Collection, doc)
	if err != nil || c.DryRun {
		return did, err
	}
	if _, err := docs.Put(ctx, f.Collection, f.ID, changed, f.version()); err != nil {
		return "", err
	}
	_, err = s.commit(ctx, &store.Batch{At: s.Clock.Now(), Documents: docs.Writes(s.Clock.Now()), Events: events})
	if errors.Is(err, store.ErrConflict) {
		return "", errors.New("it was changed at the same time by somebody else; look at it again")
	}
	return did, err
}

func (f Failure) version() int64 { return int64(numberAt(value.Raw(f.Record), "_version")) }

// changeRecord works out a record's new state and the event to publish with it.
func (s *Service) changeRecord(c ErrorChange, collection string, doc value.Raw) (out value.Raw, events []*pipelined.Event, did string, err error) {
	rec, _, err := objectstore.ParseErrorRecord(doc)
	if err != nil {
		return "", nil, "", fmt.Errorf("it is not an error record: %w", err)
	}
	now := s.Clock.Now()
	if c.Action == "discard" {
		rec.Discard(now, c.Reason)
		out, err = rec.Document()
		return out, nil, "discarded", err
	}
	if rec.Status == objectstore.Reprocessing && !c.Force {
		return "", nil, "", errors.New("its event is under way already; --force does it all the same")
	}
	if c.Action == "edit" {
		did = "edited"
		input, err := edited(c, value.Raw(rec.Input))
		if err != nil {
			return "", nil, "", err
		}
		rec.Event.Headers = maps.Clone(rec.Event.Headers)
		delete(rec.Event.Headers, pipelined.ProblemHeader) // what could not be decoded is what a person says it is
		rec.Edit(now, json.RawMessage(input), s.withInput(rec, input), "by hand")
	}
	if c.Action == "redrive" || c.Redrive {
		did = strings.TrimPrefix(did+" and redriven", " and ")
		if s.Program.Pipeline(rec.Pipeline) == nil {
			return "", nil, "", fmt.Errorf("there is no pipeline called %s any more", rec.Pipeline)
		}
		rec.Redrive(now)
		ev, err := s.startAgain(collection, rec)
		if err != nil {
			return "", nil, "", err
		}
		events = append(events, ev)
	}
	out, err = rec.Document()
	return out, events, did, err
}

// edited is the new input.
func edited(c ErrorChange, before value.Raw) (value.Raw, error) {
	if len(c.Input) > 0 {
		return value.Parse([]byte(c.Input))
	}
	patch, err := value.Parse([]byte(c.Set))
	if err != nil {
		return "", err
	}
	return value.MergePatch(before, patch)
}

// withInput is the data of an event whose input is another now. A request that was
// accepted carries it beside the request.
func (s *Service) withInput(rec *objectstore.ErrorRecord, input value.Raw) json.RawMessage {
	p := s.Program.Pipeline(rec.Pipeline)
	accepted := p != nil && p.Inlet() != "" && triggers.Taking(p.Plan) == nil && slices.Contains(p.Inlets(), rec.Event.Type)
	if request := rawAt(value.Raw(rec.Event.Data), "request"); accepted && request != "" {
		return json.RawMessage(`{"request":` + string(request) + `,"input":` + string(input) + `}`)
	}
	return json.RawMessage(input)
}

// startAgain is the event that starts again what a record holds: its own event, or,
// where no event started it, one that names the record.
func (s *Service) startAgain(collection string, rec *objectstore.ErrorRecord) (*pipelined.Event, error) {
	if rec.Event.Type != "" {
		return rec.Again(s.Program.Takes(rec.Pipeline, rec.Event.Type)), nil
	}
	if collection != engine.DeadLetters {
		return nil, errors.New("it has no event to publish again")
	}
	return attempt.NewRedrive(rec, s.NewID(), s.Clock.Now())
}
