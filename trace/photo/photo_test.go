package photo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace/photo"
)

// index remembers uploads.
type index []photo.Upload

func (i *index) AddPhoto(_ context.Context, u photo.Upload) error {
	if u.Site == "nowhere" {
		return farm.ErrNotFound
	}
	*i = append(*i, u)
	return nil
}

func (i *index) PhotoUploads(_ context.Context, hash string) (found []photo.Upload, err error) {
	for _, u := range *i {
		if u.Hash == hash {
			found = append(found, u)
		}
	}
	return found, nil
}

func (i *index) PhotoUse(_ context.Context, tenant string) (pictures int, bytes int64, err error) {
	for _, u := range *i {
		if u.Tenant == tenant {
			pictures, bytes = pictures+1, bytes+u.Size
		}
	}
	return pictures, bytes, nil
}

func (i *index) DropPhotos(context.Context, time.Time) error {
	*i = slices.DeleteFunc(*i, func(u photo.Upload) bool { return u.Account == "forgotten" })
	return nil
}

func shelf(t *testing.T) (*photo.Shelf, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	return &photo.Shelf{Dir: dir, Index: &index{}}, dir
}

// flag is red at the top left, blue elsewhere.
func flag(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{B: 255, A: 255}
			if x < w/2 && y < h/2 {
				c = color.RGBA{R: 255, A: 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// photograph is a JPEG as a phone writes it, with an Exif block: how it is to be
// turned, and a secret.
func photograph(t testing.TB, w, h int, orientation byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, flag(w, h), nil); err != nil {
		t.Fatal(err)
	}
	tiff := "MM\x00*\x00\x00\x00\x08" + "\x00\x01" + "\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00" + "\x00\x00\x00\x00" + "GPS 108.55,21.73"
	block := "Exif\x00\x00" + tiff
	app1 := append([]byte{0xff, 0xe1, 0, byte(len(block) + 2)}, block...)
	return append(append(b.Bytes()[:2:2], app1...), b.Bytes()[2:]...)
}

func TestPut(t *testing.T) {
	s, dir := shelf(t)
	raw := photograph(t, 64, 32, 1)
	sum := sha256.Sum256(raw)
	want := hex.EncodeToString(sum[:])
	for range 2 {
		hash, err := s.Put(t.Context(), raw, photo.Upload{Tenant: "tea", Site: "garden-1", Account: "wei"})
		if err != nil || hash != want {
			t.Fatalf("put as %s: %v", hash, err)
		}
	}
	got, media, err := s.Get(want)
	if err != nil || !bytes.Equal(got, raw) || media != "image/jpeg" {
		t.Errorf("got %d bytes of %s: %v", len(got), media, err)
	}
	if all, err := s.Uploads(t.Context(), want); err != nil || all[0].Tenant != "tea" || all[0].Hash != want {
		t.Errorf("uploads %+v, %v", all, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("on disk: %v, %v", left, err)
	}
	if err := os.WriteFile(left[0], []byte("other bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(want); err == nil || errors.Is(err, farm.ErrNotFound) {
		t.Errorf("other bytes under the name: %v", err)
	}
}

func TestPutRefuses(t *testing.T) {
	s, dir := shelf(t)
	whole := photograph(t, 640, 480, 1)
	var bomb bytes.Buffer
	if err := png.Encode(&bomb, image.NewPaletted(image.Rect(0, 0, 10000, 5001), color.Palette{color.White})); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":            {nil, photo.ErrNoPicture},
		"text":               {[]byte("hello"), photo.ErrNoPicture},
		"a page":             {[]byte("<html><script>alert(1)</script>"), photo.ErrNoPicture},
		"a drawing":          {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), photo.ErrNoPicture},
		"a moving picture":   {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), photo.ErrNoPicture},
		"called a JPEG":      {[]byte("\xff\xd8\xff<script>"), photo.ErrNoPicture},
		"half a picture":     {whole[:len(whole)/2], photo.ErrNoPicture},
		"too many bytes":     {make([]byte, photo.MaxBytes+1), photo.ErrTooLarge},
		"too many pixels":    {bomb.Bytes(), photo.ErrTooLarge},
		"a stranger's place": {whole, farm.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			site := "garden-1"
			if errors.Is(tt.want, farm.ErrNotFound) {
				site = "nowhere"
			}
			if _, err := s.Put(t.Context(), tt.raw, photo.Upload{Tenant: "tea", Site: site}); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	for _, name := range []string{"", "..", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("a", 63) + "/", strings.Repeat("0", 64) + ".public.jpg"} {
		if _, _, err := s.Get(name); !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("Get(%q): %v", name, err)
		}
		if _, err := s.Public(name); !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("Public(%q): %v", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".new-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What strangers are given shows the picture upright and says nothing else.
// A tenant's room is its own and finite; what is there already takes none.
func TestQuota(t *testing.T) {
	s, _ := shelf(t)
	one, other := photograph(t, 40, 30, 1), photograph(t, 41, 30, 1)
	s.Quota = int64(len(one) + len(other) - 1)
	wei := photo.Upload{Tenant: "tea", Site: "garden", Account: "wei"}
	for _, raw := range [][]byte{one, one} {
		if _, err := s.Put(t.Context(), raw, wei); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(t.Context(), other, wei); !errors.Is(err, photo.ErrFull) {
		t.Errorf("beyond the quota: %v", err)
	}
	if _, err := s.Put(t.Context(), other, photo.Upload{Tenant: "oysters", Site: "raft", Account: "li"}); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	if use, err := s.Use(t.Context(), "oysters"); err != nil || use != (photo.Use{Pictures: 1, Bytes: int64(len(other)), Quota: s.Quota}) {
		t.Errorf("used %+v, %v", use, err)
	}
}

func TestPublic(t *testing.T) {
	// Where the red quarter ends up, by orientation.
	for orientation, red := range map[byte][2]float64{1: {.2, .2}, 2: {.8, .2}, 3: {.8, .8}, 4: {.2, .8}, 5: {.2, .2}, 6: {.8, .2}, 7: {.8, .8}, 8: {.2, .8}, 9: {.2, .2}} {
		s, _ := shelf(t)
		raw := photograph(t, 3200, 1600, orientation)
		if !bytes.Contains(raw, []byte("GPS")) {
			t.Fatal("the picture has no secret")
		}
		hash, err := s.Put(t.Context(), raw, photo.Upload{Tenant: "tea", Site: "garden-1"})
		if err != nil {
			t.Fatal(err)
		}
		public, err := s.Public(hash)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(public, []byte("GPS")) || bytes.Contains(public, []byte("Exif")) {
			t.Error("the copy holds what the camera wrote")
		}
		m, kind, err := image.Decode(bytes.NewReader(public))
		if err != nil || kind != "jpeg" {
			t.Fatalf("the copy is %s: %v", kind, err)
		}
		w, h := m.Bounds().Dx(), m.Bounds().Dy()
		if turned := orientation >= 5 && orientation <= 8; turned && (w != 800 || h != 1600) || !turned && (w != 1600 || h != 800) {
			t.Errorf("orientation %d: %d × %d", orientation, w, h)
		}
		if r, _, b, _ := m.At(int(red[0]*float64(w)), int(red[1]*float64(h))).RGBA(); r < b {
			t.Errorf("orientation %d: the red quarter is elsewhere", orientation)
		}
		again, err := s.Public(hash)
		if err != nil || !bytes.Equal(again, public) {
			t.Errorf("the second time it is another: %v", err)
		}
	}
}

// What nobody knows of goes, once it is old; what somebody has stays.
func TestClean(t *testing.T) {
	s, dir := shelf(t)
	put := func(w int, account string) string {
		hash, err := s.Put(t.Context(), photograph(t, w, 8, 1), photo.Upload{Tenant: "tea", Site: "garden-1", Account: account})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Public(hash); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	kept, forgotten := put(8, "wei"), put(16, "forgotten")
	torn := filepath.Join(dir, kept[:2], ".new-1")
	torn2 := filepath.Join(dir, kept[:2], strings.Repeat("f", 64)) // never reached the index
	for _, name := range []string{torn, torn2} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Clean(t.Context(), time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("young files: %d removed, %v", n, err)
	}
	if n, err := s.Clean(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 4 {
		t.Errorf("%d removed, want the forgotten picture, its copy and two torn files: %v", n, err)
	}
	if _, _, err := s.Get(forgotten); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("the forgotten one: %v", err)
	}
	if _, _, err := s.Get(kept); err != nil {
		t.Errorf("the one that is known: %v", err)
	}
}

func FuzzPut(f *testing.F) {
	f.Add(photograph(f, 8, 8, 6))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\xff\xff\xff\xff"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, _ := shelf(t)
		hash, err := s.Put(t.Context(), raw, photo.Upload{Tenant: "tea", Site: "garden-1"})
		if err != nil {
			return
		}
		if _, err := s.Public(hash); err != nil {
			t.Errorf("kept, but cannot be shown: %v", err)
		}
	})
}

// A cover and a thumbnail are small and of one shape, whatever the picture is.
func TestSmallCopies(t *testing.T) {
	noisy := image.NewRGBA(image.Rect(0, 0, 900, 1400))
	for i := range noisy.Pix {
		noisy.Pix[i] = byte(i * i >> 3 * 31)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, noisy); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"wide": photograph(t, 3200, 800, 1), "upright": photograph(t, 300, 1600, 6), "of noise": b.Bytes()} {
		s, _ := shelf(t)
		hash, err := s.Put(t.Context(), raw, photo.Upload{Tenant: "tea", Site: "garden-1"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for copy, want := range map[string]struct {
				make                func(hash string) ([]byte, error)
				width, height, most int
			}{"cover": {s.Cover, photo.CoverWidth, photo.CoverHeight, photo.MaxCover}, "thumb": {s.Thumb, photo.ThumbSide, photo.ThumbSide, photo.MaxThumb}} {
				raw, err := want.make(hash)
				if err != nil {
					t.Fatal(err)
				}
				size, err := jpeg.DecodeConfig(bytes.NewReader(raw))
				if err != nil || size.Width != want.width || size.Height != want.height || len(raw) > want.most {
					t.Errorf("%s of %s: %d x %d in %d bytes, %v", copy, name, size.Width, size.Height, len(raw), err)
				}
			}
		}
	}
}
