package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/mod/sumdb/note"
)

// lockDir takes the directory for this Ledger alone, within the process as well
// as between processes: Tessera's own lock covers only the latter.
func lockDir(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// A signer knows its public half.
type signer struct {
	note.Signer
	vkey string
}

// openKey reads the private key in dir, or makes one where there is no log yet.
func openKey(dir, origin string) (s signer, fresh bool, err error) {
	path := filepath.Join(dir, "key")
	_, err = os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		s, err = createKey(dir, path, origin)
		return s, true, err
	}
	if err != nil {
		return signer{}, false, err
	}
	s, _, err = readKey(path)
	if err != nil {
		return signer{}, false, err
	}
	if origin != "" && origin != s.Name() {
		return signer{}, false, fmt.Errorf("%s is the key of the log %q, not of %q; a log keeps its name", path, s.Name(), origin)
	}
	return s, false, nil
}

// readKey reads a private key that nobody else can read.
func readKey(path string) (s signer, skey string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return signer{}, "", err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return signer{}, "", fmt.Errorf("%s can be read by others (mode %04o): chmod 600", path, perm)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return signer{}, "", err
	}
	skey = strings.TrimSpace(string(raw))
	if s, err = parseKey(skey); err != nil {
		return signer{}, "", fmt.Errorf("%s: %w", path, err)
	}
	return s, skey, nil
}

func createKey(dir, path, origin string) (signer, error) {
	if _, err := os.Stat(filepath.Join(dir, "tiles", "checkpoint")); err == nil {
		return signer{}, fmt.Errorf("%s is missing but the log exists; restore it, another key would be another log", path)
	}
	if origin == "" {
		origin = defaultOrigin
	}
	skey, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return signer{}, err
	}
	s, err := parseKey(skey)
	if err != nil {
		return signer{}, fmt.Errorf("origin %q: %w", origin, err)
	}
	return s, writeSynced(dir, path, skey+"\n")
}

// parseKey reads a signed-note private key and derives the verifier key.
func parseKey(skey string) (signer, error) {
	s, err := note.NewSigner(skey)
	if err != nil {
		return signer{}, errors.New("no signed-note private key") // the library's error could quote it
	}
	// "PRIVATE+KEY+name+hash+base64"; the base64 may hold a plus sign.
	fields := strings.SplitN(skey, "+", 5)
	seed, err := base64.StdEncoding.DecodeString(fields[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return signer{}, errors.New("no Ed25519 private key")
	}
	pub := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(s.Name(), pub)
	if err != nil {
		return signer{}, err
	}
	return signer{s, vkey}, nil
}

// writeSynced writes a private file so that a power cut leaves all or nothing.
func writeSynced(dir, path, content string) (err error) {
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
