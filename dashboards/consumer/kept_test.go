package consumer_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http/httptest"
	"testing"

	"tianhai/trace"
)

// zipped asks as browsers do, and returns what they show.
func (s *shop) zipped(t *testing.T, path string, header ...string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	w := s.get(t, path, append(header, "Accept-Encoding", "gzip")...)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return w, string(page)
}

// A page is answered again as it was for as long as nothing was committed, and not once
// longer.
func TestKeptPage(t *testing.T) {
	s := newShop(t, "/assets/verify.js")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.rev = "1"
	first, page := s.zipped(t, "/t/"+rec.Code)
	again, same := s.zipped(t, "/t/"+rec.Code)
	if page != same || s.read != 1 {
		t.Errorf("the record was read %d times for two views of one page, which is the same: %t", s.read, page == same)
	}
	for _, name := range []string{"Etag", "Cache-Control", "Content-Type", "Content-Security-Policy", "Vary", "Referrer-Policy", "X-Content-Type-Options"} {
		if got, want := fmt.Sprint(again.Header()[name]), fmt.Sprint(first.Header()[name]); got != want {
			t.Errorf("%s of the kept page is %s, was %s", name, got, want)
		}
	}
	sound(t, s.get(t, "/t/"+rec.Code)) // for who cannot unzip
	_, english := s.zipped(t, "/t/"+rec.Code+"?lang=en")
	says(t, english, `<html lang="en">`)
	_, forged := s.zipped(t, "/t/"+rec.Code+"?c=forged")
	says(t, forged, "没有编号为 forged 的合格证")
	if w := s.get(t, "/t/"+rec.Code, "Accept-Encoding", "gzip", "If-None-Match", first.Header().Get("ETag")); w.Code != 304 {
		t.Errorf("a page that the browser has: %d", w.Code)
	}

	s.taken, s.rev = [][]trace.Record{{step(t, openStep())}}, "2"
	w, red := s.zipped(t, "/t/"+rec.Code, "If-None-Match", first.Header().Get("ETag"))
	says(t, red, "召回：请勿食用或销售")
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("a browser may keep the page of a recall")
	}
}

// Where nobody can tell whether anything changed, nothing is kept.
func TestNothingKeptUnasked(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.zipped(t, "/t/"+rec.Code)
	s.taken = [][]trace.Record{{step(t, openStep())}}
	_, red := s.zipped(t, "/t/"+rec.Code)
	says(t, red, "召回：请勿食用或销售")
}

// What a chosen language leaves behind comes with a kept page, too.
func TestKeptPageSetsTheLanguage(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.rev = "1"
	for range 2 {
		if w, _ := s.zipped(t, "/t/"+rec.Code+"?lang=vi"); len(w.Header()["Set-Cookie"]) != 1 {
			t.Errorf("cookies: %q", w.Header()["Set-Cookie"])
		}
	}
	if w := s.get(t, "/t/"+newCode(t)+"?lang=vi", "Accept-Encoding", "gzip"); len(w.Header()["Set-Cookie"]) != 1 {
		t.Errorf("cookies of an unknown code: %q", w.Header()["Set-Cookie"])
	}
}
