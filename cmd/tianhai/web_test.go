package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTextOnly(t *testing.T) {
	reached := textOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for target, want := range map[string]int{
		"/t/4Q7XH2M9KTB3D?lang=my": http.StatusNoContent,
		"/d/%E6%8E%A2%E5%A4%B4":    http.StatusNoContent,
		"/t/?code=%E8%8C%B6":       http.StatusNoContent,
		"/t/?code=50%":             http.StatusNoContent, // the form says that it is no code
		"/t/%00":                   http.StatusBadRequest,
		"/d/%ff":                   http.StatusBadRequest,
		"/t/?code=a%00b":           http.StatusBadRequest,
		"/t/?code=%c3%28":          http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		var err error
		if r.URL, err = r.URL.Parse(target); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		reached.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}
