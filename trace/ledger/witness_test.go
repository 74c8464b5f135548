package ledger_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tianhai/trace/ledger"
)

// A tree is a log without the code under test, all of it in memory.
type tree struct {
	signer
	hashes []tlog.Hash // stored hashes of tlog
	n      int64
}

func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, t.hashes[i])
	}
	return out, nil
}

func newTree(t testing.TB, s signer, prefix string, leaves int) *tree {
	t.Helper()
	out := &tree{signer: s}
	for i := range leaves {
		h, err := tlog.StoredHashes(int64(i), fmt.Appendf(nil, "%s %d", prefix, i), out)
		if err != nil {
			t.Fatal(err)
		}
		out.hashes = append(out.hashes, h...)
		out.n++
	}
	return out
}

func (t *tree) root(tb testing.TB, size int64) string {
	tb.Helper()
	h, err := tlog.TreeHash(size, t)
	if err != nil {
		tb.Fatal(err)
	}
	return h.String()
}

func (t *tree) at(tb testing.TB, size int64) string {
	tb.Helper()
	return t.checkpoint(tb, fmt.Sprintf("%s\n%d\n%s\n", t.Name(), size, t.root(tb, size)))
}

// request is a submission from one size to another, with the proof between them.
func (t *tree) request(tb testing.TB, old, size int64) string {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", old)
	if old > 0 && old < size {
		proof, err := tlog.ProveTree(size, old, t)
		if err != nil {
			tb.Fatal(err)
		}
		for _, h := range proof {
			b.WriteString(h.String() + "\n")
		}
	}
	return b.String() + "\n" + t.at(tb, size)
}

func openWitness(t testing.TB, dir string, logs ...string) *ledger.Witness {
	t.Helper()
	w, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: dir, Name: "witness.example/w", Logs: logs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() }) // closed twice where the test closes it
	return w
}

