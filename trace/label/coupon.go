package label

import (
	"fmt"
	"strings"
	"time"
)

// A coupon is what is left to read of the digits of a North American coupon.
type coupon struct {
	rest  string
	fault string // the first; what is read after it does not count
}

func (c *coupon) fail(format string, args ...any) {
	if c.fault == "" {
		c.fault = fmt.Sprintf(format, args...)
	}
}

// take returns the next digits; zeros where there are too few.
func (c *coupon) take(n int, what string) string {
	if len(c.rest) < n {
		c.fail("the coupon ends within %s", what)
		c.rest = ""
		return strings.Repeat("0", n)
	}
	part := c.rest[:n]
	c.rest = c.rest[n:]
	return part
}

// one returns the next digit, which must be one of some.
func (c *coupon) one(of, what string) int {
	digit := c.take(1, what)
	if !strings.Contains(of, digit) {
		c.fail("%s of the coupon is %s; it is one of %s", what, digit, of)
	}
	return int(digit[0] - '0')
}

// counted takes a field whose length is the digit before it and some more.
func (c *coupon) counted(of string, more int, what string) {
	c.take(c.one(of, "the length of "+what)+more, what)
}

// purchase takes what must be bought.
func (c *coupon) purchase(what string) {
	c.counted("12345", 0, what)
	c.one("012349", "the code of "+what)
	c.take(3, "the family of "+what)
}

// company takes another's company prefix, where 9 is the first's again.
func (c *coupon) company(what string) {
	if n := c.one("01234569", "the length of "+what); n != 9 {
		c.take(n+6, what)
	}
}

func (c *coupon) date(what string) time.Time {
	s := c.take(6, what)
	t, err := time.Parse("20060102", "20"+s)
	if err != nil {
		c.fail("%s of the coupon, %s, is not a date that there is", what, s)
	}
	return t
}

// end says what was wrong.
func (c *coupon) end() string {
	if c.rest != "" {
		c.fail("the coupon has %q at its end, where nothing is due", c.rest)
	}
	return c.fault
}

// next reports whether an optional field is due, and passes over its number.
func (c *coupon) next(number string) bool {
	rest, ok := strings.CutPrefix(c.rest, number)
	c.rest = rest
	return ok
}

func newCoupon(s string) *coupon {
	c := &coupon{rest: s}
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		c.fail("%q at character %d of the coupon is no digit", s[i:i+1], i+1)
	}
	return c
}

// checkCoupon is GS1 US's North American Coupon Application Guideline: what the
// coupon saves and what must be bought for it, then optional fields in the order of
// their numbers.
func checkCoupon(s string) string {
	c := newCoupon(s)
	c.counted("0123456", 6, "the company prefix")
	c.take(6, "the offer code")
	c.counted("12345", 0, "the value saved")
	c.purchase("the first purchase")
	if c.next("1") {
		c.one("0123", "the rule of further purchases")
		c.purchase("the second purchase")
		c.company("the second company prefix")
	}
	if c.next("2") {
		c.purchase("the third purchase")
		c.company("the third company prefix")
	}
	var ends time.Time
	if c.next("3") {
		ends = c.date("the last day")
	}
	if c.next("4") && c.date("the first day").After(ends) && !ends.IsZero() {
		c.fail("the coupon ends before it begins")
	}
	if c.next("5") {
		c.counted(digits, 6, "the serial number")
	}
	if c.next("6") {
		c.counted("1234567", 6, "the retailer")
	}
	if c.next("9") {
		c.one("01256", "the kind of value saved")
		c.one("012", "the item that the value applies to")
		c.take(1, "the store's flag")
		c.one("01", "the flag against multiplying")
	}
	return c.end()
}

// checkOffer is GS1's AI (8112) Coupon Data Specification.
func checkOffer(s string) string {
	c := newCoupon(s)
	c.one("01", "the format")
	c.counted("0123456", 6, "the funder")
	c.take(6, "the offer code")
	c.counted(digits, 6, "the serial number")
	return c.end()
}
