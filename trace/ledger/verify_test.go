package ledger_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"tianhai/trace/ledger"
)

const origin = "log.example/test"

// The tree that Google's certificate-transparency code published with RFC 6962
// and that every implementation since is tested on: leaves, and the roots of its
// first 1 to 8 leaves.
var (
	treeLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	treeRoots  = []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
)

// A signer writes receipts without the code under test.
type signer struct {
	note.Signer
	vkey string
}

func newSigner(t testing.TB, name string) signer {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer{s, vkey}
}

func (s signer) checkpoint(t testing.TB, text string) string {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func (s signer) receipt(t testing.TB, leaf []byte, index, size int, root string, path ...string) string {
	t.Helper()
	b64 := func(h string) string {
		raw, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(leaf), index)
	for _, h := range path {
		b.WriteString(b64(h) + "\n")
	}
	b.WriteString("\n" + s.checkpoint(t, fmt.Sprintf("%s\n%d\n%s\n", s.Name(), size, b64(root))))
	return b.String()
}

// Paths published with the tree; leaf 0 of it is empty, which our log refuses,
// so index 0 is not among them.
func TestVerifyPublishedTree(t *testing.T) {
	s := newSigner(t, origin)
	tests := map[string]struct {
		index, size int
		path        []string
	}{
		"6th of 8": {5, 8, []string{
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		}},
		"3rd of 3": {2, 3, []string{
			"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		}},
		"2nd of 5": {1, 5, []string{
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		}},
		"2nd of 2": {1, 2, []string{
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			leaf, err := hex.DecodeString(treeLeaves[tt.index])
			if err != nil {
				t.Fatal(err)
			}
			root := treeRoots[tt.size-1]
			p, err := ledger.Verify(s.vkey, s.receipt(t, leaf, tt.index, tt.size, root, tt.path...))
			if err != nil {
				t.Fatal(err)
			}
			if p.Origin != origin || p.Index != int64(tt.index) || p.Size != int64(tt.size) || string(p.Leaf) != string(leaf) || hex.EncodeToString(p.Root[:]) != root {
				t.Errorf("proof says %+v", p)
			}
			for i := range tt.path {
				swapped := append([]string{}, tt.path...)
				swapped[i] = treeRoots[7]
				if _, err := ledger.Verify(s.vkey, s.receipt(t, leaf, tt.index, tt.size, root, swapped...)); err == nil {
					t.Errorf("a false hash %d is accepted", i)
				}
			}
			if _, err := ledger.Verify(s.vkey, s.receipt(t, leaf, tt.index, tt.size, root, tt.path[1:]...)); err == nil {
				t.Error("a missing hash is accepted")
			}
			longer := append(append([]string{}, tt.path...), treeRoots[0])
			if _, err := ledger.Verify(s.vkey, s.receipt(t, leaf, tt.index, tt.size, root, longer...)); err == nil {
				t.Error("a superfluous hash is accepted")
			}
			if _, err := ledger.Verify(s.vkey, s.receipt(t, leaf, tt.index-1, tt.size, root, tt.path...)); err == nil {
				t.Error("another index is accepted")
			}
		})
	}
}

// A single leaf is its own tree; the smallest good receipt, for the tests below.
func smallest(t testing.TB, s signer) string {
	t.Helper()
	return s.receipt(t, []byte{0}, 0, 1, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7")
}

func TestVerifyRefuses(t *testing.T) {
	s, other, namesake := newSigner(t, origin), newSigner(t, "other.example/log"), newSigner(t, origin)
	good := smallest(t, s)
	if _, err := ledger.Verify(s.vkey, good); err != nil {
		t.Fatalf("the receipt to be spoilt is not good: %v", err)
	}
	head, checkpoint, _ := strings.Cut(good, "\n\n")
	root := strings.Split(checkpoint, "\n")[2]
	resigned := func(by signer, text string) string { return head + "\n\n" + by.checkpoint(t, text) }
	replaced := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to replace: %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	sigLine := good[strings.LastIndex(strings.TrimSuffix(good, "\n"), "\n")+1:]
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(sigLine[strings.LastIndex(sigLine, " ")+1:]))
	if err != nil {
		t.Fatal(err)
	}
	raw[10] ^= 1
	falseSig := fmt.Sprintf("— %s %s\n", origin, base64.StdEncoding.EncodeToString(raw))

	tests := map[string]struct{ receipt, says string }{
		"empty":                       {"", "line 1"},
		"another header":              {replaced("proof@v1", "proof@v2"), "line 1"},
		"no leaf":                     {replaced("extra AA==\n", ""), "line 3"},
		"no extra line but a hash":    {replaced("extra AA==", root), "line 2"},
		"empty leaf":                  {replaced("extra AA==", "extra "), "line 2"},
		"leaf in loose base64":        {replaced("extra AA==", "extra AB=="), "line 2"},
		"another leaf":                {replaced("extra AA==", "extra AQ=="), "lines 2 to 3"},
		"leading zero":                {replaced("index 0", "index 00"), "line 3"},
		"sign":                        {replaced("index 0", "index -0"), "line 3"},
		"plus":                        {replaced("index 0", "index +0"), "line 3"},
		"index past the tree":         {replaced("index 0", "index 1"), "line 3"},
		"index past all numbers":      {replaced("index 0", "index 99999999999999999999"), "line 3"},
		"hash that is none":           {replaced("index 0\n", "index 0\nAAAA\n"), "line 4"},
		"superfluous hash":            {replaced("index 0\n", "index 0\n"+root+"\n"), "lines 2 to 4"},
		"64 hashes":                   {replaced("index 0\n", "index 0\n"+strings.Repeat(root+"\n", 64)), "line 67"},
		"no checkpoint":               {head, "line 3"},
		"carriage returns":            {strings.ReplaceAll(good, "\n", "\r\n"), "line 1"},
		"too long":                    {good + strings.Repeat(" ", ledger.MaxReceipt), "bytes"},
		"size raised":                 {replaced("\n1\n", "\n2\n"), "line 5"},
		"root changed":                {replaced(root, "A"+root[1:]), "line 5"},
		"signature spoilt":            {replaced(sigLine, falseSig), "line 5"},
		"good and false signature":    {replaced(sigLine, falseSig+sigLine), "line 5"},
		"no signature":                {replaced(sigLine, ""), "line 5"},
		"text after the signature":    {good + "and more\n", "line 5"},
		"signed by another":           {resigned(other, origin+"\n1\n"+root+"\n"), "line 5"},
		"signed by a namesake":        {resigned(namesake, origin+"\n1\n"+root+"\n"), "line 5"},
		"checkpoint of another log":   {resigned(s, "other.example/log\n1\n"+root+"\n"), "line 5"},
		"checkpoint with a line more": {resigned(s, origin+"\n1\n"+root+"\nmore\n"), "line 5"},
		"size with a leading zero":    {resigned(s, origin+"\n01\n"+root+"\n"), "line 5"},
		"checkpoint without a root":   {resigned(s, origin+"\n1\n\n"), "line 5"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := ledger.Verify(s.vkey, tt.receipt)
			if err == nil {
				t.Fatalf("accepted as %+v", p)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
	for name, vkey := range map[string]string{"another log's key": other.vkey, "a namesake's key": namesake.vkey, "no key": "", "half a key": s.vkey[:20]} {
		if _, err := ledger.Verify(vkey, good); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// A witness's line beside ours is passed over, whatever it says.
func TestVerifyIgnoresUnknownSigners(t *testing.T) {
	s, witness := newSigner(t, origin), newSigner(t, "witness.example")
	good := smallest(t, s)
	_, checkpoint, _ := strings.Cut(good, "\n\n")
	text, _, _ := strings.Cut(checkpoint, "\n\n")
	signed := witness.checkpoint(t, text+"\n")
	line := signed[strings.Index(signed, "\n\n")+2:]
	if _, err := ledger.Verify(s.vkey, good+line); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	s := newSigner(f, origin)
	good := smallest(f, s)
	f.Add(good)
	f.Add("")
	f.Add("c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n")
	f.Add(strings.Replace(good, "index 0", "index 9223372036854775807", 1))
	_, signed, _ := strings.Cut(good, "\n\n")
	f.Fuzz(func(t *testing.T, receipt string) {
		p, err := ledger.Verify(s.vkey, receipt)
		if err != nil {
			return
		}
		// Nobody here can sign, so whatever verifies is what was signed.
		if p.Size != 1 || p.Index != 0 || string(p.Leaf) != "\x00" || !strings.Contains(receipt, strings.SplitAfterN(signed, "\n", 4)[2]) {
			t.Errorf("%q verifies as %+v", receipt, p)
		}
	})
}
