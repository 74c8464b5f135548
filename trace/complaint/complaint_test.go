package complaint_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"tianhai/trace/complaint"
)

// What a form says is taken as text that every database keeps, or refused with the field.
func FuzzCheck(f *testing.F) {
	f.Add("quality", "它有一股怪味，像柴油", "北海", "0779 2820000")
	f.Add("other", "smells of diesel\nand tastes of it", "Beihai\x00", "+86-779")
	f.Add("label", "\xff\xfe not text at all", "a\nb", "７")
	f.Fuzz(func(t *testing.T, kind, words, place, phone string) {
		err := complaint.Complaint{Kind: complaint.Kind(kind), Words: words, Place: place, Phone: phone}.Check()
		if err != nil {
			if bad := (*complaint.FieldError)(nil); !errors.As(err, &bad) || bad.Field == "" || bad.Reason == "" {
				t.Errorf("%v", err)
			}
			return
		}
		all := words + place + phone
		if !utf8.ValidString(all) || strings.ContainsRune(all, 0) || strings.ContainsAny(place, "\r\n") || utf8.RuneCountInString(all) > complaint.MaxWords+complaint.MaxPlace+complaint.MaxPhone {
			t.Errorf("%q, %q, %q are taken", words, place, phone)
		}
	})
}
