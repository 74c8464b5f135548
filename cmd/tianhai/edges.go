package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/edge"
)

// edges are what the readers of the journal know of Sparkplug's edge nodes.
type edges struct {
	store, watch *edge.Chain
	asker        *edge.Asker
	roll         *edge.Roll
	mended       *edge.Roll // whose quarantine is to be read again
}

func (s *server) openEdges(ctx context.Context) (err error) {
	e := &edges{
		asker: &edge.Asker{Publish: s.posts.Publish, Logger: s.log},
		roll:  &edge.Roll{Set: s.setEdge, Logger: s.log},
		mended: &edge.Roll{Logger: s.log, Set: func(ctx context.Context, name string, _ bool) error {
			return s.mender.ReplayQuarantine(ctx, name)
		}},
	}
	if e.store, err = s.openChain(ctx, edge.Options{File: s.cfg.path("edges-store.jsonl"), Rebirth: e.asker.Ask, Mended: func(name string) { e.mended.Call(name, true) }}); err != nil {
		return err
	}
	if e.watch, err = s.openChain(ctx, edge.Options{File: s.cfg.path("edges-watch.jsonl"), Rebirth: e.asker.Ask, Presence: e.roll.Call}); err != nil {
		return err
	}
	s.edges = e
	return nil
}

// openChain sets a file aside that cannot be read: the nodes are asked instead.
func (s *server) openChain(ctx context.Context, opt edge.Options) (*edge.Chain, error) {
	c, err := edge.Open(opt)
	if err != nil {
		s.log.ErrorContext(ctx, "births of edge nodes are lost, and asked for; the file is set aside as *.damaged", "error", err)
		if err := os.Rename(opt.File, opt.File+".damaged"); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if c, err = edge.Open(opt); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	s.onClose("edge nodes", func(context.Context) error { return c.Close() })
	return c, nil
}

// setEdge records that an edge node, or a device of it, came or went, where it is
// somebody's.
func (s *server) setEdge(ctx context.Context, name string, online bool) error {
	p, err := s.registry.Profile(ctx, name)
	if errors.Is(err, ingest.ErrUnknownDevice) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.silence.SetOnline(ctx, p.Device, online, time.Now())
}
