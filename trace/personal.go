package trace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// ErasureRecord is the kind of a record that says that personal data were erased.
const ErasureRecord = "erasure"

// A Personal is a text that the law lets a person have erased, such as the name
// of a household. A record holds only its Commitment; the text and its salt stand
// beside it as long as nobody has them erased, and erasing them changes no sealed
// byte.
type Personal struct {
	Path string // of the text in the public record: "producer.name.zh"
	Salt []byte // 16 random bytes
	Text string
}

// Commitment returns hex SHA-256 over salt and text. Without the salt nobody can
// try out names.
func (p Personal) Commitment() string {
	h := sha256.New()
	h.Write(p.Salt)
	io.WriteString(h, p.Text) //nolint:errcheck // a hash never fails
	return hex.EncodeToString(h.Sum(nil))
}

// NaturalPerson reports whether a tenant's name, telephone number and names of
// sites are personal data: those of households and vessels, and of whoever has no
// credit code. Names of enterprises and co-operatives are not.
func NaturalPerson(t farm.Tenant) bool {
	return t.Kind == farm.Household || t.Kind == farm.VesselOwner || t.Kind == "" && t.CreditCode == ""
}

// personalFields are the fields of a public record that can be withheld.
func (p *PublicRecord) personalFields() map[string]*string {
	return map[string]*string{
		"producer.name.zh": &p.Producer.Name.Zh,
		"producer.name.en": &p.Producer.Name.En,
		"producer.phone":   &p.Producer.Phone,
		"origin.site.zh":   &p.Origin.Site.Zh,
		"origin.site.en":   &p.Origin.Site.En,
	}
}

// withhold takes the personal data out of the record, which then holds commitments.
func (p *PublicRecord) withhold(random io.Reader) (personal []Personal, err error) {
	p.Personal, personal, err = withhold(p.personalFields(), random)
	return personal, err
}

// withhold takes texts, by path, out of a statement. It returns the commitments that
// stand in their place.
func withhold(fields map[string]*string, random io.Reader) (map[string]string, []Personal, error) {
	var out []Personal
	commitments := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		if *fields[path] == "" {
			continue
		}
		d := Personal{Path: path, Salt: make([]byte, saltSize), Text: *fields[path]}
		if _, err := io.ReadFull(random, d.Salt); err != nil {
			return nil, nil, fmt.Errorf("make salt: %w", err)
		}
		*fields[path], commitments[path] = "", d.Commitment()
		out = append(out, d)
	}
	return commitments, out, nil
}

// Disclose puts personal data back in their places, each after a look at its
// commitment. What is not given stays empty: it was erased. A text that is not the
// one committed to is an error.
func (p *PublicRecord) Disclose(personal []Personal) error {
	return disclose(p.personalFields(), p.Personal, personal)
}

func disclose(fields map[string]*string, commitments map[string]string, personal []Personal) error {
	for _, d := range personal {
		field := fields[d.Path]
		if field == nil || len(d.Salt) != saltSize || commitments[d.Path] == "" || commitments[d.Path] != d.Commitment() {
			return fmt.Errorf("%s is not what the record commits to", d.Path)
		}
		*field = d.Text
	}
	return nil
}

// withhold takes what may name a person out of an operation, whose items then hold
// commitments.
func (o *Operation) withhold(c *catalog.Catalog, random io.Reader) ([]Personal, error) {
	var out []Personal
	o.Items = slices.Clone(o.Items)
	for i, item := range o.Items {
		k, _ := c.Item(item.Key)
		if !k.Personal || item.Value == catalog.Dash {
			continue
		}
		d := Personal{Path: itemPath(i), Salt: make([]byte, saltSize), Text: item.Value}
		if _, err := io.ReadFull(random, d.Salt); err != nil {
			return nil, fmt.Errorf("make salt: %w", err)
		}
		o.Items[i].Value, o.Items[i].Commitment = "", d.Commitment()
		out = append(out, d)
	}
	return out, nil
}

// Withheld reports whether some item is a commitment.
func (o Operation) Withheld() bool {
	return slices.ContainsFunc(o.Items, func(i Item) bool { return i.Commitment != "" })
}

// Disclose puts personal data back into an operation, each after a look at its
// commitment. What is not given stays empty: it was erased. A text that is not the
// one committed to is an error.
func (o *Operation) Disclose(personal []Personal) error {
	o.Items = slices.Clone(o.Items)
	for _, d := range personal {
		i := slices.IndexFunc(o.Items, func(item Item) bool { return item.Commitment == d.Commitment() })
		if i < 0 || len(d.Salt) != saltSize || d.Path != itemPath(i) {
			return fmt.Errorf("%s of operation %s is not what it commits to", d.Path, o.ID)
		}
		o.Items[i].Value = d.Text
	}
	return nil
}

// itemPath names the value of an operation's item.
func itemPath(i int) string { return fmt.Sprintf("items[%d].value", i) }

// Erased reports whether a field was withheld and its text is gone.
func (p *PublicRecord) Erased(path string) bool {
	field := p.personalFields()[path]
	return field != nil && *field == "" && p.Personal[path] != ""
}
