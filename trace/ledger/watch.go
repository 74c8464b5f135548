package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ErrSplit reports a log that shows another tree than the one it had cosigned.
var ErrSplit = errors.New("the log shows another tree than the one cosigned")

// Look reads what a known log publishes at a URL, where its /checkpoint is, and
// holds it against what was cosigned last: ErrSplit where the log shows a smaller
// tree, or another of the same size.
func (w *Witness) Look(ctx context.Context, origin, url string) error {
	l := w.logs[origin]
	if l == nil {
		return fmt.Errorf("look at log %s: it is not known here", origin)
	}
	ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
	defer cancel()
	l.mu.Lock()
	last := l.last // before the log is asked: what it shows may be newer, never older
	l.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/checkpoint", nil)
	if err != nil {
		return fmt.Errorf("look at log %s: %w", origin, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("look at log %s: %w", origin, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, witnessAnswer))
	if err != nil {
		return fmt.Errorf("look at log %s: %w", origin, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("look at log %s: it answers %s", origin, resp.Status)
	}
	cp, err := l.open(string(raw))
	switch {
	case err != nil:
		return fmt.Errorf("look at log %s: %w", origin, err)
	case cp.Size < last.Size:
		return fmt.Errorf("look at log %s: %d leaves, %d were cosigned: %w", origin, cp.Size, last.Size, ErrSplit)
	case cp.Size == last.Size && last.Origin != "" && cp.Root != last.Root:
		return fmt.Errorf("look at log %s: %d leaves: %w", origin, cp.Size, ErrSplit)
	}
	return nil
}

// Watch looks at logs, by origin and URL, now and then until ctx is done, and logs
// what it finds.
func (w *Witness) Watch(ctx context.Context, urls map[string]string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for len(urls) > 0 {
		for origin, url := range urls {
			if err := w.Look(ctx, origin, url); errors.Is(err, ErrSplit) {
				w.logger.ErrorContext(ctx, "a log shows another history than the one cosigned: keep this witness's directory as evidence", "error", err)
			} else if err != nil && ctx.Err() == nil {
				w.logger.WarnContext(ctx, "cannot look at a log", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