func submit(w *ledger.Witness, body string) *httptest.ResponseRecorder {
	rw := httptest.NewRecorder()
	w.Handler().ServeHTTP(rw, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
	return rw
}

// cosigned checks an answer as anybody would.
func cosigned(t *testing.T, w *ledger.Witness, checkpoint string, answer *httptest.ResponseRecorder) {
	t.Helper()
	if answer.Code != http.StatusOK {
		t.Fatalf("answer %d: %s", answer.Code, answer.Body)
	}
	v, err := cosignature.NewVerifierForCosignatureV1(w.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(checkpoint+answer.Body.String()), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if at, err := cosignature.CoSigV1Timestamp(n.Sigs[0]); err != nil || at.Year() < 2020 {
		t.Errorf("cosigned at %v, %v", at, err)
	}
}

// The table of c2sp.org/tlog-witness, on a witness that has cosigned 5 of 8 leaves.
func TestWitnessAnswers(t *testing.T) {
	s, stranger, namesake := newSigner(t, origin), newSigner(t, "other.example/log"), newSigner(t, origin)
	log, fork := newTree(t, s, "leaf", 8), newTree(t, s, "forged", 8)
	hash := log.root(t, 1)
	proof := log.request(t, 5, 8)
	firstHash := strings.Split(proof, "\n")[1]
	tests := map[string]struct {
		body   string
		status int
		says   string
	}{
		"growth":                   {proof, 200, ""},
		"the same again":           {log.request(t, 5, 5), 200, ""},
		"unknown log":              {newTree(t, stranger, "leaf", 8).request(t, 5, 8), 404, ""},
		"a namesake's key":         {newTree(t, namesake, "leaf", 8).request(t, 5, 8), 403, ""},
		"no signature":             {proof[:strings.LastIndex(proof, "— ")], 403, ""},
		"spoilt signature":         {strings.Replace(proof, "\n8\n", "\n7\n", 1), 403, ""},
		"old size above":           {strings.Replace(log.request(t, 5, 5), "old 5", "old 6", 1), 400, ""},
		"never seen":               {log.request(t, 0, 8), 409, "5\n"},
		"an older state":           {log.request(t, 4, 8), 409, "5\n"},
		"going back":               {log.request(t, 3, 4), 409, "5\n"},
		"another tree of one size": {fork.request(t, 5, 5), 409, "5\n"},
		"another tree that grew":   {fork.request(t, 5, 8), 422, ""},
		"no proof":                 {strings.Replace(proof, firstHash+"\n", "", 1), 422, ""},
		"false hash":               {strings.Replace(proof, firstHash, hash, 1), 422, ""},
		"superfluous hash":         {strings.Replace(proof, "\n\n", "\n"+hash+"\n\n", 1), 422, ""},
		"proof of nothing":         {strings.Replace(log.request(t, 5, 5), "\n\n", "\n"+hash+"\n\n", 1), 422, ""},
		"64 hashes":                {strings.Replace(proof, "\n\n", strings.Repeat("\n"+hash, 64)+"\n\n", 1), 400, ""},
		"leading zero":             {strings.Replace(proof, "old 5", "old 05", 1), 400, ""},
		"no old line":              {strings.Replace(proof, "old 5\n", "", 1), 400, ""},
		"no checkpoint":            {"old 5\n", 400, ""},
		"empty":                    {"", 400, ""},
		"no hash":                  {strings.Replace(proof, firstHash, "AAAA", 1), 400, ""},
		"too long":                 {proof + strings.Repeat("x", ledger.MaxSubmission), 400, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := openWitness(t, t.TempDir(), s.vkey)
			cosigned(t, w, log.at(t, 5), submit(w, log.request(t, 0, 5)))
			got := submit(w, tt.body)
			if got.Code != tt.status || tt.says != "" && got.Body.String() != tt.says {
				t.Fatalf("answer %d %q, want %d %q", got.Code, got.Body, tt.status, tt.says)
			}
			if tt.status == 409 && got.Header().Get("Content-Type") != "text/x.tlog.size" {
				t.Errorf("content type %s", got.Header().Get("Content-Type"))
			}
			if tt.status != 200 { // and it has not moved
				cosigned(t, w, log.at(t, 8), submit(w, proof))
			}
		})
	}
}

func TestWitnessEmptyTree(t *testing.T) {
	s := newSigner(t, origin)
	w := openWitness(t, t.TempDir(), s.vkey)
	if got := submit(w, "old 0\n\n"+s.checkpoint(t, origin+"\n0\n"+newTree(t, s, "leaf", 1).root(t, 1)+"\n")); got.Code != 422 {
		t.Errorf("an empty tree with a leaf's root: %d", got.Code)
	}
	const emptyRoot = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // SHA-256 of nothing
	empty := s.checkpoint(t, origin+"\n0\n"+emptyRoot+"\n")
	cosigned(t, w, empty, submit(w, "old 0\n\n"+empty))
	log := newTree(t, s, "leaf", 3)
	cosigned(t, w, log.at(t, 3), submit(w, log.request(t, 0, 3)))
}

// Two forks race to a witness from many clients at once: of each size it cosigns
// one tree at most, and never a smaller one after a larger.
func TestWitnessAtOnce(t *testing.T) {
	s := newSigner(t, origin)
	forks := []*tree{newTree(t, s, "leaf", 30), newTree(t, s, "forged", 30)}
	w := openWitness(t, t.TempDir(), s.vkey)
	var mu sync.Mutex
	roots := map[int64]map[int]bool{}
	var wg sync.WaitGroup
	for f := range forks {
		for range 4 {
			wg.Go(func() {
				old := int64(0)
				for size := int64(1); size <= 30; size++ {
					got := submit(w, forks[f].request(t, min(old, size), size))
					switch got.Code {
					case http.StatusOK:
						mu.Lock()
						if roots[size] == nil {
							roots[size] = map[int]bool{}
						}
						roots[size][f] = true
						mu.Unlock()
						old = size
					case http.StatusConflict:
						if _, err := fmt.Sscan(got.Body.String(), &old); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	winner := -1
	for size, by := range roots {
		for f := range by {
			if winner < 0 {
				winner = f
			}
			if f != winner {
				t.Fatalf("both forks were cosigned; the other at size %d", size)
			}
		}
	}
	if winner < 0 {
		t.Fatal("nothing was cosigned")
	}
}

// What a witness was about to sign it remembers, whatever happened then: killed
// before the answer, it signs the same tree again and no other.
func TestWitnessRestarts(t *testing.T) {
	dir, s := t.TempDir(), newSigner(t, origin)
	log, fork := newTree(t, s, "leaf", 8), newTree(t, s, "forged", 8)
	first := openWitness(t, dir, s.vkey)
	cosigned(t, first, log.at(t, 5), submit(first, log.request(t, 0, 5)))
	key := first.VerifierKey()
	if _, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: dir, Logs: []string{s.vkey}}); err == nil {
		t.Fatal("two witnesses share a directory")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := openWitness(t, dir, s.vkey)
	if second.VerifierKey() != key {
		t.Error("the key changed")
	}
	if got := submit(second, fork.request(t, 0, 5)); got.Code != 409 || got.Body.String() != "5\n" {
		t.Errorf("a fork after the restart: %d %s", got.Code, got.Body)
	}
	cosigned(t, second, log.at(t, 5), submit(second, log.request(t, 5, 5)))
	cosigned(t, second, log.at(t, 8), submit(second, log.request(t, 5, 8)))
	rw := httptest.NewRecorder()
	second.Handler().ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/checkpoint?origin="+origin, nil))
	if got, _ := io.ReadAll(rw.Body); string(got) != log.at(t, 8) {
		t.Errorf("it shows %q", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v, %v", info.Mode(), err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}

	// A memory that cannot be read is not taken for none.
	files, err := filepath.Glob(filepath.Join(dir, "log-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: dir, Logs: []string{s.vkey}}); err == nil {
		t.Error("a witness with a damaged memory starts")
	}
}

// Where the memory cannot be written, nothing is signed.
func TestWitnessCannotRemember(t *testing.T) {
	dir, s := t.TempDir(), newSigner(t, origin)
	w := openWitness(t, dir, s.vkey)
	log := newTree(t, s, "leaf", 8)
	cosigned(t, w, log.at(t, 5), submit(w, log.request(t, 0, 5)))
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if got := submit(w, log.request(t, 5, 8)); got.Code != 500 || strings.Contains(got.Body.String(), "—") {
		t.Errorf("it cosigned without a memory: %d %s", got.Code, got.Body)
	}
	if err := os.Rename(moved, dir); err != nil {
		t.Fatal(err)
	}
	cosigned(t, w, log.at(t, 8), submit(w, log.request(t, 5, 8)))
}

func FuzzWitness(f *testing.F) {
	s := newSigner(f, origin)
	log := newTree(f, s, "leaf", 8)
	f.Add(log.request(f, 0, 5))
	f.Add(log.request(f, 5, 8))
	f.Add("old 0\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		w := openWitness(t, t.TempDir(), s.vkey)
		got := submit(w, body)
		// Nobody here can sign, so what is cosigned is what the log signed.
		if got.Code == 200 && !strings.Contains(body, log.root(t, 5)) && !strings.Contains(body, log.root(t, 8)) {
			t.Errorf("%q is cosigned", body)
		}
		if line := got.Body.String(); got.Code == 200 {
			fields := strings.Fields(line)
			if raw, err := base64.StdEncoding.DecodeString(fields[len(fields)-1]); err != nil || len(raw) != 4+8+64 {
				t.Errorf("the signature line %q: %v", line, err)
			}
		}
	})
}

// A witness that looks at what its log shows finds a smaller tree and another one.
func TestWitnessLooks(t *testing.T) {
	s := newSigner(t, origin)
	log, fork := newTree(t, s, "leaf", 8), newTree(t, s, "forged", 8)
	w := openWitness(t, t.TempDir(), s.vkey)
	shows := log.at(t, 5)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, shows) }))
	defer srv.Close()
	if err := w.Look(t.Context(), origin, srv.URL); err != nil {
		t.Errorf("before the first cosignature: %v", err)
	}
	cosigned(t, w, log.at(t, 5), submit(w, log.request(t, 0, 5)))
	for name, tt := range map[string]struct {
		shows string
		split bool
		good  bool
	}{
		"the same":         {log.at(t, 5), false, true},
		"a newer one":      {log.at(t, 8), false, true},
		"a smaller one":    {log.at(t, 4), true, false},
		"another one":      {fork.at(t, 5), true, false},
		"nothing of value": {"x", false, false},
		"a stranger's":     {newTree(t, newSigner(t, origin), "leaf", 8).at(t, 5), false, false},
	} {
		shows = tt.shows
		if err := w.Look(t.Context(), origin, srv.URL); errors.Is(err, ledger.ErrSplit) != tt.split || (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Look(t.Context(), "nobody.example", srv.URL); err == nil {
		t.Error("an unknown log is looked at")
	}
}
