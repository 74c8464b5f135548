package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// saltSize is that of Record.Salt, in bytes.
const saltSize = 16

// MaxOpening is the size of the longest text that ParseOpening reads, in bytes.
const MaxOpening = 8 << 20

// Leaf returns the bytes that stand for the record in the public log: version,
// kind, the code of a batch or the ID of an operation, and SHA-256 over salt and
// body. They say nothing of the content to whoever has not been given the salt,
// so the body can be erased though the log cannot.
//
//	{"v":1,"t":"batch","b":"4Q7XH2M9KTB3D","h":"…64 hex digits…"}
//	{"v":1,"t":"operation","i":"01JD…","h":"…"}
//
// Every verifier in the world writes these bytes again, so they never change.
func (r Record) Leaf() []byte {
	h := sha256.New()
	h.Write(r.Salt)
	h.Write(r.Body)
	leaf := struct {
		Version int    `json:"v"`
		Kind    string `json:"t"`
		Code    string `json:"b,omitempty"`
		Subject string `json:"i,omitempty"`
		Hash    string `json:"h"`
	}{1, r.Kind, r.Code, "", hex.EncodeToString(h.Sum(nil))}
	if r.Kind != BatchRecord {
		leaf.Code, leaf.Subject = "", r.Subject
	}
	out, err := json.Marshal(leaf)
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	return out
}

// opening is the JSON form of what Leaf is computed from. The body is a string
// of exactly the sealed bytes, which are UTF-8.
type opening struct {
	Version int    `json:"v"`
	Kind    string `json:"t"`
	Code    string `json:"code,omitempty"`
	Subject string `json:"subject,omitempty"`
	Salt    string `json:"salt"` // hex
	Body    string `json:"body"`

	Personal []personalJSON `json:"personal,omitempty"` // since version 2
}

type personalJSON struct {
	Path string `json:"path"`
	Salt string `json:"salt"` // hex
	Text string `json:"text"`
}

// Opening returns the JSON text from which anyone can recompute Leaf: kind,
// code or subject, salt, and the sealed bytes, and the personal data that the
// bytes commit to, as far as they were not erased. It is public for a batch.
func (r Record) Opening() ([]byte, error) {
	if !utf8.Valid(r.Body) {
		return nil, fmt.Errorf("open record %s: its body is not UTF-8", r.ID)
	}
	o := opening{Version: 1, Kind: r.Kind, Code: r.Code, Salt: hex.EncodeToString(r.Salt), Body: string(r.Body)}
	if r.Kind != BatchRecord {
		o.Code, o.Subject = "", r.Subject
	}
	for _, d := range r.Personal {
		o.Version = 2
		o.Personal = append(o.Personal, personalJSON{d.Path, hex.EncodeToString(d.Salt), d.Text})
	}
	return marshal(o)
}

// ParseOpening reads what Opening wrote, for Leaf to be compared with that of a
// receipt. ID, Tenant, At, Index and Receipt stay empty.
func ParseOpening(raw []byte) (Record, error) {
	if len(raw) > MaxOpening {
		return Record{}, fmt.Errorf("read record: %d bytes are too many, at most %d are allowed", len(raw), MaxOpening)
	}
	var o opening
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("read record: more than one JSON value")
	}
	if o.Version != 1 && o.Version != 2 {
		return Record{}, fmt.Errorf("read record: version %d is not known", o.Version)
	}
	salt, err := hex.DecodeString(o.Salt)
	if err != nil || len(salt) != saltSize {
		return Record{}, fmt.Errorf("read record: the salt is not %d bytes in hex", saltSize)
	}
	rec := Record{Kind: o.Kind, Subject: o.Subject, Code: o.Code, Body: []byte(o.Body), Salt: salt}
	for i, d := range o.Personal {
		salt, err := hex.DecodeString(d.Salt)
		if err != nil || len(salt) != saltSize {
			return Record{}, fmt.Errorf("read record: the salt of personal[%d] is not %d bytes in hex", i, saltSize)
		}
		rec.Personal = append(rec.Personal, Personal{d.Path, salt, d.Text})
	}
	return rec, nil
}

// marshal writes JSON without escaping <, > and &: what is sealed should be
// readable to whoever checks it by hand.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
