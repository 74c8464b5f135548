package edge

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tianhai/ingest/decode"
)

// AskEvery is how often a node is asked for its births at most.
const AskEvery = time.Minute

// maxAsked bounds the nodes that wait to be asked; others ask again by their next
// message.
const maxAsked = 4096

// An Asker asks edge nodes for their births: it publishes Node Control/Rebirth. It
// lives in Run.
type Asker struct {
	Publish func(ctx context.Context, node, topic string, payload []byte) error // node is group/node
	Logger  *slog.Logger                                                        // nil discards

	once sync.Once
	todo chan [2]string

	mu    sync.Mutex // guards asked
	asked map[[2]string]time.Time
}

func (a *Asker) init() {
	a.once.Do(func() {
		a.todo = make(chan [2]string, maxAsked)
		a.asked = map[[2]string]time.Time{}
	})
}

// Ask has a node asked soon, unless that was within AskEvery. It does not block.
func (a *Asker) Ask(group, node string) {
	a.init()
	a.mu.Lock()
	defer a.mu.Unlock()
	key := [2]string{group, node}
	now := time.Now()
	if now.Sub(a.asked[key]) < AskEvery {
		return
	}
	if len(a.asked) >= maxAsked {
		for k, at := range a.asked {
			if now.Sub(at) >= AskEvery {
				delete(a.asked, k)
			}
		}
	}
	select {
	case a.todo <- key:
		a.asked[key] = now
	default:
	}
}

// Run publishes until ctx is done.
func (a *Asker) Run(ctx context.Context) error {
	a.init()
	for {
		select {
		case key := <-a.todo:
			a.publish(ctx, key)
		case <-ctx.Done():
			return nil
		}
	}
}

// publish asks a node. One that could not be asked may be so by its next message.
func (a *Asker) publish(ctx context.Context, key [2]string) {
	node := key[0] + "/" + key[1]
	err := a.Publish(ctx, node, "spBv1.0/"+key[0]+"/NCMD/"+key[1], decode.RebirthCommand(time.Now()))
	if err == nil {
		if a.Logger != nil {
			a.Logger.InfoContext(ctx, "edge node asked for its births", "node", node)
		}
		return
	}
	a.mu.Lock()
	delete(a.asked, key)
	a.mu.Unlock()
	if a.Logger != nil && ctx.Err() == nil {
		a.Logger.WarnContext(ctx, "edge node not asked for its births, which are needed", "node", node, "error", err)
	}
}
