// Package photo keeps pictures under the SHA-256 of their bytes. The bytes are kept
// exactly as they came, because records are sealed with their hash; strangers are
// given a copy that is drawn anew, without what the camera wrote into it.
//
// Whoever may see a picture is the caller's business.
package photo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // registers the format
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // registers the format

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// Limits of a picture.
const (
	MaxBytes  = 10 << 20
	MaxPixels = 50_000_000
	maxSide   = 1600 // of the copy for strangers
)

// ErrTooLarge reports more than MaxBytes or MaxPixels.
var ErrTooLarge = errors.New("picture is too large")

// ErrNoPicture reports bytes that are no JPEG, PNG or WebP picture, or not all of one.
var ErrNoPicture = errors.New("not a JPEG, PNG or WebP picture")

// ErrNoDocument reports bytes that are neither a whole picture nor a whole PDF.
var ErrNoDocument = errors.New("not a PDF, JPEG, PNG or WebP file")

// PDF is the media type of a document.
const PDF = "application/pdf"

// ErrFull reports a picture for which a tenant has no room left.
var ErrFull = errors.New("no room is left for pictures")

// DefaultQuota is how many bytes of pictures a tenant may have where nobody has said
// otherwise: some thirty thousand.
const DefaultQuota = 10 << 30

// An Upload is who put a picture there, for which site, and what the camera says.
type Upload struct {
	Hash     string // SHA-256 of the bytes, in hex
	Tenant   string
	Site     string
	Account  string
	Size     int64 // bytes; 0 of one from before sizes were kept
	Uploaded time.Time
	Claim
	Far bool // the camera's position is out of the site's reach
}

// A Use is how much room a tenant's pictures take.
type Use struct {
	Pictures int   `json:"pictures"`
	Bytes    int64 `json:"bytes"`
	Quota    int64 `json:"quota"` // bytes
}

// Index knows whose pictures there are.
type Index interface {
	// AddPhoto remembers an upload; the same picture of the same tenant again makes it
	// young again. farm.ErrNotFound when the tenant has no such site.
	AddPhoto(ctx context.Context, u Upload) error
	// PhotoUploads returns who uploaded a picture; empty for one that is unknown.
	PhotoUploads(ctx context.Context, hash string) ([]Upload, error)
	// PhotoUse counts a tenant's pictures and their bytes.
	PhotoUse(ctx context.Context, tenant string) (pictures int, bytes int64, err error)
	// DropPhotos forgets uploads before a time that no operation names.
	DropPhotos(ctx context.Context, before time.Time) error
}

// A Shelf keeps pictures in a directory that is its alone. It may be used
// concurrently.
type Shelf struct {
	Dir   string
	Index Index
	// Documents says that PDF files are kept as well. Their inside is not looked at.
	Documents bool
	Quota     int64 // bytes of one tenant; 0: DefaultQuota

	// Held while files and index are brought together, and while a picture is
	// decoded: one at a time, so that memory is bounded.
	mu sync.Mutex
}

// Put stores a picture and returns its hash. The file is on disk before the index
// knows of it, so that what is known can be read. Hash, Size and Uploaded are not the
// caller's. Errors: ErrTooLarge, ErrNoPicture or ErrNoDocument, ErrFull, and those of
// Index.
func (s *Shelf) Put(ctx context.Context, raw []byte, u Upload) (hash string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(raw); err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	u.Hash, u.Size = hex.EncodeToString(sum[:]), int64(len(raw))
	if err := s.room(ctx, u); err != nil {
		return "", err
	}
	if err := write(s.file(u.Hash), raw); err != nil {
		return "", fmt.Errorf("keep picture: %w", err)
	}
	if err := s.Index.AddPhoto(ctx, u); err != nil {
		return "", fmt.Errorf("keep picture %s: %w", u.Hash, err)
	}
	return u.Hash, nil
}

// room is ErrFull where a picture does not fit beside the tenant's others. One that
// is there already takes none.
func (s *Shelf) room(ctx context.Context, u Upload) error {
	known, err := s.Index.PhotoUploads(ctx, u.Hash)
	if err != nil {
		return fmt.Errorf("keep picture %s: %w", u.Hash, err)
	}
	if slices.ContainsFunc(known, func(k Upload) bool { return k.Tenant == u.Tenant }) {
		return nil
	}
	use, err := s.Use(ctx, u.Tenant)
	if err != nil {
		return err
	}
	if use.Bytes+u.Size > use.Quota {
		return ErrFull
	}
	return nil
}

// Use returns how much room a tenant's pictures take.
func (s *Shelf) Use(ctx context.Context, tenant string) (Use, error) {
	pictures, bytes, err := s.Index.PhotoUse(ctx, tenant)
	if err != nil {
		return Use{}, fmt.Errorf("count pictures of %s: %w", tenant, err)
	}
	return Use{Pictures: pictures, Bytes: bytes, Quota: cmp.Or(s.Quota, DefaultQuota)}, nil
}

// Uploads returns who uploaded a picture; farm.ErrNotFound for one that is unknown.
func (s *Shelf) Uploads(ctx context.Context, hash string) ([]Upload, error) {
	if !catalog.IsHash(hash) {
		return nil, farm.ErrNotFound
	}
	all, err := s.Index.PhotoUploads(ctx, hash)
	if err == nil && len(all) == 0 {
		err = farm.ErrNotFound
	}
	return all, err
}

