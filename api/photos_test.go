package api_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"strings"
	"testing"
	"time"

	"tianhai/trace/photo"
)

// uploads is an index in memory.
type uploads []photo.Upload

func (u *uploads) AddPhoto(_ context.Context, one photo.Upload) error {
	*u = append(*u, one)
	return nil
}

func (u *uploads) PhotoUploads(_ context.Context, hash string) (found []photo.Upload, err error) {
	for _, one := range *u {
		if one.Hash == hash {
			found = append(found, one)
		}
	}
	return found, nil
}

func (u *uploads) PhotoUse(_ context.Context, tenant string) (pictures int, bytes int64, err error) {
	for _, one := range *u {
		if one.Tenant == tenant {
			pictures, bytes = pictures+1, bytes+one.Size
		}
	}
	return pictures, bytes, nil
}

func (u *uploads) DropPhotos(context.Context, time.Time) error { return nil }

func shelfOf(t testing.TB) *photo.Shelf {
	return &photo.Shelf{Dir: t.TempDir(), Index: &uploads{}}
}

func picture(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPhotos(t *testing.T) {
	base, _ := serve(t, newWorld())
	farmer, stranger := client{t, base, "farmer"}, client{t, base, "stranger"}
	raw := picture(t)
	var got struct {
		Hash string
		Size int
	}
	a := farmer.do("POST", "/photos?site=raft-1", raw)
	want(t, "kept", 201, a.status)
	a.decode(t, &got)
	want(t, "size", len(raw), got.Size)

	back := farmer.do("GET", "/photos/"+got.Hash, "")
	want(t, "as it came", raw, back.body)
	for name, value := range map[string]string{"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"} {
		want(t, name, value, back.header.Get(name))
	}
	want(t, "a stranger's", 404, stranger.do("GET", "/photos/"+got.Hash, "").status)
	want(t, "for a stranger's site", 404, stranger.do("POST", "/photos?site=raft-1", raw).status)
	want(t, "none such", 404, farmer.do("GET", "/photos/"+strings.Repeat("0", 64), "").status)
	for _, path := range []string{"/photos/..%2f..%2fetc%2fpasswd", "/photos/%2e%2e", "/photos/" + got.Hash + ".public.jpg", "/photos/" + strings.ToUpper(got.Hash)} {
		want(t, path, 404, farmer.do("GET", path, "").status)
	}
	want(t, "a page", "no_picture", farmer.do("POST", "/photos?site=raft-1", "<html><script>").problem(t).Code)
	want(t, "too large", "too_large", farmer.do("POST", "/photos?site=raft-1", strings.Repeat("x", photo.MaxBytes+1)).problem(t).Code)
	want(t, "no site", "site", farmer.do("POST", "/photos", raw).problem(t).Field)
}

// What a camera claims is for the owner and the bureau, and so is how much room is
// taken; a picture that does not fit is refused.
func TestPhotoFacts(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	farmer := client{t, base, "farmer"}
	var put struct {
		Hash string
		Far  bool
	}
	taken, err := os.ReadFile("../trace/photo/testdata/nanning.jpg") // a hundred kilometres from the raft
	if err != nil {
		t.Fatal(err)
	}
	farmer.do("POST", "/photos?site=raft-1", string(taken)).decode(t, &put)
	want(t, "far", true, put.Far)
	var got struct {
		Photos []struct {
			Site, Account string
			Size          int
			Taken         time.Time
			Position      *struct{ Longitude float64 }
		}
	}
	for _, login := range []string{"farmer", "manager", "bureau", "admin"} {
		client{t, base, login}.do("GET", "/photos/"+put.Hash+"/facts", "").decode(t, &got)
		if len(got.Photos) != 1 || got.Photos[0].Site != "raft-1" || got.Photos[0].Account != "farmer" || got.Photos[0].Size != len(taken) ||
			!got.Photos[0].Taken.Equal(time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)) || got.Photos[0].Position.Longitude < 108 {
			t.Errorf("%s is told %+v", login, got.Photos)
		}
	}
	for _, login := range []string{"stranger", "bureau-tea"} {
		want(t, login, 404, client{t, base, login}.do("GET", "/photos/"+put.Hash+"/facts", "").status)
	}
	var use photo.Use
	farmer.do("GET", "/tenants/oyster/photos", "").decode(t, &use)
	if use.Pictures != 1 || use.Bytes == 0 || use.Quota != photo.DefaultQuota {
		t.Errorf("used: %+v", use)
	}
	var ops struct {
		Photos []struct {
			Hash string
			Far  bool
		}
	}
	farmer.do("GET", "/sites/raft-1/operations", "").decode(t, &ops)
	if len(ops.Photos) != 1 || !ops.Photos[0].Far {
		t.Errorf("with the operations: %+v", ops.Photos)
	}
}
