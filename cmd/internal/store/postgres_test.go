package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tianhai/cmd/internal/store"
)

// TestPostgres runs the suite on a PostgreSQL server of its own, in a temporary
// directory and reachable through a socket there only, on copies of one empty database.
func TestPostgres(t *testing.T) {
	dir := startPostgres(t, "fsync=off")
	empty, err := store.Open(t.Context(), createDatabase(t, dir, "empty", "template1"))
	check(t, err)
	check(t, empty.Close())
	databases := 0
	suite(t, func(t *testing.T) store.Options {
		t.Helper()
		databases++
		return createDatabase(t, dir, fmt.Sprintf("test%d", databases), "empty")
	})
	t.Run("GTINs move", func(t *testing.T) {
		opt := createDatabase(t, dir, "older", "template1")
		db, err := sql.Open("pgx", opt.DSN)
		check(t, err)
		testGTINsMove(t, db, goose.DialectPostgres, opt)
	})
	t.Run("opened at once", func(t *testing.T) {
		opt := createDatabase(t, dir, "unmade", "template1")
		errs := make(chan error)
		for range 3 {
			go func() {
				s, err := store.Open(t.Context(), opt)
				if err == nil {
					err = s.Close()
				}
				errs <- err
			}()
		}
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

// onBoth runs a benchmark on a new database of each kind.
func onBoth(b *testing.B, bench func(b *testing.B, opt store.Options)) {
	b.Run("SQLite", func(b *testing.B) { bench(b, store.Options{Dir: b.TempDir()}) })
	b.Run("PostgreSQL", func(b *testing.B) {
		bench(b, createDatabase(b, startPostgres(b, "fsync=on"), "bench", "template1"))
	})
}

// createDatabase creates a database like another on the server in dir.
func createDatabase(t testing.TB, dir, name, like string) store.Options {
	t.Helper()
	admin, err := sql.Open("pgx", postgresURL(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+like); err != nil {
		t.Fatal(err)
	}
	return store.Options{DSN: postgresURL(dir, name)}
}

func postgresURL(dir, database string) string {
	return "postgres://postgres@/" + database + "?sslmode=disable&host=" + url.QueryEscape(dir)
}

// startPostgres starts a server with a setting and stops it when the test has ended,
// however that ends: the server is our child and dies with us.
func startPostgres(t testing.TB, setting string) (dir string) {
	t.Helper()
	initdb, server := findPostgres("initdb"), findPostgres("postgres")
	if initdb == "" || server == "" {
		t.Skip("PostgreSQL is not installed (Debian: apt-get install postgresql): the store is tested on SQLite alone")
	}
	who, err := postgresUser()
	if err != nil {
		t.Skipf("PostgreSQL refuses to run as root, and there is no other user for it: %v", err)
	}
	// Not t.TempDir: its parent is closed to everyone but us.
	if dir, err = os.MkdirTemp("", "tianhai-pg-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	create := exec.CommandContext(t.Context(), initdb, "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	create.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	create.Dir = dir
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	serve := exec.Command(server, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", setting, "-c", "max_connections=50")
	serve.Dir = dir
	serve.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}
	runServer(t, serve)
	waitForPostgres(t, dir)
	return dir
}

// runServer starts cmd and, at the end of the test, stops it and waits for it.
func runServer(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Pdeathsig means the death of the thread that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Errorf("stop %s: %v", cmd.Path, err)
		}
		<-ended
		if t.Failed() {
			tail := log.Bytes()
			t.Logf("end of PostgreSQL's log:\n%s", tail[max(0, len(tail)-4000):])
		}
	})
}

func waitForPostgres(t testing.TB, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", postgresURL(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err = db.PingContext(ctx); err != nil; err = db.PingContext(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("PostgreSQL does not answer: %v", err)
		}
	}
}

// findPostgres returns the newest of Debian's versions of a program, or the one
// on the PATH, or nothing.
func findPostgres(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	}
	path, _ := exec.LookPath(name)
	return path
}

// postgresUser returns whom to run the server as; nil means ourselves.
func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
