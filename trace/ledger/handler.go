package ledger

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// tilePath is a tile's address in c2sp.org/tlog-tiles: level or "entries", the
// index in groups of three digits, and the width of one that is not full.
// Six levels of 256 and five groups of digits are more than any log reaches.
var tilePath = regexp.MustCompile(`^tile/(entries|[0-5])/((?:x\d{3}/){0,4}\d{3})(?:\.p/([1-9]\d{0,2}))?$`)

const tileWidth = 256

// Handler serves the public log as c2sp.org/tlog-tiles: checkpoint, tile/… and
// tile/entries/…, and besides, under key, the verifier key, and under cosigned
// the newest checkpoint that a quorum of witnesses cosigned. Every log of the
// directory has the same below its number, and keys lists them. It answers GET and
// HEAD under paths that begin with "/"; a mount point is stripped before. Any
// web page may read it. It serves only tiles that a published checkpoint covers,
// because only those never change again.
func (l *Ledger) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if m := logPath.FindStringSubmatch(r.URL.Path); m != nil {
			l.servePast(w, r, m[1], m[2])
			return
		}
		switch path := strings.TrimPrefix(r.URL.Path, "/"); path {
		case "keys":
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "no-cache")
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": l.Keys(r.Context())}) // as below
		case "key":
			h.Set("Content-Type", "text/plain; charset=utf-8")
			h.Set("Cache-Control", "public, max-age=3600")
			_, _ = io.WriteString(w, l.vkey+"\n") // a reader who leaves is not our error
		case "checkpoint":
			h.Set("Content-Type", "text/plain; charset=utf-8")
			h.Set("Cache-Control", "no-cache")
			if text := l.cosignedNewest(); text != "" {
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
				return
			}
			l.serveFile(w, r, path)
		case "cosigned":
			h.Set("Content-Type", "text/plain; charset=utf-8")
			h.Set("Cache-Control", "no-cache")
			text, size := l.cosigner.best()
			if size < 0 {
				h.Del("Cache-Control")
				http.NotFound(w, r)
				return
			}
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
		default:
			size, err := l.published()
			if err != nil || !covered(path, size) {
				http.NotFound(w, r)
				return
			}
			h.Set("Content-Type", "application/octet-stream")
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			l.serveFile(w, r, path)
		}
	})
}

// logPath is the address of one log among several, and what is asked of it.
var logPath = regexp.MustCompile(`^/([1-9]\d{0,3})(/.*)$`)

// servePast serves a log by its number.
func (l *Ledger) servePast(w http.ResponseWriter, r *http.Request, number, path string) {
	for _, log := range l.Logs() {
		if number == strconv.Itoa(log.number) && !logPath.MatchString(path) {
			r = r.Clone(r.Context())
			r.URL.Path = path
			log.Handler().ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

// cosignedNewest returns the published checkpoint with its cosignatures, or "" as
// long as it has none.
func (l *Ledger) cosignedNewest() string {
	raw, err := os.ReadFile(filepath.Join(l.tiles, "checkpoint"))
	if err != nil {
		return ""
	}
	if text, _ := l.cosigner.best(); len(raw) > 0 && strings.HasPrefix(text, string(raw)) {
		return text
	}
	return ""
}

// published returns the size of the published tree.
func (l *Ledger) published() (int64, error) {
	raw, err := os.ReadFile(filepath.Join(l.tiles, "checkpoint"))
	if err != nil {
		return 0, err
	}
	cp, err := OpenCheckpoint(l.vkey, string(raw))
	return cp.Size, err
}

// covered reports whether path is a tile, all of which lies within a tree of
// this size.
func covered(path string, size int64) bool {
	m := tilePath.FindStringSubmatch(path)
	if m == nil {
		return false
	}
	index, err := strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(m[2]), 10, 64)
	if err != nil {
		return false
	}
	width := int64(tileWidth)
	if m[3] != "" {
		width, err = strconv.ParseInt(m[3], 10, 64)
		if err != nil || width >= tileWidth {
			return false
		}
	}
	if m[1] != "entries" {
		for range m[1][0] - '0' {
			size /= tileWidth
		}
	}
	return index <= size/tileWidth && index*tileWidth+width <= size
}

func (l *Ledger) serveFile(w http.ResponseWriter, r *http.Request, path string) {
	f, err := os.OpenInRoot(l.tiles, filepath.FromSlash(path))
	if err == nil {
		defer func() { _ = f.Close() }() // was only read
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && info.Mode().IsRegular() {
			http.ServeContent(w, r, "", info.ModTime(), f)
			return
		}
	}
	w.Header().Del("Cache-Control")
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	http.Error(w, "cannot read the log", http.StatusInternalServerError)
}
