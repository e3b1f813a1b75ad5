package step

import (
	"context"
	"log/slog"

	"pipelined/engine/execution"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

type logParams struct {
	Log logValue `yaml:"log" required:"" doc:"What to log."`
}

type logValue struct {
	Level   string     `yaml:"level" enum:"debug,info,warn,error" default:"info" doc:"How much it matters."`
	Message field.Text `yaml:"message" required:"" doc:"The line."`
	Fields  field.JSON `yaml:"fields" doc:"Object of further attributes; the project's redact rules apply."`
}

func logControl() *Control {
	return define("log", "Writes a line to the runtime's log.", "", `
- log: { level: info, message: "order ${{ input.id }}", fields: { lane: fast } }
`, func(_ *Compiler, _ *field.Context, _ *Node, p *logParams) Action {
		levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
		return &logStep{level: levels[p.Log.Level], message: p.Log.Message, fields: p.Log.Fields}
	})
}

type logStep struct {
	level   slog.Level
	message field.Text
	fields  field.JSON
}

func (l *logStep) Run(ctx context.Context, x *execution.Execution) (any, error) {
	if !x.Run.Logger.Enabled(ctx, l.level) {
		return nil, nil
	}
	text, err := l.message.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	attrs := []slog.Attr{slog.String("pipeline", x.Run.Pipeline), slog.String("execution", x.Run.ID)}
	if !l.fields.IsZero() {
		v, err := l.fields.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		raw, err := value.JSON(v)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, slog.Any("fields", LogDocument{value.Redact(raw, x.Run.Redaction)}))
	}
	x.Run.Logger.LogAttrs(ctx, l.level, text, attrs...)
	return nil, nil
}

// LogDocument prints JSON as JSON in a JSON log and as text in a text log.
type LogDocument struct{ Raw value.Raw }

// MarshalJSON returns the document itself.
func (d LogDocument) MarshalJSON() ([]byte, error) { return []byte(d.Raw), nil }

// String returns the document's text.
func (d LogDocument) String() string { return string(d.Raw) }
