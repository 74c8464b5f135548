package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tianhai/trace/ledger"
)

// A post is a witness behind HTTP that can be switched off.
type post struct {
	*ledger.Witness
	url  string
	dead atomic.Bool
}

func newPost(t *testing.T, name, logKey string) *post {
	t.Helper()
	w, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: t.TempDir(), Name: name, Logs: []string{logKey}})
	if err != nil {
		t.Fatal(err)
	}
	p := &post{Witness: w}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if p.dead.Load() {
			panic(http.ErrAbortHandler)
		}
		w.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		srv.Close()
		_ = w.Close()
	})
	p.url = srv.URL
	return p
}

// keyOf makes a log in dir and returns its key.
func keyOf(t *testing.T, dir string) string {
	t.Helper()
	l := open(t, dir)
	shut(t, l)
	return l.VerifierKey()
}

// memoryKeeper is what a database remembers.
type memoryKeeper struct {
	mu    sync.Mutex
	known ledger.Known
	err   error
}

func (k *memoryKeeper) Known(context.Context) (ledger.Known, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known, k.known.VerifierKey != "", nil
}

func (k *memoryKeeper) Keep(_ context.Context, known ledger.Known) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.known = known
	}
	return k.err
}

func openWith(t *testing.T, dir string, keeper ledger.Keeper, quorum int, posts ...*post) *ledger.Ledger {
	t.Helper()
	opts := ledger.Options{Dir: dir, Origin: origin, CheckpointInterval: 100 * time.Millisecond, Keeper: keeper, Quorum: quorum}
	for _, p := range posts {
		opts.Witnesses = append(opts.Witnesses, ledger.WitnessAddress{VerifierKey: p.VerifierKey(), URL: p.url})
	}
	l, err := ledger.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, l) })
	return l
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// cosignedReceipt waits for the receipt that a quorum stands behind.
func cosignedReceipt(t *testing.T, l *ledger.Ledger, index int64) (out string) {
	t.Helper()
	waitFor(t, "a cosigned receipt", func() bool { return l.CosignedSize() > index })
	out, err := l.CosignedReceipt(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Two of three witnesses are asked for. One is dead: the quorum is reached. Two
// are dead: receipts are still given at once, and the cosigned ones follow when
// one of them is back.
func TestDeadWitness(t *testing.T) {
	dir := t.TempDir()
	key := keyOf(t, dir)
	a, b, c := newPost(t, "witness.example/a", key), newPost(t, "witness.example/b", key), newPost(t, "witness.example/c", key)
	c.dead.Store(true)
	l := openWith(t, dir, nil, 2, a, b, c)
	policy := ledger.Policy{Witnesses: []string{a.VerifierKey(), b.VerifierKey(), c.VerifierKey()}, Quorum: 2}

	index := appendLeaf(t, l, "one dead")
	if _, err := ledger.Verify(key, receipt(t, l, index)); err != nil {
		t.Fatal(err)
	}
	_, names, err := ledger.VerifyCosigned(key, policy, cosignedReceipt(t, l, index))
	if err != nil || len(names) != 2 {
		t.Fatalf("cosigned by %v: %v", names, err)
	}
	waitFor(t, "the published checkpoint to bear the cosignatures", func() bool {
		_, err := policy.Met(get(t, l, "/checkpoint").Body.String())
		return err == nil
	})

	b.dead.Store(true)
	for i := range 20 {
		index = appendLeaf(t, l, fmt.Sprintf("two dead %d", i))
	}
	own := receipt(t, l, index)
	if _, err := ledger.Verify(key, own); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.VerifyCosigned(key, policy, own); err == nil {
		t.Fatal("a receipt without a quorum meets the policy")
	}
	if _, err := l.CosignedReceipt(t.Context(), index); err == nil || l.CosignedSize() > index {
		t.Fatal("cosigned without a quorum")
	}
	waitFor(t, "the dead witness to be known", func() bool {
		all, _ := l.Witnesses()
		return all[1].Fault != "" && all[2].Fault != ""
	})
	b.dead.Store(false)
	if _, _, err := ledger.VerifyCosigned(key, policy, cosignedReceipt(t, l, index)); err != nil {
		t.Error(err)
	}
}

// What was cosigned is known after a restart, without any witness.
func TestCosignedStays(t *testing.T) {
	dir := t.TempDir()
	key := keyOf(t, dir)
	a := newPost(t, "witness.example/a", key)
	l := openWith(t, dir, nil, 1, a)
	index := appendLeaf(t, l, "leaf")
	cosignedReceipt(t, l, index)
	shut(t, l)
	a.dead.Store(true)
	again := openWith(t, dir, nil, 1, a)
	if _, err := again.CosignedReceipt(t.Context(), index); err != nil {
		t.Error(err)
	}
}

func TestPolicy(t *testing.T) {
	s := newSigner(t, origin)
	log := newTree(t, s, "leaf", 2)
	w, other := openWitness(t, t.TempDir(), s.vkey), newPost(t, "witness.example/other", s.vkey)
	cp := log.at(t, 2)
	line := submit(w, log.request(t, 0, 2)).Body.String()
	fields := strings.Fields(line)
	spoilt := fmt.Sprintf("— %s %s\n", fields[1], fields[2][:40]+"AAAA"+fields[2][44:])
	for name, tt := range map[string]struct {
		policy ledger.Policy
		text   string
		good   bool
	}{
		"nobody asked":       {ledger.Policy{}, cp, true},
		"cosigned":           {ledger.Policy{Witnesses: []string{w.VerifierKey()}, Quorum: 1}, cp + line, true},
		"not cosigned":       {ledger.Policy{Witnesses: []string{w.VerifierKey()}, Quorum: 1}, cp, false},
		"by a stranger":      {ledger.Policy{Witnesses: []string{other.VerifierKey()}, Quorum: 1}, cp + line, false},
		"one of two":         {ledger.Policy{Witnesses: []string{w.VerifierKey(), other.VerifierKey()}, Quorum: 1}, cp + line, true},
		"two of two":         {ledger.Policy{Witnesses: []string{w.VerifierKey(), other.VerifierKey()}, Quorum: 2}, cp + line, false},
		"a false line":       {ledger.Policy{Witnesses: []string{w.VerifierKey()}, Quorum: 0}, cp + spoilt, false},
		"a line twice":       {ledger.Policy{Witnesses: []string{w.VerifierKey(), other.VerifierKey()}, Quorum: 2}, cp + line + line, false},
		"a witness twice":    {ledger.Policy{Witnesses: []string{w.VerifierKey(), w.VerifierKey()}, Quorum: 2}, cp + line, false},
		"no key":             {ledger.Policy{Witnesses: []string{"x"}, Quorum: 1}, cp + line, false},
		"the log as witness": {ledger.Policy{Witnesses: []string{s.vkey}, Quorum: 1}, cp, false},
	} {
		if _, err := tt.policy.Met(tt.text); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (ledger.Policy{Quorum: 1}).Check() == nil {
		t.Error("a quorum of nobody")
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// CopyFS keeps no private modes.
	if err := os.Chmod(filepath.Join(to, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// An older copy of the directory is held, whoever remembers the newer one, and a
// newer directory under an older database goes on.
func TestRestoredDirectory(t *testing.T) {
	for name, by := range map[string]struct{ database, witness bool }{"the database knows": {true, false}, "a witness knows": {false, true}} {
		t.Run(name, func(t *testing.T) {
			dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
			key := keyOf(t, dir)
			w, keeper := newPost(t, "witness.example/a", key), &memoryKeeper{}
			l := openWith(t, dir, keeper, 1, w)
			early := appendLeaf(t, l, "early")
			receipt(t, l, early)
			shut(t, l)
			copyDir(t, dir, backup)
			oldKnown := keeper.known

			l = openWith(t, dir, keeper, 1, w)
			late := appendLeaf(t, l, "late")
			lateReceipt := receipt(t, l, late)
			cosignedReceipt(t, l, late)
			shut(t, l)
			before, newest := get(t, l, "/checkpoint").Body.String(), t.TempDir()
			copyDir(t, dir, newest)

			if !by.database {
				keeper.known = oldKnown
			}
			w.dead.Store(!by.witness)
			copyDir(t, backup, dir)
			l = openWith(t, dir, keeper, 1, w)
			if err := l.Held(); !errors.Is(err, ledger.ErrHeld) {
				t.Fatalf("an older copy is continued: %v", err)
			}
			if _, err := l.Append(t.Context(), []byte("another history")); !errors.Is(err, ledger.ErrHeld) {
				t.Errorf("a leaf is taken: %v", err)
			}
			if p, err := ledger.Verify(key, receipt(t, l, early)); err != nil || string(p.Leaf) != "early" {
				t.Errorf("what is there is not served: %v", err)
			}
			if _, err := l.Receipt(t.Context(), late); !errors.Is(err, ledger.ErrHeld) {
				t.Errorf("a receipt of what is lost: %v", err)
			}
			if _, err := ledger.Verify(key, lateReceipt); err != nil {
				t.Error(err)
			}
			shut(t, l)

			// The newest copy comes back, under whatever database: it goes on.
			copyDir(t, newest, dir)
			l = openWith(t, dir, keeper, 1, w)
			if err := l.Held(); err != nil {
				t.Fatal(err)
			}
			if now := get(t, l, "/checkpoint").Body.String(); !strings.HasPrefix(before, strings.SplitAfter(now, "\n\n")[0]) {
				t.Errorf("it shows %s, not %s", now, before)
			}
			if i := appendLeaf(t, l, "on"); i != late+1 {
				t.Errorf("the next leaf is %d", i)
			}
		})
	}
}

// The same key used twice: the witness has the log's own signature on another
// tree. The log stops by itself.
func TestForkIsFoundOut(t *testing.T) {
	dir, twin := t.TempDir(), filepath.Join(t.TempDir(), "twin")
	key := keyOf(t, dir)
	w := newPost(t, "witness.example/a", key)
	copyDir(t, dir, twin)
	l := openWith(t, dir, nil, 1, w)
	w.dead.Store(true)
	other := openWith(t, twin, nil, 1, w)
	w.dead.Store(false)
	cosignedReceipt(t, l, appendLeaf(t, l, "one history"))
	appendLeaf(t, other, "another")
	waitFor(t, "the fork to be found out", func() bool { return other.Held() != nil })
	if _, err := other.Append(t.Context(), []byte("x")); !errors.Is(err, ledger.ErrHeld) {
		t.Errorf("a leaf is taken: %v", err)
	}
	if l.Held() != nil {
		t.Error("the true log is held")
	}
}

// A witness that says without proof that it knows more holds up nothing.
func TestLyingWitness(t *testing.T) {
	dir := t.TempDir()
	key := keyOf(t, dir)
	w := newPost(t, "witness.example/a", key)
	liar := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprint(rw, newTree(t, newSigner(t, origin), "x", 9).at(t, 9))
			return
		}
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintln(rw, 1000000)
	}))
	defer liar.Close()
	w.url = liar.URL
	l := openWith(t, dir, nil, 1, w)
	if _, err := ledger.Verify(key, receipt(t, l, appendLeaf(t, l, "leaf"))); err != nil {
		t.Error(err)
	}
	waitFor(t, "the fault", func() bool { all, _ := l.Witnesses(); return all[0].Fault != "" })
	if l.Held() != nil {
		t.Errorf("held: %v", l.Held())
	}
}

// While the database does not remember it, no checkpoint is published; then it is.
func TestKeeperIsDown(t *testing.T) {
	dir, keeper := t.TempDir(), &memoryKeeper{}
	l := openWith(t, dir, keeper, 0)
	keeper.mu.Lock()
	keeper.err = errors.New("disk full")
	keeper.mu.Unlock()
	index := appendLeaf(t, l, "leaf")
	hurry, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := l.Receipt(hurry, index); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a receipt that nobody remembers: %v", err)
	}
	keeper.mu.Lock()
	keeper.err = nil
	keeper.mu.Unlock()
	if _, err := ledger.Verify(l.VerifierKey(), receipt(t, l, index)); err != nil {
		t.Error(err)
	}
}

// A directory that lost its key, or another log's, does not begin a second log
// under the name of the one that the records are in.
func TestOtherDirectory(t *testing.T) {
	dir, keeper := t.TempDir(), &memoryKeeper{}
	l := openWith(t, dir, keeper, 0)
	receipt(t, l, appendLeaf(t, l, "leaf"))
	key := l.VerifierKey()
	shut(t, l)
	for name, dir := range map[string]string{"empty": t.TempDir(), "another log": func() string { d := t.TempDir(); keyOf(t, d); return d }()} {
		l := openWith(t, dir, keeper, 0)
		if !errors.Is(l.Held(), ledger.ErrHeld) || l.VerifierKey() != key {
			t.Errorf("%s: held %v, key %s", name, l.Held(), l.VerifierKey())
		}
	}
}

// The tree on disk goes back while the log runs, as when somebody copies a backup
// over it: no checkpoint of it is signed.
func TestTreeGoesBackWhileOpen(t *testing.T) {
	dir := t.TempDir()
	l := openWith(t, dir, nil, 0)
	receipt(t, l, appendLeaf(t, l, "one"))
	name := filepath.Join(dir, "tiles", ".state", "treeState")
	one, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	receipt(t, l, appendLeaf(t, l, "two"))
	before := get(t, l, "/checkpoint").Body.String()
	if err := os.WriteFile(name, one, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the log to be held", func() bool { return errors.Is(l.Held(), ledger.ErrHeld) })
	if after := get(t, l, "/checkpoint").Body.String(); after != before {
		t.Errorf("it published %s", after)
	}
	if signed, err := os.ReadFile(filepath.Join(dir, "signed")); err != nil || string(signed) != before {
		t.Errorf("it signed %s, %v", signed, err)
	}
}
