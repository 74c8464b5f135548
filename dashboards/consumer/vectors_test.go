package consumer_test

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tianhai/trace"
	"tianhai/trace/ledger"
)

var update = flag.Bool("update", false, "write new vectors for the browser's check")

// The browser's check is tested on a record and receipt that this program made;
// here they are held to be what it would still accept.
func TestVectors(t *testing.T) {
	dir := filepath.Join("..", "web", "verify", "testdata")
	file := func(name string) string { return filepath.Join(dir, name) }
	if *update {
		writeVectors(t, dir)
	}
	read := func(name string) []byte {
		raw, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	proof, err := ledger.Verify(strings.TrimSpace(string(read("key.txt"))), string(read("receipt.tlog-proof")))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := trace.ParseOpening(read("record.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rec.Leaf(), proof.Leaf) {
		t.Error("record and receipt do not belong together")
	}
	policy := ledger.Policy{Witnesses: strings.Fields(string(read("witnesses.txt"))), Quorum: 2}
	if _, _, err := ledger.VerifyCosigned(strings.TrimSpace(string(read("key.txt"))), policy, string(read("receipt.tlog-proof"))); err != nil {
		t.Error(err)
	}
}

func writeVectors(t *testing.T, dir string) {
	t.Helper()
	s := newShop(t, "")
	for range 5 {
		if _, err := s.log.Append(t.Context(), []byte("before")); err != nil {
			t.Fatal(err)
		}
	}
	p := oysters(newCode(t))
	p.Operations = p.Operations[len(p.Operations)-4:]
	p.Evidence.Series = p.Evidence.Series[:1]
	p.Evidence.Series[0].Points = p.Evidence.Series[0].Points[:2]
	site := trace.Personal{Path: "origin.site.zh", Salt: []byte("0123456789abcdef"), Text: p.Origin.Site.Zh}
	p.Version, p.Origin.Site.Zh, p.Personal = 2, "", map[string]string{site.Path: site.Commitment()}
	rec := record(t, p)
	rec.Personal = []trace.Personal{site}
	var err error
	if rec.Index, err = s.log.Append(t.Context(), rec.Leaf()); err != nil {
		t.Fatal(err)
	}
	last, err := s.log.Append(t.Context(), []byte("after"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.log.Receipt(t.Context(), last); err != nil { // so that the checkpoint covers it too
		t.Fatal(err)
	}
	receipt, err := s.log.Receipt(t.Context(), rec.Index)
	if err != nil {
		t.Fatal(err)
	}
	var witnesses string
	_, checkpoint, _ := strings.Cut(receipt, "\n\n")
	for _, name := range []string{"witness.test/a", "witness.test/b"} {
		vkey, line := cosign(t, name, s.log.VerifierKey(), checkpoint)
		witnesses += vkey + "\n"
		receipt += line
	}
	opening, err := rec.Opening()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"key.txt": s.log.VerifierKey() + "\n", "receipt.tlog-proof": receipt, "witnesses.txt": witnesses, "record.json": string(opening)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// cosign has a witness of that name cosign a checkpoint.
func cosign(t *testing.T, name, logKey, checkpoint string) (vkey, line string) {
	t.Helper()
	w, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: t.TempDir(), Name: name, Logs: []string{logKey}})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	w.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader("old 0\n\n"+checkpoint)))
	if err := w.Close(); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("cosign: %d %s, %v", answer.Code, answer.Body, err)
	}
	return w.VerifierKey(), answer.Body.String()
}
