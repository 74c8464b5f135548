package unit

// NewFF1 is the cipher by itself, for the samples of NIST.
func NewFF1(key []byte, radix uint32, half int) (encrypt, decrypt func(a, b uint64) (uint64, uint64)) {
	f := newFF1(block(key), radix, half)
	return f.encrypt, f.decrypt
}

// Code and Find are a code and its opposite.
func (k *Key) Code(roll int64, number int) string { return k.code(roll, number) }

// Find is the opposite of Code.
func (k *Key) Find(code string) (roll int64, number int) { return k.find(code) }
