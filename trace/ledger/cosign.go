package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// How witnesses are asked.
const (
	witnessTimeout = 5 * time.Second  // for one answer
	witnessGrace   = time.Second      // for the others, once there are enough
	witnessRetry   = time.Second      // after a round without a quorum, doubled up to
	witnessPatient = 30 * time.Second // so long
	witnessAnswer  = 64 << 10         // bytes of one
	startPatience  = 3 * time.Second  // for what witnesses remember, at the start
)

// A WitnessAddress is a witness that the log asks.
type WitnessAddress struct {
	VerifierKey string // of the witness
	URL         string // what add-checkpoint is below
}

// A WitnessStatus says how it goes with one witness.
type WitnessStatus struct {
	Name string    `json:"name"`
	Size int64     `json:"size"` // of the tree it cosigned last; -1 before the first
	At   time.Time `json:"at"`   // of that, by our clock
	// Fault is why it has not cosigned the newest checkpoint; empty when it has,
	// or was not asked yet.
	Fault string `json:"fault,omitempty"`
}

// A Policy says whose cosignatures are asked for, and how many of them. The zero
// Policy asks for none (c2sp.org/tlog-policy in its simplest form).
type Policy struct {
	Witnesses []string // verifier keys
	Quorum    int
}

// Check reports why a policy cannot be met.
func (p Policy) Check() error {
	if p.Quorum < 0 || p.Quorum > len(p.Witnesses) {
		return fmt.Errorf("a quorum of %d among %d witnesses cannot be reached", p.Quorum, len(p.Witnesses))
	}
	_, err := p.verifiers()
	return err
}

func (p Policy) verifiers() ([]note.Verifier, error) {
	var all []note.Verifier
	for _, vkey := range p.Witnesses {
		v, err := cosignature.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return nil, fmt.Errorf("witness key %.80q: %w", vkey, err)
		}
		if slices.ContainsFunc(all, func(o note.Verifier) bool { return o.Name() == v.Name() && o.KeyHash() == v.KeyHash() }) {
			return nil, fmt.Errorf("witness %s is named twice", v.Name())
		}
		all = append(all, v)
	}
	return all, nil
}

// Met returns the names of the witnesses that cosigned a checkpoint, and an
// error where they are fewer than the quorum. A false signature of one of them
// refuses the whole; signatures of strangers are passed over.
func (p Policy) Met(checkpoint string) ([]string, error) {
	verifiers, err := p.verifiers()
	if err != nil {
		return nil, err
	}
	if len(verifiers) == 0 {
		return nil, nil
	}
	n, err := note.Open([]byte(checkpoint), note.VerifierList(verifiers...))
	var bad *note.InvalidSignatureError
	var unsigned *note.UnverifiedNoteError
	switch {
	case errors.As(err, &bad):
		return nil, fmt.Errorf("the cosignature of %s is false", bad.Name)
	case errors.As(err, &unsigned):
		n = unsigned.Note
		n.Sigs = nil
	case err != nil:
		return nil, err
	}
	var names []string
	for _, s := range n.Sigs {
		names = append(names, s.Name)
	}
	if len(names) < p.Quorum {
		return names, fmt.Errorf("cosigned by %d of the %d witnesses, %d are asked for", len(names), len(verifiers), p.Quorum)
	}
	return names, nil
}

// A cosigner brings published checkpoints to the witnesses and keeps the newest
// that a quorum of them cosigned. It only reads what the log does: a witness
// that is dead, slow or false never holds up a leaf or a receipt.
type cosigner struct {
	ledger *Ledger
	policy Policy
	urls   []string
	client *http.Client
	file   string // of the newest cosigned checkpoint

	mu       sync.Mutex // guards what is below
	cosigned string
	size     int64 // of cosigned; -1 before the first
	statuses []WitnessStatus
}

func newCosigner(l *Ledger, addresses []WitnessAddress, quorum int) (*cosigner, error) {
	c := &cosigner{
		ledger: l, policy: Policy{Quorum: quorum}, client: &http.Client{Timeout: witnessTimeout},
		file: filepath.Join(l.dir, "cosigned"), size: -1,
	}
	for _, a := range addresses {
		c.policy.Witnesses = append(c.policy.Witnesses, a.VerifierKey)
		c.urls = append(c.urls, strings.TrimSuffix(a.URL, "/"))
		name, _, _ := strings.Cut(a.VerifierKey, "+")
		c.statuses = append(c.statuses, WitnessStatus{Name: name, Size: -1})
	}
	if err := c.policy.Check(); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(c.file)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	// Other witnesses than then: what they cosigned does not count now.
	if cp, err := OpenCheckpoint(l.vkey, string(raw)); err == nil {
		if _, err := c.policy.Met(string(raw)); err == nil {
			c.cosigned, c.size = string(raw), cp.Size
		}
	}
	return c, nil
}

