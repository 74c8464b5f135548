package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	// MaxReceipt is the size of the longest receipt that Verify reads, in bytes.
	MaxReceipt = 128 << 10
	maxPath    = 63 // hashes, for a tree of at most 2⁶³ leaves
)

// A Proof is what a verified receipt says.
type Proof struct {
	Origin string // the log's name
	Index  int64  // of the leaf, from 0
	Size   int64  // leaves in the tree that the checkpoint signs
	Leaf   []byte
	Root   [32]byte // RFC 6962 Merkle tree hash
}

// Verify checks a receipt offline: that it is a c2sp.org/tlog-proof@v1 text
// whose extra line holds the leaf, that the leaf stands at its index in the tree
// of the checkpoint (RFC 6962 §2.1.1), and that the owner of vkey signed that
// checkpoint. vkey is "origin+hash+base64" with an Ed25519 key. Signatures of
// others are passed over; a false one of vkey refuses the receipt. It does no
// I/O. An error names the line of the receipt that is at fault.
func Verify(vkey, receipt string) (Proof, error) {
	if _, err := note.NewVerifier(vkey); err != nil {
		return Proof{}, fmt.Errorf("verifier key: %w", err)
	}
	r, err := parse(receipt)
	if err != nil {
		return Proof{}, err
	}
	cp, err := OpenCheckpoint(vkey, r.checkpoint)
	if err != nil {
		return Proof{}, fmt.Errorf("receipt line %d: checkpoint: %w", r.checkpointLine, err)
	}
	if r.index >= cp.Size {
		return Proof{}, fmt.Errorf("receipt line 3: index %d is outside of the tree of %d leaves", r.index, cp.Size)
	}
	if err := tlog.CheckRecord(r.path, cp.Size, cp.Root, r.index, tlog.RecordHash(r.leaf)); err != nil {
		return Proof{}, fmt.Errorf("receipt lines 2 to %d: leaf and hashes do not lead to the signed root", r.checkpointLine-2)
	}
	return Proof{Origin: cp.Origin, Index: r.index, Size: cp.Size, Leaf: r.leaf, Root: cp.Root}, nil
}

// VerifyCosigned is Verify, and also asks that the checkpoint be cosigned as the
// policy says. It returns the names of the witnesses that did.
func VerifyCosigned(vkey string, policy Policy, receipt string) (Proof, []string, error) {
	p, err := Verify(vkey, receipt)
	if err != nil {
		return Proof{}, nil, err
	}
	_, checkpoint, _ := strings.Cut(receipt, "\n\n")
	names, err := policy.Met(checkpoint)
	if err != nil {
		return Proof{}, names, fmt.Errorf("receipt: checkpoint: %w", err)
	}
	return p, names, nil
}

// Origin returns the name of the log that a receipt says it is from, unverified:
// it tells which key to verify it with.
func Origin(receipt string) (string, error) {
	r, err := parse(receipt)
	if err != nil {
		return "", err
	}
	origin, _, _ := strings.Cut(r.checkpoint, "\n")
	return origin, nil
}

// parts are the lines of a receipt, nothing of them verified.
type parts struct {
	leaf           []byte
	index          int64
	path           tlog.RecordProof
	checkpoint     string
	checkpointLine int // the first is 1
}

