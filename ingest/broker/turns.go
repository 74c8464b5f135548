package broker

import "sync"

// turns is a mutex for each name. The zero value is ready.
type turns struct {
	mu     sync.Mutex // guards byName and the counts
	byName map[string]*turnOf
}

type turnOf struct {
	sync.Mutex
	users int // that hold it or wait for it
}

func (t *turns) lock(name string) {
	t.mu.Lock()
	if t.byName == nil {
		t.byName = make(map[string]*turnOf)
	}
	of := t.byName[name]
	if of == nil {
		of = &turnOf{}
		t.byName[name] = of
	}
	of.users++
	t.mu.Unlock()
	of.Lock()
}

func (t *turns) unlock(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.byName[name]
	if of.users--; of.users == 0 {
		delete(t.byName, name)
	}
	of.Unlock()
}
