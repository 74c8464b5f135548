package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A package reaches a platform that is down at first, signed, and once.
func TestDeliver(t *testing.T) {
	const secret = "0123456789abcdef-secret"
	dir := t.TempDir()
	file, keyFile := filepath.Join(dir, "q1.json"), filepath.Join(dir, "key")
	content := []byte(`{"format": "tianhai-package"}`)
	for name, raw := range map[string][]byte{file: content, keyFile: []byte(secret + "\n")} {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(content)
	key := hex.EncodeToString(sum[:])
	var calls atomic.Int32
	refuse := atomic.Bool{}
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		at, mark, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Tianhai-Signature"), "t="), ",v1=")
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s\n%s", at, key)
		if err != nil || string(body) != string(content) || r.Header.Get("Idempotency-Key") != key || mark != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%q with %v, %v", body, r.Header, err)
		}
		switch n := calls.Add(1); {
		case refuse.Load():
			http.Error(w, "unknown operator", http.StatusForbidden)
		case n == 1:
			panic(http.ErrAbortHandler) // the line breaks before it answers
		case n == 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, "R-7")
		}
	}))
	defer platform.Close()
	deliver := func(more ...string) (string, error) {
		return runTianhai(t, append([]string{"deliver", file, "--to", platform.URL + "/in", "--secret-file", keyFile}, more...)...)
	}
	out, err := deliver()
	if err != nil || calls.Load() != 3 || !strings.Contains(out, "delivered: R-7") || strings.Contains(out, secret) {
		t.Errorf("after %d calls: %v\n%s", calls.Load(), err, out)
	}
	if out, err := deliver(); err != nil || calls.Load() != 3 || !strings.Contains(out, "delivered already") || !strings.Contains(out, "R-7") {
		t.Errorf("again, after %d calls: %v\n%s", calls.Load(), err, out)
	}
	// Killed before the receipt was written, it delivers the same under the same key.
	kept, err := filepath.Glob(file + ".*.receipt.json")
	if err != nil || len(kept) != 1 {
		t.Fatalf("receipts %v, %v", kept, err)
	}
	if err := os.Remove(kept[0]); err != nil {
		t.Fatal(err)
	}
	refuse.Store(true)
	if out, err := deliver(); err == nil || calls.Load() != 4 || !strings.Contains(out, "403 unknown operator") {
		t.Errorf("a final no, after %d calls: %v\n%s", calls.Load(), err, out)
	}
	for name, args := range map[string][]string{
		"a password in the address": {"--to", "https://me:" + secret + "@platform.example/"},
		"no address":                {"--to", "platform"},
		"a short secret":            {"--secret-file", file + ".short"},
	} {
		if err := os.WriteFile(file+".short", []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := deliver(args...); err == nil || strings.Contains(out, secret) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
