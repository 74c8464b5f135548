package broker

import (
	"context"
	"log/slog"
)

// sparse passes on mochi's warnings and errors without the packets, which may
// hold secrets.
type sparse struct{ slog.Handler }

func (h sparse) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h sparse) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, "mqtt: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "pk", "packet", "will":
		default:
			out.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h sparse) WithAttrs(attrs []slog.Attr) slog.Handler { return sparse{h.Handler.WithAttrs(attrs)} }

func (h sparse) WithGroup(name string) slog.Handler { return sparse{h.Handler.WithGroup(name)} }
