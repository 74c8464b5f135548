package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tianhai/ingest"
)

// A presence tells the Intake which devices are there, in the background and
// always the newest first known state only: a device that comes and goes faster
// than the records can be written costs one write.
type presence struct {
	intake *ingest.Intake
	log    *slog.Logger
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex      // guards pending
	pending map[string]bool // online, by device
}

func newPresence(intake *ingest.Intake, log *slog.Logger) *presence {
	return &presence{
		intake:  intake,
		log:     log,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		pending: make(map[string]bool),
	}
}

func (p *presence) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
}

// stop writes what is still pending, for as long as closeTimeout.
func (p *presence) stop() {
	p.cancel()
	<-p.done
}

func (p *presence) set(device string, online bool) {
	p.mu.Lock()
	p.pending[device] = online
	p.mu.Unlock()
	p.again()
}

func (p *presence) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-p.wake:
		case <-ctx.Done():
			continue
		}
		if !p.write(ctx) {
			select {
			case <-time.After(time.Second):
				p.again()
			case <-ctx.Done():
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	p.write(ctx)
}

func (p *presence) again() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// write reports whether all that was pending is written. What fails stays
// pending, unless something newer is known.
func (p *presence) write(ctx context.Context) bool {
	p.mu.Lock()
	todo := p.pending
	p.pending = make(map[string]bool)
	p.mu.Unlock()
	all := true
	for device, online := range todo {
		word := "offline"
		if online {
			word = "online"
		}
		err := p.intake.Accept(ctx, device, ingest.Topic(device, ingest.TopicStatus), "", []byte(word))
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			p.log.WarnContext(ctx, "presence not recorded", "device", device, "online", online, "error", err)
		}
		if errors.Is(err, ingest.ErrRefused) {
			continue
		}
		all = false
		p.mu.Lock()
		if _, newer := p.pending[device]; !newer {
			p.pending[device] = online
		}
		p.mu.Unlock()
	}
	return all
}
