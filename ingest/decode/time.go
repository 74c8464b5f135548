package decode

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// parseRFC3339 reads a time as RFC 3339 §5.6 has it, which Go does only nearly:
// hours have two digits, 't' and 'z' may be small, and the last second of a June
// or December in UTC may be a 60th. A leap second counts as the second after it,
// as it does in Unix time. The time must lie between 1970 and 2262.
func parseRFC3339(s string) (time.Time, error) {
	refused := errors.New("not an RFC 3339 time between 1970 and 2262, such as 2026-08-01T09:00:00+08:00")
	const digits = "dddd-dd-ddTdd:dd:dd"
	text := strings.ToUpper(s)
	if len(text) <= len(digits) {
		return time.Time{}, refused
	}
	for i := range len(digits) {
		if isDigit := '0' <= text[i] && text[i] <= '9'; digits[i] == 'd' != isDigit || !isDigit && text[i] != digits[i] {
			return time.Time{}, refused
		}
	}
	if zone := text[len(text)-6:]; text[len(text)-1] != 'Z' && (zone[1:3] > "23" || zone[4:] > "59") || strings.Contains(text, ",") {
		return time.Time{}, refused // Go has a 24th hour, a 60th minute and a comma before a fraction
	}
	leap := text[17:19] == "60"
	if leap {
		text = text[:17] + "59" + text[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.UnixMilli() < 0 || t.UnixMilli() > maxMillis {
		return time.Time{}, refused
	}
	t = t.UTC()
	if leap {
		day, clock := t.Format("01-02"), t.Format("15:04:05")
		if day != "06-30" && day != "12-31" || clock != "23:59:59" {
			return time.Time{}, fmt.Errorf("%s was no leap second", s)
		}
		t = t.Add(time.Second)
	}
	return t, nil
}
