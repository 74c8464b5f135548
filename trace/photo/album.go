package photo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// An Album keeps pictures of people who are nobody's, in a directory that is its
// alone: never as they came, but drawn anew, without place, time or camera. It may be
// used concurrently.
type Album struct {
	Dir string

	mu sync.Mutex // while a picture is decoded: one at a time, so that memory is bounded
}

// Keep keeps a picture and returns its hash. Errors: ErrTooLarge, ErrNoPicture.
func (a *Album) Keep(raw []byte) (hash string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := (&Shelf{}).check(raw); err != nil {
		return "", err
	}
	drawn, err := redraw(raw)
	if err != nil {
		return "", ErrNoPicture
	}
	sum := sha256.Sum256(drawn)
	hash = hex.EncodeToString(sum[:])
	if err := write(a.file(hash), drawn); err != nil {
		return "", fmt.Errorf("keep picture: %w", err)
	}
	return hash, nil
}

// Get returns a picture, a JPEG; farm.ErrNotFound.
func (a *Album) Get(hash string) ([]byte, error) {
	if !catalog.IsHash(hash) {
		return nil, farm.ErrNotFound
	}
	raw, err := os.ReadFile(a.file(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, farm.ErrNotFound
	}
	return raw, err
}

func (a *Album) file(hash string) string { return filepath.Join(a.Dir, hash[:2], hash+".jpg") }
