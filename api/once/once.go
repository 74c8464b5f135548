// Package once answers a request that comes again as it was answered before.
//
// A client names a request with a key that nobody else can guess. The first one with
// it is carried out, and its answer kept for a day; the same again gets that answer,
// on any server of the records database and after a restart, while another request
// under the key is refused. The answer is kept sealed under the key itself, which is
// not kept: a copy of the database holds no secret that was shown once.
//
// Draft: draft-ietf-httpapi-idempotency-key-header-07.
package once

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Limits of keys and of what is kept.
const (
	MinKey  = 16 // characters
	MaxKey  = 128
	Kept    = 24 * time.Hour
	MaxKeys = 10_000   // of one account at a time
	MaxBody = 16 << 20 // bytes of an answer
	// Lease is how long a request may be in progress. One that a crash ended is carried
	// out anew after it, as nobody knows how far it came.
	Lease = time.Minute
)

// Why a request is not carried out.
var (
	ErrKey   = errors.New("the key is not 16 to 128 printable ASCII characters")
	ErrOther = errors.New("another request had this key")
	ErrBusy  = errors.New("the request before is in progress")
	ErrFull  = errors.New("too many keys are kept for this account")
)

// A Request is what somebody asks under a key.
type Request struct {
	Account string
	Key     string
	Print   [sha256.Size]byte // of all that makes it this request and no other
}

// An Answer is what a request got.
type Answer struct {
	Status int                 `json:"status"`
	Header map[string][]string `json:"header"`
	Body   []byte              `json:"body"`
}

// An Entry is what a Store keeps of a request.
type Entry struct {
	ID      []byte // SHA-256 of account and key
	Account string
	Print   []byte
	Sealed  []byte // the answer; nil while it is in progress
	Created time.Time
	Lease   time.Time // until when it may be in progress
}

// Store keeps entries in the records database.
type Store interface {
	// ClaimAnswer adds e, or takes over one with its ID and print whose lease has ended
	// without an answer, and forgets those created more than Kept before e. Where it
	// does neither it returns the entry that is there. ErrFull when the account has
	// MaxKeys already.
	ClaimAnswer(ctx context.Context, e Entry) (there *Entry, err error)
	KeepAnswer(ctx context.Context, id, sealed []byte) error
	ForgetAnswer(ctx context.Context, id []byte) error
}

// A Desk knows what was asked before.
type Desk struct {
	Store Store
	Now   func() time.Time // nil means time.Now
}

// A Claim is a request that is in progress. Either Keep or Drop ends it.
type Claim struct {
	store Store
	id    []byte
	key   string
}

// Begin claims a request, or returns what the same one got before. Errors: ErrKey,
// ErrOther, ErrBusy, ErrFull.
func (d *Desk) Begin(ctx context.Context, r Request) (*Claim, *Answer, error) {
	if !goodKey(r.Key) {
		return nil, nil, ErrKey
	}
	id := sha256.Sum256([]byte("request\x00" + r.Account + "\x00" + r.Key))
	now := d.now()
	there, err := d.Store.ClaimAnswer(ctx, Entry{ID: id[:], Account: r.Account, Print: r.Print[:], Created: now, Lease: now.Add(Lease)})
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("claim request: %w", err)
	case there == nil:
		return &Claim{d.Store, id[:], r.Key}, nil, nil
	case !bytes.Equal(there.Print, r.Print[:]):
		return nil, nil, ErrOther
	case there.Sealed == nil:
		return nil, nil, ErrBusy
	}
	a, err := open(r.Key, there.Sealed)
	if err != nil {
		return nil, nil, fmt.Errorf("open kept answer: %w", err)
	}
	return nil, &a, nil
}

// Hold claims a name that only one at a time may have, on all servers of a database:
// ErrBusy where it is had. Drop gives it back.
func (d *Desk) Hold(ctx context.Context, name string) (*Claim, error) {
	id := sha256.Sum256([]byte("hold\x00" + name))
	now := d.now()
	there, err := d.Store.ClaimAnswer(ctx, Entry{ID: id[:], Print: id[:], Created: now, Lease: now.Add(Lease)})
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", name, err)
	}
	if there != nil {
		return nil, ErrBusy
	}
	return &Claim{store: d.Store, id: id[:]}, nil
}

// Keep keeps the answer; one larger than MaxBody is dropped.
func (c *Claim) Keep(ctx context.Context, a Answer) error {
	if len(a.Body) > MaxBody {
		return c.Drop(ctx)
	}
	sealed, err := seal(c.key, a)
	if err != nil {
		return err
	}
	return c.store.KeepAnswer(ctx, c.id, sealed)
}

// Drop forgets the request: nothing came of it.
func (c *Claim) Drop(ctx context.Context) error { return c.store.ForgetAnswer(ctx, c.id) }

func (d *Desk) now() time.Time {
	if d.Now != nil {
		return d.Now().UTC()
	}
	return time.Now().UTC()
}

func goodKey(key string) bool {
	for _, b := range []byte(key) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return len(key) >= MinKey && len(key) <= MaxKey
}

// sealer returns the cipher of a key, which is the client's and random enough.
func sealer(key string) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, []byte(key), nil, "tianhai kept answer v1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func seal(key string, a Answer) ([]byte, error) {
	aead, err := sealer(key)
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer
	z := gzip.NewWriter(&plain)
	if err := errors.Join(json.NewEncoder(z).Encode(a), z.Close()); err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) //nolint:errcheck // it never fails
	return aead.Seal(nonce, nonce, plain.Bytes(), nil), nil
}

func open(key string, sealed []byte) (Answer, error) {
	aead, err := sealer(key)
	if err != nil {
		return Answer{}, err
	}
	if len(sealed) < aead.NonceSize() {
		return Answer{}, errors.New("cut off")
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return Answer{}, err
	}
	z, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	err = json.NewDecoder(io.LimitReader(z, 2*MaxBody)).Decode(&a)
	return a, errors.Join(err, z.Close())
}
