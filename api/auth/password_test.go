package auth_test

import (
	"errors"
	"strings"
	"testing"

	"tianhai/api/auth"
)

func TestPassword(t *testing.T) {
	for name, password := range map[string]string{
		"shortest": "12345678",
		"Chinese":  "田海田海田海田海",
		"longest":  strings.Repeat("x", 256),
		"nul":      "1234567\x00",
	} {
		t.Run(name, func(t *testing.T) {
			hash, err := auth.HashPassword(password)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
				t.Errorf("hash %q", hash)
			}
			if !auth.VerifyPassword(hash, password) {
				t.Error("the password does not match its own hash")
			}
			if auth.VerifyPassword(hash, password[:len(password)-1]+"!") || auth.VerifyPassword(hash, "") {
				t.Error("another password matches")
			}
			again, err := auth.HashPassword(password)
			if err != nil || again == hash {
				t.Errorf("hashed twice: %q, %v; want another salt", again, err)
			}
		})
	}
}

func TestPasswordRefused(t *testing.T) {
	for name, password := range map[string]string{
		"empty":         "",
		"short":         "1234567",
		"short Chinese": "田海田海田海田", // 21 bytes
		"long":          strings.Repeat("x", 257),
	} {
		if _, err := auth.HashPassword(password); !errors.Is(err, auth.ErrPassword) {
			t.Errorf("%s: error %v, want ErrPassword", name, err)
		}
	}
}

// The vector is one of the reference implementation's, phc-winner-argon2
// src/test.c.
func TestVerifyReference(t *testing.T) {
	const hash = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
	if !auth.VerifyPassword(hash, "password") || auth.VerifyPassword(hash, "Password") {
		t.Errorf("hash %s does not match as it should", hash)
	}
}

func TestVerifyMalformed(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
	for name, hash := range map[string]string{
		"empty":           "",
		"plain":           "password",
		"argon2i":         "$argon2i$v=19$m=256,t=2,p=2$" + salt + "$" + key,
		"old version":     "$argon2id$v=16$m=256,t=2,p=2$" + salt + "$" + key,
		"no version":      "$argon2id$m=256,t=2,p=2$" + salt + "$" + key,
		"too much memory": "$argon2id$v=19$m=1048576,t=2,p=2$" + salt + "$" + key,
		"no memory":       "$argon2id$v=19$m=0,t=2,p=2$" + salt + "$" + key,
		"too many passes": "$argon2id$v=19$m=256,t=17,p=2$" + salt + "$" + key,
		"no pass":         "$argon2id$v=19$m=256,t=0,p=2$" + salt + "$" + key,
		"no lane":         "$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + key,
		"negative":        "$argon2id$v=19$m=-1,t=2,p=2$" + salt + "$" + key,
		"short key":       "$argon2id$v=19$m=256,t=2,p=2$" + salt + "$bQk8",
		"no key":          "$argon2id$v=19$m=256,t=2,p=2$" + salt + "$",
		"no salt":         "$argon2id$v=19$m=256,t=2,p=2$$" + key,
		"padded":          "$argon2id$v=19$m=256,t=2,p=2$" + salt + "=$" + key + "=",
		"trailing":        "$argon2id$v=19$m=256,t=2,p=2$" + salt + "$" + key + "$",
	} {
		if auth.VerifyPassword(hash, "password") {
			t.Errorf("%s: a password matches %q", name, hash)
		}
		if _, ok := auth.ParsePHC(hash); ok {
			t.Errorf("%s: %q is taken for a hash", name, hash)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc")
	f.Add("$argon2id$v=19$m=4294967296,t=2,p=256$$")
	f.Fuzz(func(t *testing.T, s string) {
		if again, ok := auth.ParsePHC(s); ok && again != s {
			t.Errorf("read %q as %q", s, again)
		}
	})
}
