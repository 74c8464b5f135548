package edge

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tianhai/ingest/decode"
)

// maxLog is how large the file may grow before it is written anew, beyond twice
// what it then holds.
const maxLog = 8 << 20

// A log is the file of what is known of edge nodes: lines that are appended, the
// last of which a crash may have cut.
type log struct {
	name string
	file *os.File // nil: a write failed, so that everything must be written anew
	size int64
	full int64 // size at which it is written anew
}

// openLog has s remember what the file holds.
func openLog(name string, s *decode.Sparkplug) (*log, error) {
	l := &log{name: name}
	raw, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read edge nodes: %w", err)
	}
	lines := bufio.NewReader(bytes.NewReader(raw))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // what has no end was not kept
		}
		if err := s.Restore(line); err != nil {
			return nil, fmt.Errorf("%s line %d: %w; without the file the nodes are asked for their births", name, n, err)
		}
	}
	return l, l.rewrite(s)
}

// keep appends what is new.
func (l *log) keep(s *decode.Sparkplug) error {
	if l.file == nil || l.size > l.full {
		return l.rewrite(s)
	}
	lines, err := s.Changes(false)
	if err != nil || len(lines) == 0 {
		return err
	}
	n, err := l.file.Write(lines)
	l.size += int64(n)
	if err != nil {
		return errors.Join(fmt.Errorf("keep edge nodes: %w", err), l.close())
	}
	return nil
}

// rewrite writes everything into a new file, which takes the place of the old.
func (l *log) rewrite(s *decode.Sparkplug) error {
	if err := l.close(); err != nil {
		return err
	}
	lines, err := s.Changes(true)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep edge nodes: %w", err)
	}
	_, err = f.Write(lines)
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(l.name+".new", l.name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep edge nodes: %w", err), f.Close())
	}
	l.file, l.size = f, int64(len(lines))
	l.full = 2*l.size + maxLog
	return nil
}

func (l *log) close() error {
	f := l.file
	l.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