// run asks until ctx is done.
func (c *cosigner) run(ctx context.Context) {
	wait := witnessRetry
	lines := map[int]string{} // of the checkpoint below, by witness
	var asked string
	for {
		if text, _ := c.newest(); text != asked {
			clear(lines)
			asked = text
		}
		switch {
		case asked == "" || len(lines) == len(c.urls):
			wait = c.ledger.interval
		case c.round(ctx, asked, lines):
			wait = c.ledger.interval
		default:
			wait = min(max(2*wait, witnessRetry), witnessPatient)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

func (c *cosigner) newest() (text string, size int64) {
	raw, err := os.ReadFile(filepath.Join(c.ledger.tiles, "checkpoint"))
	if err != nil {
		return "", -1
	}
	cp, err := OpenCheckpoint(c.ledger.vkey, string(raw))
	if err != nil {
		return "", -1
	}
	return string(raw), cp.Size
}

// best returns the newest cosigned checkpoint and its size, -1 before the first
// and where there are no witnesses.
func (c *cosigner) best() (text string, size int64) {
	if c == nil {
		return "", -1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cosigned, c.size
}

// round asks every witness that has not cosigned text, and reports whether a
// quorum now has.
func (c *cosigner) round(ctx context.Context, text string, lines map[int]string) bool {
	ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
	defer cancel()
	type answer struct {
		witness int
		line    string
		err     error
	}
	answers := make(chan answer, len(c.urls))
	open := 0
	for i := range c.urls {
		if lines[i] == "" {
			open++
			go func() {
				line, err := c.ask(ctx, i, text)
				answers <- answer{i, line, err}
			}()
		}
	}
	var grace <-chan time.Time
	for open > 0 {
		select {
		case a := <-answers:
			open--
			c.tell(ctx, a.witness, text, a.err)
			if a.err == nil {
				lines[a.witness] = a.line
			}
		case <-grace:
			open = 0
		}
		if grace == nil && len(lines) >= c.policy.Quorum {
			grace = time.After(witnessGrace)
		}
	}
	if len(lines) == 0 || len(lines) < c.policy.Quorum {
		return false
	}
	if err := c.keep(text, lines); err != nil {
		c.ledger.logger.WarnContext(ctx, "cosigned checkpoint is not kept", "error", err)
		return false
	}
	return true
}

// tell notes how it went, and logs a change.
func (c *cosigner) tell(ctx context.Context, i int, text string, err error) {
	c.mu.Lock()
	s := &c.statuses[i]
	was := s.Fault
	if err == nil {
		cp, _ := OpenCheckpoint(c.ledger.vkey, text)
		s.Size, s.At, s.Fault = cp.Size, time.Now().UTC(), ""
	} else {
		s.Fault = err.Error()
	}
	now := *s
	c.mu.Unlock()
	switch {
	case now.Fault != "" && was == "":
		c.ledger.logger.WarnContext(ctx, "witness does not cosign", "witness", now.Name, "error", err)
	case now.Fault == "" && was != "":
		c.ledger.logger.InfoContext(ctx, "witness cosigns again", "witness", now.Name)
	}
}

// keep stores the checkpoint with its cosignatures.
func (c *cosigner) keep(text string, lines map[int]string) error {
	cp, err := OpenCheckpoint(c.ledger.vkey, text)
	if err != nil {
		return err
	}
	for i := range c.urls {
		text += lines[i]
	}
	if _, err := c.policy.Met(text); err != nil {
		return err
	}
	if err := writeSynced(c.ledger.dir, c.file, text); err != nil {
		return err
	}
	c.mu.Lock()
	c.cosigned, c.size = text, cp.Size
	c.mu.Unlock()
	return nil
}

// ask has one witness cosign a checkpoint and returns its signature line, checked.
func (c *cosigner) ask(ctx context.Context, i int, text string) (string, error) {
	cp, err := OpenCheckpoint(c.ledger.vkey, text)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	old := min(max(c.statuses[i].Size, 0), cp.Size)
	c.mu.Unlock()
	for range 2 {
		var proof [][]byte
		if old > 0 && old < cp.Size {
			if proof, err = consistency(ctx, c.ledger.tiles, old, cp.Size); err != nil {
				return "", err
			}
		}
		status, answer, err := c.post(ctx, c.urls[i], submission(old, proof, text))
		switch {
		case err != nil:
			return "", err
		case status == http.StatusOK:
			return c.pick(i, text, answer)
		case status == http.StatusConflict:
			knows, err := parseNumber(strings.TrimSuffix(answer, "\n"))
			if err != nil {
				return "", fmt.Errorf("it answers 409 without a size: %w", err)
			}
			if knows > cp.Size || knows == old {
				return "", errors.Join(fmt.Errorf("it has cosigned another tree of %d leaves", knows), c.confront(ctx, i))
			}
			old = knows
		case status == http.StatusUnprocessableEntity:
			return "", errors.Join(errors.New("it does not see how the log continues what it cosigned"), c.confront(ctx, i))
		default:
			return "", fmt.Errorf("it answers %d", status)
		}
	}
	return "", errors.New("it changes its mind about what it cosigned")
}

func (c *cosigner) post(ctx context.Context, base string, body []byte) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	return c.do(req)
}

func (c *cosigner) do(req *http.Request) (status int, answer string, err error) {
	resp, err := c.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which may hold a key
		}
		return 0, "", fmt.Errorf("it does not answer: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, witnessAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("its answer breaks off: %w", err)
	}
	return resp.StatusCode, string(raw), nil
}

// pick returns the witness's own line of an answer, once it has been verified.
func (c *cosigner) pick(i int, text, answer string) (string, error) {
	one := Policy{Witnesses: c.policy.Witnesses[i : i+1], Quorum: 1}
	for line := range strings.Lines(answer) {
		if !strings.HasSuffix(line, "\n") {
			line += "\n"
		}
		if _, err := one.Met(text + line); err == nil {
			return line, nil
		}
	}
	return "", errors.New("its answer holds no good cosignature of the key that is configured")
}

// confront asks a witness for the checkpoint it cosigned last. One that the log
// itself signed and that the tree on disk does not continue is proof that the
// directory is an old copy, or that the key has been used elsewhere: the log is
// held. Without such proof a witness can say what it likes.
func (c *cosigner) confront(ctx context.Context, i int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.urls[i]+"/checkpoint?origin="+url.QueryEscape(c.ledger.origin()), nil)
	if err != nil {
		return err
	}
	status, text, err := c.do(req)
	if err != nil || status != http.StatusOK {
		return err
	}
	if _, err := OpenCheckpoint(c.ledger.vkey, text); err != nil {
		return nil // not signed by us: no proof of anything
	}
	if err := c.ledger.check(ctx, []string{text}); err != nil {
		if errors.Is(err, ErrHeld) {
			c.ledger.hold(ctx, fmt.Errorf("%w (a witness has the log's own signature)", err))
		}
		return err
	}
	return nil
}

// remembered holds the log, before it signs anything, where a witness knows of a
// tree that is not on disk. A dead witness costs startPatience.
func (c *cosigner) remembered(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var wg sync.WaitGroup
	for i := range c.urls {
		wg.Go(func() {
			if err := c.confront(ctx, i); err != nil && !errors.Is(err, ErrHeld) {
				c.tell(ctx, i, "", err)
			}
		})
	}
	wg.Wait()
}

// Witnesses returns how it goes with every witness, and the size of the tree that
// a quorum has cosigned, -1 before the first.
func (l *Ledger) Witnesses() (all []WitnessStatus, cosigned int64) {
	if l.cosigner == nil {
		return nil, -1
	}
	l.cosigner.mu.Lock()
	defer l.cosigner.mu.Unlock()
	return slices.Clone(l.cosigner.statuses), l.cosigner.size
}

// Policy returns whose cosignatures the log asks for.
func (l *Ledger) Policy() Policy {
	if l.cosigner == nil {
		return Policy{}
	}
	return l.cosigner.policy
}

// CosignedSize returns the size of the newest tree that a quorum of witnesses has
// cosigned; -1 where none is asked for, or none has yet.
func (l *Ledger) CosignedSize() int64 {
	if l.cosigner == nil || l.cosigner.policy.Quorum == 0 {
		return -1
	}
	_, size := l.cosigner.best()
	return size
}

// CosignedReceipt returns a receipt under the newest checkpoint that a quorum of
// witnesses cosigned, for a leaf below CosignedSize.
func (l *Ledger) CosignedReceipt(ctx context.Context, index int64) (string, error) {
	text, size := l.cosigner.best()
	if index < 0 || index >= size {
		return "", fmt.Errorf("cosigned receipt of leaf %d: no quorum has cosigned more than %d leaves", index, max(size, 0))
	}
	receipt, err := l.prove(ctx, index, text, size)
	if err != nil {
		return "", fmt.Errorf("cosigned receipt of leaf %d: %w", index, err)
	}
	return receipt, nil
}