// parse splits a receipt, accepting exactly one spelling of each.
func parse(receipt string) (parts, error) {
	if len(receipt) > MaxReceipt {
		return parts{}, fmt.Errorf("receipt: %d bytes are too many, at most %d are allowed", len(receipt), MaxReceipt)
	}
	if at := strings.IndexByte(receipt, '\r'); at >= 0 {
		return parts{}, fmt.Errorf("receipt line %d: carriage return; lines end in a line feed alone", 1+strings.Count(receipt[:at], "\n"))
	}
	head, checkpoint, ok := strings.Cut(receipt, "\n\n")
	if !ok {
		return parts{}, fmt.Errorf("receipt line %d: no empty line before the checkpoint", 1+strings.Count(receipt, "\n"))
	}
	lines := strings.Split(head, "\n")
	if lines[0] != proofHeader {
		return parts{}, fmt.Errorf("receipt line 1: not %q", proofHeader)
	}
	if len(lines) < 3 {
		return parts{}, fmt.Errorf("receipt line %d: extra and index lines are missing", len(lines)+1)
	}
	r := parts{checkpoint: checkpoint, checkpointLine: len(lines) + 2}
	var err error
	if r.leaf, err = parseExtra(lines[1]); err != nil {
		return parts{}, fmt.Errorf("receipt line 2: %w", err)
	}
	if r.index, err = parseIndex(lines[2]); err != nil {
		return parts{}, fmt.Errorf("receipt line 3: %w", err)
	}
	hashes := lines[3:]
	if len(hashes) > maxPath {
		return parts{}, fmt.Errorf("receipt line %d: more than %d hashes", 4+maxPath, maxPath)
	}
	for i, h := range hashes {
		hash, err := parseHash(h)
		if err != nil {
			return parts{}, fmt.Errorf("receipt line %d: %w", 4+i, err)
		}
		r.path = append(r.path, hash)
	}
	return r, nil
}

func parseExtra(line string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(line, "extra ")
	if !ok {
		return nil, errors.New(`not "extra" and the leaf`)
	}
	leaf, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("extra: %w", err)
	}
	if len(leaf) == 0 || len(leaf) > MaxLeaf {
		return nil, fmt.Errorf("extra: a leaf of %d bytes; allowed are 1 to %d", len(leaf), MaxLeaf)
	}
	return leaf, nil
}

func parseIndex(line string) (int64, error) {
	digits, ok := strings.CutPrefix(line, "index ")
	if !ok {
		return 0, errors.New(`not "index" and a number`)
	}
	return parseNumber(digits)
}

// parseNumber reads a decimal without sign or leading zeros.
func parseNumber(digits string) (int64, error) {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != digits || n < 0 {
		return 0, fmt.Errorf("%.32q is no decimal number", digits)
	}
	return n, nil
}

func parseHash(line string) (tlog.Hash, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Hash{}, errors.New("not the base64 of a SHA-256 hash")
	}
	return tlog.Hash(raw), nil
}

// A Checkpoint is the signed state of a log (c2sp.org/tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64    // leaves
	Root   [32]byte // RFC 6962 Merkle tree hash
}

// OpenCheckpoint reads a checkpoint that the owner of vkey signed. Signatures of
// others are passed over.
func OpenCheckpoint(vkey, text string) (Checkpoint, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("verifier key: %w", err)
	}
	n, err := note.Open([]byte(text), note.VerifierList(verifier))
	var bad *note.InvalidSignatureError
	var unsigned *note.UnverifiedNoteError
	switch {
	case errors.As(err, &bad):
		return Checkpoint{}, fmt.Errorf("the signature of %s is false", bad.Name)
	case errors.As(err, &unsigned):
		return Checkpoint{}, fmt.Errorf("not signed by %s with the given key", verifier.Name())
	case err != nil:
		return Checkpoint{}, err
	}
	return parseCheckpoint(n.Text, verifier.Name())
}

// parseCheckpoint reads the text of a note that has been, or will be, signed.
func parseCheckpoint(text, origin string) (cp Checkpoint, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 3 {
		return Checkpoint{}, fmt.Errorf("%d lines instead of origin, size and root", len(lines))
	}
	if lines[0] != origin {
		return Checkpoint{}, fmt.Errorf("origin %.64q is not the key's log %q", lines[0], origin)
	}
	cp.Origin = lines[0]
	if cp.Size, err = parseNumber(lines[1]); err != nil {
		return Checkpoint{}, fmt.Errorf("size: %w", err)
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("root: %w", err)
	}
	cp.Root = root
	return cp, nil
}

// format writes a receipt.
func format(leaf []byte, index int64, path [][]byte, checkpoint string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(leaf), index)
	for _, h := range path {
		b.WriteString(base64.StdEncoding.EncodeToString(h))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(checkpoint)
	return b.String()
}
