package api_test

import (
	"bytes"
	"context"
	"sync"

	"tianhai/api/once"
)

// A memory keeps answers as the records database does.
type memory struct {
	mu      sync.Mutex
	entries map[string]once.Entry
}

func (m *memory) ClaimAnswer(_ context.Context, e once.Entry) (*once.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	there, known := m.entries[string(e.ID)]
	if known && (there.Sealed != nil || there.Lease.After(e.Created) || !bytes.Equal(there.Print, e.Print)) {
		return &there, nil
	}
	if m.entries == nil {
		m.entries = map[string]once.Entry{}
	}
	m.entries[string(e.ID)] = e
	return nil, nil
}

func (m *memory) KeepAnswer(_ context.Context, id, sealed []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[string(id)]
	e.Sealed = sealed
	m.entries[string(id)] = e
	return nil
}

func (m *memory) ForgetAnswer(_ context.Context, id []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[string(id)].Sealed == nil {
		delete(m.entries, string(id))
	}
	return nil
}
