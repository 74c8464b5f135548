package consumer

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
)

// Whoever comes while a question is being answered gets the answer to the next one,
// which all of them share.
func TestAskerAsksAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answers := 0, make(chan struct{})
		a := asker{ask: func(context.Context) (string, error) {
			asked++
			n := asked
			<-answers
			return strconv.Itoa(n), nil
		}}
		var all sync.WaitGroup
		now := func(want string) {
			all.Go(func() {
				if got, err := a.now(t.Context()); got != want || err != nil {
					t.Errorf("answer %q, %v, want %s", got, err, want)
				}
			})
			synctest.Wait()
		}
		now("1")
		for range 50 {
			now("2")
		}
		gone, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if _, err := a.now(gone); err == nil {
				t.Error("an answer for somebody who left")
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		answers <- struct{}{}
		synctest.Wait()
		now("3")
		answers <- struct{}{}
		answers <- struct{}{}
		all.Wait()
	})
}

func TestPagesForgetTheOldest(t *testing.T) {
	var p pages
	big := make([]byte, keptBytes/4)
	for i := range 40 {
		key := strconv.Itoa(i)
		p.keep(key, "r", answer{body: big})
		p.mu.Lock()
		p.size += keptBytes / 4 // as if it did not compress so well
		p.mu.Unlock()
		if _, ok := p.get(key, "r"); !ok {
			t.Fatalf("page %d is not kept", i)
		}
		if _, ok := p.get(key, "s"); ok {
			t.Fatal("a page of another revision")
		}
	}
	if n := len(p.young) + len(p.old); n > 12 {
		t.Errorf("%d pages are kept", n)
	}
}

// A page that many ask for at once is made once; where that fails, each tries.
func TestPagesAreMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		_, ok, done := p.claim(t.Context(), "k", "r")
		if ok {
			t.Fatal("a page that nobody made")
		}
		var all sync.WaitGroup
		got := make(chan bool, 20)
		for range 20 {
			all.Go(func() {
				_, ok, done := p.claim(t.Context(), "k", "r")
				defer done()
				got <- ok
			})
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("%d did not wait", len(got))
		}
		_, other, doneOther := p.claim(t.Context(), "k", "later")
		doneOther()
		if other {
			t.Error("a page of another revision")
		}
		p.keep("k", "r", answer{body: []byte("page")})
		done()
		all.Wait()
		for range 20 {
			if !<-got {
				t.Error("the page was to be made again")
			}
		}
		if len(p.making) != 0 {
			t.Errorf("%d pages are still being made", len(p.making))
		}
	})
}
