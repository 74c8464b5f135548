package edge

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Roll records who is there, in the background and of each the newest only, and
// tries again until it succeeds. It lives in Run.
type Roll struct {
	Set    func(ctx context.Context, name string, online bool) error
	Logger *slog.Logger // nil discards

	once sync.Once
	wake chan struct{}

	mu      sync.Mutex // guards pending
	pending map[string]bool
}

func (r *Roll) init() {
	r.once.Do(func() { r.wake, r.pending = make(chan struct{}, 1), map[string]bool{} })
}

// Call notes that a name is there, or not. It does not block.
func (r *Roll) Call(name string, online bool) {
	r.init()
	r.mu.Lock()
	r.pending[name] = online
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run records until ctx is done.
func (r *Roll) Run(ctx context.Context) error {
	r.init()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-retry.C:
		}
		if err := r.write(ctx); err != nil && ctx.Err() == nil {
			if r.Logger != nil {
				r.Logger.WarnContext(ctx, "records of edge nodes wait, trying again", "error", err)
			}
			retry.Reset(time.Second)
		}
	}
}

func (r *Roll) write(ctx context.Context) error {
	r.mu.Lock()
	todo := r.pending
	r.pending = map[string]bool{}
	r.mu.Unlock()
	for name, online := range todo {
		if err := r.Set(ctx, name, online); err != nil {
			r.mu.Lock()
			for name, online := range todo {
				if _, newer := r.pending[name]; !newer {
					r.pending[name] = online
				}
			}
			r.mu.Unlock()
			return err
		}
		delete(todo, name)
	}
	return nil
}
