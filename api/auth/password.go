package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// How long a password may be.
const (
	MinPassword = 8   // characters; NIST SP 800-63B §5.1.1.1
	MaxPassword = 256 // bytes
)

// ErrPassword reports a password that is too short or too long to be taken.
var ErrPassword = fmt.Errorf("a password has at least %d characters and at most %d bytes", MinPassword, MaxPassword)

// The cost of a guess: OWASP's second choice for argon2id, 19 MiB and two passes.
// RFC 9106's 64 MiB and four lanes would let a few logins at once take the
// memory of a small farm server.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltLength   = 16
	keyLength    = 32
)

// What a stored hash may ask of us.
const (
	maxMemory  = 128 * 1024 // KiB
	maxTime    = 16
	maxThreads = 16
	maxField   = 64 // bytes of salt, and of hash
)

// A phc is a password hash taken apart.
type phc struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func checkPassword(password string) error {
	if utf8.RuneCountInString(password) < MinPassword || len(password) > MaxPassword {
		return ErrPassword
	}
	return nil
}

// HashPassword returns the argon2id hash of a password as a PHC string with a
// new random salt. It returns ErrPassword for one that cannot be taken. It takes
// 19 MiB of memory while it works.
func HashPassword(password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	p := phc{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, saltLength)}
	rand.Read(p.salt) //nolint:errcheck // it never fails
	p.key = p.derive(password, keyLength)
	return p.String(), nil
}

// VerifyPassword reports whether password is the one that was hashed. The time
// it takes does not depend on where they differ. A hash that is not an argon2id
// PHC string, or asks for unreasonable work, matches nothing.
func VerifyPassword(hash, password string) bool {
	p, err := parsePHC(hash)
	if err != nil || len(password) > MaxPassword {
		return false
	}
	return subtle.ConstantTimeCompare(p.derive(password, uint32(len(p.key))), p.key) == 1
}

func (p phc) derive(password string, length uint32) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, length)
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.memory, p.time, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads what String writes, and nothing else.
//
// Source: P-H-C string format specification; argon2 reference implementation.
func parsePHC(s string) (phc, error) {
	bad := errors.New("not an argon2id hash")
	fields := strings.Split(s, "$")
	if len(fields) != 6 {
		return phc{}, bad
	}
	var p phc
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return phc{}, bad
	}
	var saltErr, keyErr error
	p.salt, saltErr = base64.RawStdEncoding.Strict().DecodeString(fields[4])
	p.key, keyErr = base64.RawStdEncoding.Strict().DecodeString(fields[5])
	switch {
	case saltErr != nil, keyErr != nil, p.String() != s,
		p.memory < 8*uint32(p.threads), p.memory > maxMemory,
		p.time < 1, p.time > maxTime,
		p.threads < 1, p.threads > maxThreads,
		len(p.salt) < 8, len(p.salt) > maxField,
		len(p.key) < 16, len(p.key) > maxField:
		return phc{}, bad
	}
	return p, nil
}
