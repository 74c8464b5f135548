package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Limits of what a witness reads.
const (
	MaxSubmission  = 64 << 10 // bytes of one request to a witness
	defaultWitness = "tianhai.local/witness"
	contentSize    = "text/x.tlog.size"
)

// WitnessOptions say where a witness keeps its state and whom it watches.
type WitnessOptions struct {
	Dir string
	// Name is fixed by the first start; empty means the name the witness has, or
	// "tianhai.local/witness" for a new one.
	Name string
	// Logs are the verifier keys of the logs whose checkpoints are cosigned. Two
	// keys of one origin are both trusted.
	Logs   []string
	Logger *slog.Logger // nil means silence
}

// A Witness cosigns checkpoints of logs that it knows, and never two that do not
// follow from each other: c2sp.org/tlog-witness. It remembers of each log the
// last checkpoint that it was about to cosign, on disk before it signs, so that
// no crash makes it go back.
//
// Its directory holds key, lock, and a file for each log. It must never be
// restored from a backup, because a witness that forgets can be made to cosign
// another history. One that lost its directory begins anew under a new name.
type Witness struct {
	dir    string
	signer note.Signer
	vkey   string
	logs   map[string]*witnessed // by origin
	logger *slog.Logger
	unlock func() error
}

// witnessed is one log as its witness knows it.
type witnessed struct {
	keys []string // verifier keys
	file string

	mu   sync.Mutex // held over check, store and sign
	last Checkpoint // the zero value before the first
	text string     // of last, with the log's signature
}

// OpenWitness opens the witness in opts.Dir, making its key at the first start.
func OpenWitness(opts WitnessOptions) (_ *Witness, err error) {
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open witness: %w", err)
	}
	unlock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open witness %s: %w", opts.Dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	w := &Witness{dir: opts.Dir, logs: map[string]*witnessed{}, logger: opts.Logger, unlock: unlock}
	if w.logger == nil {
		w.logger = slog.New(slog.DiscardHandler)
	}
	if err := w.openKey(opts.Name); err != nil {
		return nil, fmt.Errorf("open witness key: %w", err)
	}
	for _, vkey := range opts.Logs {
		if err := w.know(vkey); err != nil {
			return nil, fmt.Errorf("open witness %s: %w", opts.Dir, err)
		}
	}
	for origin, l := range w.logs {
		if err := l.load(); err != nil {
			return nil, fmt.Errorf("open witness %s: its memory of the log %s: %w", opts.Dir, origin, err)
		}
	}
	return w, nil
}

func (w *Witness) openKey(name string) error {
	path := filepath.Join(w.dir, "key")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if name == "" {
			name = defaultWitness
		}
		skey, _, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			return err
		}
		if err := writeSynced(w.dir, path, skey+"\n"); err != nil {
			return err
		}
	}
	key, skey, err := readKey(path)
	if err != nil {
		return err
	}
	if name != "" && name != key.Name() {
		return fmt.Errorf("%s is the key of the witness %q, not of %q; a witness keeps its name", path, key.Name(), name)
	}
	if w.signer, err = cosignature.NewSignerForCosignatureV1(skey); err != nil {
		return errors.New("no Ed25519 private key") // the library's error could quote it
	}
	w.vkey, err = cosignature.VKeyToCosignatureV1(key.vkey)
	return err
}

// know adds a log by its key.
func (w *Witness) know(vkey string) error {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return fmt.Errorf("log key %.80q: %w", vkey, err)
	}
	l := w.logs[v.Name()]
	if l == nil {
		sum := sha256.Sum256([]byte(v.Name()))
		l = &witnessed{file: filepath.Join(w.dir, "log-"+hex.EncodeToString(sum[:8]))}
		w.logs[v.Name()] = l
	}
	l.keys = append(l.keys, vkey)
	return nil
}

// load reads what was remembered. What cannot be read is no fresh start.
func (l *witnessed) load() error {
	raw, err := os.ReadFile(l.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l.text = string(raw)
	l.last, err = l.open(l.text)
	return err
}

// open reads a checkpoint that one of the log's keys signed.
func (l *witnessed) open(text string) (cp Checkpoint, err error) {
	for _, vkey := range l.keys {
		if cp, err = OpenCheckpoint(vkey, text); err == nil {
			return cp, nil
		}
	}
	return Checkpoint{}, err
}

// VerifierKey returns the public key, of type cosignature/v1, in the form
// "name+hash+base64" (c2sp.org/tlog-cosignature).
func (w *Witness) VerifierKey() string { return w.vkey }

// Close gives the directory free. Requests must have ended.
func (w *Witness) Close() error { return w.unlock() }

// Handler answers POST /add-checkpoint as c2sp.org/tlog-witness says. Besides, GET
// /key is the verifier key, and GET /checkpoint?origin=O the checkpoint of a log
// that was cosigned last, with which a log that was restored from a backup
// learns what it once signed.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	mux.HandleFunc("GET /key", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(rw, w.vkey+"\n") // a reader who leaves is not our error
	})
	mux.HandleFunc("GET /checkpoint", func(rw http.ResponseWriter, r *http.Request) {
		l := w.logs[r.URL.Query().Get("origin")]
		if l == nil {
			http.Error(rw, "unknown log", http.StatusNotFound)
			return
		}
		l.mu.Lock()
		text := l.text
		l.mu.Unlock()
		if text == "" {
			http.Error(rw, "nothing cosigned yet", http.StatusNotFound)
			return
		}
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		rw.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(rw, text)
	})
	return mux
}