// Get returns a picture's bytes and media type as they are; farm.ErrNotFound. Bytes
// that are not those of the hash are an error, and nobody is shown them.
func (s *Shelf) Get(hash string) (raw []byte, mediaType string, err error) {
	if !catalog.IsHash(hash) {
		return nil, "", farm.ErrNotFound
	}
	raw, err = os.ReadFile(s.file(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", farm.ErrNotFound
	}
	if err != nil {
		return nil, "", fmt.Errorf("read picture: %w", err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != hash {
		return nil, "", fmt.Errorf("read picture %s: the file holds other bytes", hash)
	}
	return raw, http.DetectContentType(raw), nil
}

// Public returns a JPEG of a picture that tells nothing but what is to be seen: no
// place, time or camera; upright, and at most 1600 pixels wide and high. It is made
// once and kept. farm.ErrNotFound.
func (s *Shelf) Public(hash string) ([]byte, error) {
	if !catalog.IsHash(hash) {
		return nil, farm.ErrNotFound
	}
	return s.keep(s.file(hash)+".public.jpg", func() ([]byte, error) {
		raw, _, err := s.Get(hash)
		if err != nil {
			return nil, err
		}
		drawn, err := redraw(raw)
		if err != nil {
			return nil, fmt.Errorf("draw picture %s: %w", hash, err)
		}
		return drawn, nil
	})
}

// keep returns what a file holds, drawn and written where it is missing.
func (s *Shelf) keep(file string, drawn func() ([]byte, error)) ([]byte, error) {
	if raw, err := os.ReadFile(file); err == nil {
		return raw, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := drawn()
	if err != nil {
		return nil, err
	}
	if err := write(file, raw); err != nil {
		return nil, fmt.Errorf("keep copy: %w", err)
	}
	return raw, nil
}

// Clean forgets pictures from before a time that no operation names, and deletes
// files that nobody knows of: of those, and of uploads that a crash cut short.
func (s *Shelf) Clean(ctx context.Context, before time.Time) (removed int, err error) {
	if err := s.Index.DropPhotos(ctx, before); err != nil {
		return 0, fmt.Errorf("clean pictures: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(s.Dir, "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return 0, fmt.Errorf("clean pictures: %w", err)
	}
	for _, name := range files {
		gone, err := s.cleanFile(ctx, name, before)
		if err != nil {
			return removed, fmt.Errorf("clean pictures: %w", err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// cleanFile deletes a file from before a time unless somebody has uploaded it.
func (s *Shelf) cleanFile(ctx context.Context, name string, before time.Time) (gone bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(name)
	if err != nil || !info.ModTime().Before(before) {
		return false, err
	}
	hash, _, _ := strings.Cut(filepath.Base(name), ".") // of the copy, too; none of what a crash left
	uploads, err := s.Index.PhotoUploads(ctx, hash)
	if err != nil || len(uploads) > 0 {
		return false, err
	}
	return true, os.Remove(name)
}

// file is where a picture lies; hash is one.
func (s *Shelf) file(hash string) string { return filepath.Join(s.Dir, hash[:2], hash) }

// check looks at a picture, or at a document where these are kept.
func (s *Shelf) check(raw []byte) error {
	if !s.Documents {
		return check(raw)
	}
	if http.DetectContentType(raw) == PDF {
		switch {
		case len(raw) > MaxBytes:
			return ErrTooLarge
		case !bytes.Contains(raw[max(0, len(raw)-pdfEnd):], []byte("%%EOF")):
			return fmt.Errorf("%w: its end is missing", ErrNoDocument)
		}
		return nil
	}
	err := check(raw)
	if errors.Is(err, ErrNoPicture) {
		err = fmt.Errorf("%w: %w", ErrNoDocument, err)
	}
	return err
}

// pdfEnd is how far from its end readers look for a PDF's end mark, in bytes
// (ISO 32000-1, appendix H.3, note 18).
const pdfEnd = 1024

// check decodes the whole picture: half of one is none, and what is called a picture
// and is none is never kept.
func check(raw []byte) error {
	if len(raw) > MaxBytes {
		return ErrTooLarge
	}
	switch http.DetectContentType(raw) {
	case "image/jpeg", "image/png", "image/webp":
	default:
		return ErrNoPicture
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoPicture, err)
	}
	if size.Width*size.Height > MaxPixels {
		return ErrTooLarge
	}
	if _, _, err := image.Decode(bytes.NewReader(raw)); err != nil {
		return fmt.Errorf("%w: %w", ErrNoPicture, err)
	}
	return nil
}

func redraw(raw []byte) ([]byte, error) {
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	size := picture.Bounds()
	w, h := size.Dx(), size.Dy()
	if longest := max(w, h); longest > maxSide {
		w, h = max(1, w*maxSide/longest), max(1, h*maxSide/longest)
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src) // behind what is transparent
	draw.ApproxBiLinear.Scale(small, small.Bounds(), picture, size, draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, upright(small, orientation(raw)), &jpeg.Options{Quality: 82}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// write puts a file there as a whole or not at all, and on disk.
func write(name string, raw []byte) (err error) {
	if _, err := os.Stat(name); err == nil {
		return nil // the name says what is in it
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(dir, filepath.Dir(dir))
}

func syncDir(names ...string) error {
	for _, name := range names {
		d, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}
