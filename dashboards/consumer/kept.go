package consumer

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// What pages may keep, and how long the records may take to say whether they changed.
const (
	keptBytes  = 16 << 20 // of each of two generations
	keptQuery  = 64       // bytes of a query, beyond which a page is made anew
	askTimeout = 10 * time.Second
)

// pages keeps pages as they were answered, for as long as nothing at all was committed
// to the records. Whether that is so is asked for every view, after it came in, so that
// the view after a recall is red: a page that is kept for some time would not be.
type pages struct {
	revisions  asker
	mu         sync.Mutex
	young, old map[string]kept          // guarded by mu; what young has no room for, old forgets
	size       int                      // of young, in bytes; guarded by mu
	making     map[string]chan struct{} // by key and revision, until it is made; guarded by mu
}

type kept struct {
	revision string
	answer   answer
}

// key names the page that a request is for, and the revision of the records now. The
// key is empty where the page is not to be kept.
func (p *pages) key(r *http.Request, lang string) (key, revision string) {
	if p.revisions.ask == nil || wantsJSON(r) || !zips(r) || len(r.URL.RawQuery) > keptQuery {
		return "", ""
	}
	revision, err := p.revisions.now(r.Context())
	if err != nil {
		return "", "" // whoever reads the records says so
	}
	return r.PathValue("code") + "\n" + lang + "\n" + r.URL.RawQuery, revision
}

func (p *pages) get(key, revision string) (answer, bool) {
	if key == "" {
		return answer{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.young[key]
	if !ok {
		if k, ok = p.old[key]; ok {
			p.put(key, k)
		}
	}
	return k.answer, ok && k.revision == revision
}

// claim returns a page that is kept, or that somebody is making and is waited for. Where
// there is none, the caller makes it; done says that it is kept, or will not be.
func (p *pages) claim(ctx context.Context, key, revision string) (a answer, ok bool, done func()) {
	if a, ok = p.get(key, revision); ok || key == "" {
		return a, ok, func() {}
	}
	id := key + "\n" + revision
	p.mu.Lock()
	others, busy := p.making[id]
	if !busy {
		if p.making == nil {
			p.making = map[string]chan struct{}{}
		}
		mine := make(chan struct{})
		p.making[id] = mine
		p.mu.Unlock()
		return answer{}, false, func() {
			p.mu.Lock()
			delete(p.making, id)
			p.mu.Unlock()
			close(mine)
		}
	}
	p.mu.Unlock()
	select {
	case <-others:
	case <-ctx.Done():
	}
	a, ok = p.get(key, revision)
	return a, ok, func() {}
}

// keep stores an answer that was made of the records after they had this revision, and
// returns it as it is stored: compressed alone.
func (p *pages) keep(key, revision string, a answer) answer {
	if key == "" {
		return a
	}
	a.tag, a.zipped, a.body = tagOf(a.body), gzipped(a.body), nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(key, kept{revision, a})
	return a
}

// put is called with mu held.
func (p *pages) put(key string, k kept) {
	if p.young == nil || p.size > keptBytes {
		p.old, p.young, p.size = p.young, map[string]kept{}, 0
	}
	p.size += len(key) + len(k.answer.zipped) - len(p.young[key].answer.zipped)
	p.young[key] = k
}

// An asker puts one question for all who come while the one before is being answered.
// Each gets an answer that was asked for after they came.
type asker struct {
	ask  func(context.Context) (string, error)
	mu   sync.Mutex
	last *reply // put last, and perhaps not answered yet; guarded by mu
	next *reply // for those who wait for their turn; guarded by mu
}

type reply struct {
	done     chan struct{}
	revision string
	err      error
}

// now returns an answer to a question that is put after the call.
func (a *asker) now(ctx context.Context) (string, error) {
	a.mu.Lock()
	r, first, last := a.next, a.next == nil, a.last
	if first {
		r = &reply{done: make(chan struct{})}
		a.next = r
	}
	a.mu.Unlock()
	if first {
		if last != nil {
			<-last.done
		}
		a.put(ctx, r)
	}
	select {
	case <-r.done:
		return r.revision, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// put asks for all who joined until now; the first of them may have left.
func (a *asker) put(ctx context.Context, r *reply) {
	a.mu.Lock()
	a.last, a.next = r, nil
	a.mu.Unlock()
	defer close(r.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	r.revision, r.err = a.ask(ctx)
}