func (w *Witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, MaxSubmission))
	if err != nil {
		http.Error(rw, fmt.Sprintf("at most %d bytes are read", MaxSubmission), http.StatusBadRequest)
		return
	}
	line, err := w.cosign(r.Context(), string(raw))
	var no *refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(rw, line)
	case errors.As(err, &no) && no.status == http.StatusConflict:
		rw.Header().Set("Content-Type", contentSize)
		rw.WriteHeader(no.status)
		_, _ = fmt.Fprintf(rw, "%d\n", no.size)
	case errors.As(err, &no):
		http.Error(rw, no.why, no.status)
	default:
		w.logger.ErrorContext(r.Context(), "cannot cosign", "error", err)
		http.Error(rw, "cannot cosign now", http.StatusInternalServerError)
	}
}

// A refusal is an answer of the protocol.
type refusal struct {
	status int
	why    string
	size   int64 // of the checkpoint cosigned last, with StatusConflict
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, why string, args ...any) error {
	return &refusal{status: status, why: fmt.Sprintf(why, args...)}
}

// cosign checks a request and returns the signature line.
func (w *Witness) cosign(ctx context.Context, request string) (string, error) {
	old, proof, text, err := parseSubmission(request)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "%v", err)
	}
	origin, _, _ := strings.Cut(text, "\n")
	l := w.logs[origin]
	if l == nil {
		return "", refuse(http.StatusNotFound, "the log %.100q is not known here", origin)
	}
	cp, err := l.open(text)
	if err != nil {
		return "", refuse(http.StatusForbidden, "%v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.follows(old, proof, cp); err != nil {
		w.logger.WarnContext(ctx, "checkpoint refused", "log", origin, "size", cp.Size, "last", l.last.Size, "reason", err)
		return "", err
	}
	if err := l.remember(w.dir, cp, text); err != nil {
		return "", fmt.Errorf("remember checkpoint %d of %s: %w", cp.Size, origin, err)
	}
	body, _, _ := strings.Cut(text, "\n\n")
	return w.sign(body + "\n")
}

// follows reports whether cp may be signed after what was signed last.
func (l *witnessed) follows(old int64, proof tlog.TreeProof, cp Checkpoint) error {
	switch {
	case old > cp.Size:
		return refuse(http.StatusBadRequest, "old size %d is larger than the checkpoint's %d", old, cp.Size)
	case old != l.last.Size:
		return &refusal{status: http.StatusConflict, why: "the old size is not that of the last checkpoint", size: l.last.Size}
	case old == 0 || old == cp.Size:
		if l.text != "" && old == cp.Size && cp.Root != l.last.Root {
			return &refusal{status: http.StatusConflict, why: "another tree of the same size", size: l.last.Size}
		}
		if len(proof) > 0 {
			return refuse(http.StatusUnprocessableEntity, "a proof where there is nothing to prove")
		}
		if cp.Size == 0 && cp.Root != sha256.Sum256(nil) {
			return refuse(http.StatusUnprocessableEntity, "not the root of the empty tree")
		}
		return nil
	}
	if tlog.CheckTree(proof, cp.Size, cp.Root, old, l.last.Root) != nil {
		return refuse(http.StatusUnprocessableEntity, "the proof does not lead from %d to %d leaves", old, cp.Size)
	}
	return nil
}

// remember stores the checkpoint so that neither a crash nor a power cut undoes it.
func (l *witnessed) remember(dir string, cp Checkpoint, text string) error {
	if l.text != "" && cp == l.last {
		return nil
	}
	if err := writeSynced(dir, l.file, text); err != nil {
		return err
	}
	l.last, l.text = cp, text
	return nil
}

// sign returns a signature line (c2sp.org/signed-note).
func (w *Witness) sign(text string) (string, error) {
	sig, err := w.signer.Sign([]byte(text))
	if err != nil {
		return "", err
	}
	raw := binary.BigEndian.AppendUint32(nil, w.signer.KeyHash())
	return fmt.Sprintf("— %s %s\n", w.signer.Name(), base64.StdEncoding.EncodeToString(append(raw, sig...))), nil
}

// parseSubmission splits a request into old size, proof and checkpoint.
func parseSubmission(request string) (old int64, proof tlog.TreeProof, text string, err error) {
	head, text, ok := strings.Cut(request, "\n\n")
	if !ok {
		return 0, nil, "", errors.New("no empty line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	digits, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return 0, nil, "", errors.New(`line 1: not "old" and a size`)
	}
	if old, err = parseNumber(digits); err != nil {
		return 0, nil, "", fmt.Errorf("line 1: %w", err)
	}
	if len(lines)-1 > maxPath {
		return 0, nil, "", fmt.Errorf("line %d: more than %d hashes", maxPath+2, maxPath)
	}
	for i, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return 0, nil, "", fmt.Errorf("line %d: %w", i+2, err)
		}
		proof = append(proof, h)
	}
	return old, proof, text, nil
}

// submission writes a request.
func submission(old int64, proof [][]byte, text string) []byte {
	var b bytes.Buffer
	b.WriteString("old " + strconv.FormatInt(old, 10) + "\n")
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h) + "\n")
	}
	b.WriteString("\n" + text)
	return b.Bytes()
}
