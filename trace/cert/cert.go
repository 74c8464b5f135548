// Package cert knows what a laboratory report and a 承诺达标合格证 must say, and what
// follows from one: whether a batch passed, which words a promise is made in, which
// certificate is in force. It is pure: nothing here reads a clock or a store.
//
// Source: 农产品质量安全承诺达标合格证管理办法 (农业农村部令 2025 年第 4 号, in force since
// 1 February 2026) and 农产品质量安全法 art. 36 and 39. The order's scope was read;
// fields and wordings come from a public project that cites it.
package cert

import (
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
)

// Style is whose promise a certificate is.
type Style string

// The styles.
const (
	Producer Style = "producer" // 样式一: who grew it
	Buyer    Style = "buyer"    // 样式二: who bought it, and mixed or split it
)

// Promise returns the words of the promise, which nobody may change; "" for an
// unknown style.
func (s Style) Promise() string {
	switch s {
	case Producer:
		return "未使用禁用农药、兽药及其他化合物；使用的常规农药、兽药残留不超标。"
	case Buyer:
		return "已按规定收取并保存该批次农产品承诺达标合格证或者其他质量安全合格证明；未违规使用保鲜剂、防腐剂、添加剂等。"
	}
	return ""
}

// Basis is what a promise rests on.
type Basis string

// The bases.
const (
	Control      Basis = "control"      // 质量安全控制符合要求
	OwnTest      Basis = "own_test"     // 自行检测合格
	Commissioned Basis = "commissioned" // 委托检测合格
)

// Bases lists every basis, in the order of the form.
func Bases() []Basis { return []Basis{Control, OwnTest, Commissioned} }

// Words returns the words of the form; "" for an unknown basis.
func (b Basis) Words() string {
	switch b {
	case Control:
		return "质量安全控制符合要求"
	case OwnTest:
		return "自行检测合格"
	case Commissioned:
		return "委托检测合格"
	}
	return ""
}

// KeepYears is how long a certificate and what led to it are kept at least.
const KeepYears = 2

// A Certificate is a 承诺达标合格证 of one batch. It is the body of a sealed record:
// fields are only ever added.
type Certificate struct {
	Version   int       `json:"v"`
	ID        string    `json:"id"` // ULID
	Tenant    string    `json:"tenant"`
	Batch     string    `json:"batch"`
	Code      string    `json:"code"`   // the batch's trace code
	Number    string    `json:"number"` // unique for its issuer: 2026-000123
	Style     Style     `json:"style"`
	Promise   string    `json:"promise"`
	Basis     []Basis   `json:"basis"`
	Product   farm.Text `json:"product"`
	Quantity  float64   `json:"quantity"`
	Unit      string    `json:"unit"`   // UCUM
	Origin    farm.Text `json:"origin"` // no finer than the town
	Promiser  Promiser  `json:"promiser"`
	Issued    time.Time `json:"issued"`
	Reports   []string  `json:"reports,omitempty"`   // the reports that the basis rests on
	Collected []string  `json:"collected,omitempty"` // what a buyer collected: numbers of certificates or other proofs
	Parents   []string  `json:"parents,omitempty"`   // certificates of the batches that this one was made of: code/number
	// Personal holds, by path, the commitment to a text that can be erased; see
	// trace.Personal.
	Personal map[string]string `json:"personal,omitempty"`
}

// A Promiser is who makes the promise, 承诺主体.
type Promiser struct {
	Name       farm.Text `json:"name"`
	CreditCode string    `json:"credit_code,omitempty"` // GB 32100
	Phone      string    `json:"phone,omitempty"`
}

// PersonalFields are the texts that the law lets a natural person have erased.
func (c *Certificate) PersonalFields() map[string]*string {
	return map[string]*string{
		"promiser.name.zh": &c.Promiser.Name.Zh,
		"promiser.name.en": &c.Promiser.Name.En,
		"promiser.phone":   &c.Promiser.Phone,
	}
}

// NumberOf writes the number of a year's nth certificate of an issuer.
func NumberOf(year, n int) string { return fmt.Sprintf("%04d-%06d", year, n) }

// YearOf returns the year whose numbers a certificate of a time has, in Beijing.
func YearOf(t time.Time) int { return t.In(beijing()).Year() }

// maxCollected is how many proofs a buyer's certificate names.
const maxCollected = 100

// Check reports what a person chose that cannot be: *FieldError.
func (c Certificate) Check() error {
	if c.Style.Promise() == "" {
		return field("style", "is neither producer nor buyer")
	}
	if len(c.Basis) == 0 {
		return field("basis", "is empty; a promise rests on something")
	}
	for i, b := range c.Basis {
		if b.Words() == "" {
			return field(fmt.Sprintf("basis[%d]", i), "is none of control, own_test and commissioned")
		}
		if slices.Contains(c.Basis[:i], b) {
			return field(fmt.Sprintf("basis[%d]", i), "is there twice")
		}
	}
	if c.Style == Buyer && len(c.Collected)+len(c.Parents) == 0 {
		return field("collected", "is empty; a buyer has collected certificates or other proofs, and names them")
	}
	if c.Style == Producer && len(c.Collected) > 0 {
		return field("collected", "is a buyer's")
	}
	if len(c.Collected) > maxCollected {
		return field("collected", "are more than %d", maxCollected)
	}
	for i, text := range c.Collected {
		if err := checkText(fmt.Sprintf("collected[%d]", i), text, maxShort, false); err != nil {
			return err
		}
	}
	return nil
}

// Cause is why something is void.
type Cause string

// The causes.
const (
	ByIssuer Cause = "issuer" // who issued or entered it
	ByRecall Cause = "recall"
)

// A Void takes back a certificate or a report; both stay to be seen. It is the body
// of a sealed record.
type Void struct {
	Version int       `json:"v"`
	ID      string    `json:"id"` // ULID
	Tenant  string    `json:"tenant"`
	Batch   string    `json:"batch"`
	Voids   string    `json:"voids"`  // the ID of what is void
	Number  string    `json:"number"` // and its number, for people
	Cause   Cause     `json:"cause"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// maxReason is the longest reason, in bytes.
const maxReason = 500

// CheckReason reports what keeps a text from being the reason of a Void: *FieldError.
func CheckReason(reason string) error { return checkText("reason", reason, maxReason, false) }
