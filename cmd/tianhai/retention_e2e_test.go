package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rules of retention by the real program: asked for, set, listed, taken back, and
// nobody's but an administrator's.
func TestRetentionCommand(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	tianhai := func(args ...string) (string, error) { return runTianhai(t, append(args, "--data", data)...) }
	expect := func(words string, args ...string) {
		t.Helper()
		if out, err := tianhai(args...); err != nil || !strings.Contains(out, words) {
			t.Errorf("tianhai %s: %v, want %q in\n%s", strings.Join(args, " "), err, words, out)
		}
	}
	refused := func(words string, args ...string) {
		t.Helper()
		if out, err := tianhai(args...); err == nil || !strings.Contains(out, words) {
			t.Errorf("tianhai %s: %v, want a refusal with %q in\n%s", strings.Join(args, " "), err, words, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "farm.yaml"), []byte(oneFarm), 0o600); err != nil {
		t.Fatal(err)
	}
	password := ""
	out, err := tianhai("import", filepath.Join(dir, "farm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "li" {
			password = f[1]
		}
	}

	expect("everything is kept for ever", "retention", "list")
	refused("nothing was changed", "retention", "set", "--raw", "90")
	refused("keep_raw_days", "retention", "set", "--raw", "7", "--yes")
	refused("not found", "retention", "set", "--tenant", "nobody", "--raw", "90", "--yes")
	expect("everything is kept for ever", "retention", "list")
	expect("nothing goes because of this", "retention", "set", "--tenant", "oysters", "--medium", "water", "--raw", "90", "--yes")
	expect("90 d", "retention", "list")
	refused("start it first", "retention", "preview")

	s := startServer(t, "serve", data)
	expect("nothing", "retention", "preview")
	li := newBrowser(t, s.HTTP)
	li.login("li", password)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if status, answer := li.send(method, "/api/v1/retentions", []byte(`{"keep_raw_days":30}`)); status != http.StatusForbidden {
			t.Errorf("%s by a farmer: %d %s", method, status, answer)
		}
	}
	expect("cleared", "retention", "clear", "--tenant", "oysters", "--medium", "water", "--yes")
	out, err = tianhai("retention", "list", "--changes")
	if err != nil || strings.Count(out, "oysters") != 2 {
		t.Errorf("audit: %v\n%s", err, out)
	}
}
