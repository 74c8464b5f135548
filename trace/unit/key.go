package unit

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"tianhai/trace/label"
)

// KeySize is that of the secret of a Key, in bytes.
const KeySize = 32

const (
	numberBits = 24 // of the 60 bits of a code: the number on the roll
	halfBits   = 30
	// freeRolls is where numbers of rolls end; the 36 bits that a code has for them go
	// on to 16 times that, and codes of batches are drawn from there.
	freeRolls = 1 << 32
)

// A Key computes codes. Who has its secret can compute them all.
type Key struct {
	codes          ff1
	salts, covers  cipher.Block
	sources, words []byte
}

// NewKey returns the key of a secret of KeySize random bytes.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) != KeySize {
		return nil, fmt.Errorf("key of unit codes: %d bytes instead of %d", len(secret), KeySize)
	}
	part := func(use string, size int) []byte {
		out, err := hkdf.Expand(sha256.New, secret, "tianhai unit "+use, size)
		if err != nil {
			panic(err) // only for sizes beyond 255 hashes
		}
		return out
	}
	return &Key{
		codes: newFF1(block(part("codes", 32)), 1<<15, 2),
		salts: block(part("salts", 32)), covers: block(part("covers", 32)), sources: part("sources", 32), words: part("devices", 32),
	}, nil
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for keys of other sizes
	}
	return b
}

// code returns the code with a number on a roll.
func (k *Key) code(roll int64, number int) string {
	v := uint64(roll)<<numberBits | uint64(number) //nolint:gosec // neither is negative
	a, b := k.codes.encrypt(v>>halfBits, v&(1<<halfBits-1))
	return label.Encode(a<<halfBits|b, label.CodeLength)
}

// find is the opposite of code, for any code.
func (k *Key) find(code string) (roll int64, number int) {
	v := label.Decode(code)
	a, b := k.codes.decrypt(v>>halfBits, v&(1<<halfBits-1))
	v = a<<halfBits | b
	return int64(v >> numberBits), int(v & (1<<numberBits - 1)) //nolint:gosec // 36 and 24 bits
}

// Free reports whether a code is and will be that of no unit. Of random codes 15 of
// 16 are.
func (k *Key) Free(code string) bool {
	roll, _ := k.find(code)
	return roll >= freeRolls
}

// cover returns the covered code that belongs to a code.
func (k *Key) cover(roll int64, number int) string {
	out := one(k.covers, roll, number)
	return label.Encode(binary.BigEndian.Uint64(out[:]), label.CoverLength)
}

// salt returns what keeps a leaf from being guessed.
func (k *Key) salt(roll int64, number int) [aes.BlockSize]byte { return one(k.salts, roll, number) }

func one(b cipher.Block, roll int64, number int) [aes.BlockSize]byte {
	var in, out [aes.BlockSize]byte
	binary.BigEndian.PutUint64(in[:], uint64(roll)) //nolint:gosec // not negative
	binary.BigEndian.PutUint64(in[8:], uint64(number))
	b.Encrypt(out[:], in[:])
	return out
}

// source returns by what tries from an address are counted: nobody without the key
// can find the address from it, and tomorrow it is another.
func (k *Key) source(address string, at time.Time) string {
	return mark(k.sources, at.UTC().Format(time.DateOnly)+"\x00"+address)
}

// device returns by what a phone is known again at one code, and at no other.
func (k *Key) device(token, roll string, number int) string {
	return mark(k.words, fmt.Sprintf("%s\x00%s\x00%d", token, roll, number))
}

func mark(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

// ff1 is FF1 of NIST SP 800-38G without tweak, for two halves of at most 32 bits
// each: a permutation of pairs of numbers below modulus.
type ff1 struct {
	block   cipher.Block
	prefix  [aes.BlockSize]byte // CIPH(P), the same for every text
	modulus uint64              // radix^half
	size    int                 // of a half, in bytes: b of the standard
}

const rounds = 10

// newFF1 returns FF1 for texts of 2·half numerals of a radix.
func newFF1(b cipher.Block, radix uint32, half int) ff1 {
	f := ff1{block: b, modulus: 1}
	for range half {
		f.modulus *= uint64(radix)
	}
	f.size = (bits.Len64(f.modulus-1) + 7) / 8
	p := [aes.BlockSize]byte{1, 2, 1, byte(radix >> 16), byte(radix >> 8), byte(radix), rounds, byte(half), 11: byte(2 * half)}
	b.Encrypt(f.prefix[:], p[:])
	return f
}

// round returns F of one half. Its buffers are the caller's, and used again.
func (f *ff1) round(i int, half uint64, q []byte) uint64 {
	copy(q, f.prefix[:])
	q[15-f.size] ^= byte(i)
	for j := range f.size {
		q[15-j] ^= byte(half >> (8 * j))
	}
	f.block.Encrypt(q, q)
	return binary.BigEndian.Uint64(q) % f.modulus // d is 8 where b is 1 to 4
}

func (f *ff1) encrypt(a, b uint64) (uint64, uint64) {
	q := make([]byte, aes.BlockSize)
	for i := range rounds {
		a, b = b, (a+f.round(i, b, q))%f.modulus
	}
	return a, b
}

func (f *ff1) decrypt(a, b uint64) (uint64, uint64) {
	q := make([]byte, aes.BlockSize)
	for i := rounds - 1; i >= 0; i-- {
		a, b = (b+f.modulus-f.round(i, a, q))%f.modulus, a
	}
	return a, b
}
