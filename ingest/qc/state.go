package qc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tianhai/ingest"
)

// ErrState reports saved state that cannot be used: cut off, of another version,
// or of no memory that could be.
var ErrState = errors.New("state of quality tests not usable")

// stateVersion is that of the saved form: JSON lines, a header, a line for each
// series, and a trailer with their count.
const stateVersion = 1

type stateMark struct {
	Version int  `json:"version"`
	Series  *int `json:"series,omitempty"` // in the trailer
}

type seriesState struct {
	Device   string               `json:"device"`
	Channel  string               `json:"channel"`
	Site     string               `json:"site"`
	Quantity string               `json:"quantity"`
	Last     int64                `json:"last"`
	Value    float64              `json:"value"`
	Flag     ingest.Flag          `json:"flag"`
	Steps    []float64            `json:"steps"`
	Taken    int                  `json:"taken"`
	Tests    map[string][]float64 `json:"tests"`
}

// Save writes what the checker remembers. It forgets series that were silent
// for 30 days before now.
func (c *Checker) Save(w io.Writer, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	if err := enc.Encode(stateMark{Version: stateVersion}); err != nil {
		return fmt.Errorf("save state of quality tests: %w", err)
	}
	c.known.forget(now.Add(-forgetAfter).UnixMilli())
	for device, of := range c.known.devices {
		for _, se := range of.series {
			if err := enc.Encode(se.saved(device)); err != nil {
				return fmt.Errorf("save state of quality tests: %w", err)
			}
		}
	}
	n := c.known.series
	if err := enc.Encode(stateMark{Version: stateVersion, Series: &n}); err != nil {
		return fmt.Errorf("save state of quality tests: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("save state of quality tests: %w", err)
	}
	return nil
}

func (se *series) saved(device string) seriesState {
	s := seriesState{
		Device: device, Channel: se.channel, Site: se.site, Quantity: se.quantity,
		Last: se.last, Value: se.value, Flag: se.flag, Steps: se.steps[:], Taken: se.taken,
		Tests: make(map[string][]float64, len(se.memories)),
	}
	for _, m := range se.memories {
		s.Tests[m.name] = m.state()
	}
	return s
}

// Load takes back what Save wrote. A test that was not there then, or whose
// state no longer fits, begins anew. After an error, ErrState for what is not
// usable, the checker remembers nothing of it.
func (c *Checker) Load(r io.Reader) error {
	dec := json.NewDecoder(bufio.NewReader(r))
	var header stateMark
	if err := dec.Decode(&header); err != nil || header.Version != stateVersion {
		return fmt.Errorf("%w: no header of version %d", ErrState, stateVersion)
	}
	all := newArchive()
	for {
		var line struct {
			seriesState
			stateMark
		}
		if err := dec.Decode(&line); err != nil {
			return fmt.Errorf("%w: after %d series: %w", ErrState, all.series, err)
		}
		if line.Series != nil {
			if *line.Series != all.series {
				return fmt.Errorf("%w: %d series of %d", ErrState, all.series, *line.Series)
			}
			break
		}
		if all.find(line.Device, line.Channel) != nil {
			return fmt.Errorf("%w: series %d is there twice", ErrState, all.series+1)
		}
		if !all.add(line.Device, c.restored(line.seriesState)) {
			return fmt.Errorf("%w: more than %d series", ErrState, MaxSeries)
		}
	}
	c.mu.Lock()
	c.known = all
	c.mu.Unlock()
	return nil
}

func (c *Checker) restored(s seriesState) *series {
	se := &series{
		channel: s.Channel, site: s.Site, quantity: s.Quantity, seen: true, last: s.Last, value: s.Value, flag: s.Flag, taken: max(0, s.Taken),
	}
	if copy(se.steps[:], s.Steps) < len(se.steps) {
		se.taken = 0
	}
	for _, t := range c.config.tests(s.Site, s.Quantity) {
		t, ok := t.(streamed)
		if !ok {
			continue
		}
		m := t.memory()
		if state, saved := s.Tests[t.Name()]; saved && !m.restore(state) {
			m = t.memory()
		}
		se.memories = append(se.memories, named{t.Name(), m})
	}
	return se
}

// LoadFile takes back what SaveFile wrote. A file that is not there is none.
func (c *Checker) LoadFile(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load state of quality tests: %w", err)
	}
	defer func() { _ = f.Close() }()
	return c.Load(f)
}

// SaveFile replaces the file with what the checker remembers. A crash leaves the
// file as it was or as it is to be.
func (c *Checker) SaveFile(file string, now time.Time) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("save state of quality tests: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	err = errors.Join(c.Save(f, now), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return fmt.Errorf("save state of quality tests: %w", err)
	}
	return nil
}

// A Saver saves a checker's memory now and then, so that a crash costs a minute
// of it: tests that look back then see a gap of that length.
type Saver struct {
	Checker *Checker
	File    string
	Every   time.Duration // a minute when 0
	Logger  *slog.Logger  // nil discards
}

// Run saves until ctx is done. A failure is logged and tried again.
func (s *Saver) Run(ctx context.Context) error {
	every := s.Every
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := s.Checker.SaveFile(s.File, now); err != nil && s.Logger != nil {
				s.Logger.WarnContext(ctx, "what quality tests remember was not saved", "error", err)
			}
		}
	}
}
