package auth

// ParsePHC reports whether s is taken for a hash, and what it is read as.
func ParsePHC(s string) (string, bool) {
	p, err := parsePHC(s)
	return p.String(), err == nil
}

// Occupy takes places among those that hash, and among those that wait or hash.
func (s *Sessions) Occupy(hashing, waiting int) (leave func()) {
	s.init()
	for range hashing {
		s.hashing <- struct{}{}
	}
	for range waiting {
		s.waiting <- struct{}{}
	}
	return func() {
		for range hashing {
			<-s.hashing
		}
		for range waiting {
			<-s.waiting
		}
	}
}
