package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/farm"
	"tianhai/trace/chain"
)

// body reads the request's JSON into a struct, strictly: a member that the
// struct lacks, a second value, or another content type is an error.
func body(c *gin.Context, into any) error {
	raw, err := rawBody(c)
	if err != nil {
		return err
	}
	return strict(raw, into)
}

// rawBody reads what is said to be JSON.
func rawBody(c *gin.Context) ([]byte, error) {
	if t, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || t != "application/json" {
		return nil, errMediaType
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, bodyError(err)
	}
	return raw, nil
}

// strict reads one JSON value as body does. A text with U+0000, which PostgreSQL does
// not keep, would else be a failure of the server, and be sent again for ever.
func strict(raw []byte, into any) error {
	if escapesNUL(raw) {
		return &invalidError{"", "has a text with the character U+0000"}
	}
	return unmarshal(raw, into)
}

func unmarshal(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return bodyError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errJSON
	}
	return nil
}

// escapesNUL reports whether JSON writes U+0000, as it only can by an escape.
func escapesNUL(raw []byte) bool {
	for i := 0; i < len(raw)-1; i++ {
		if raw[i] != '\\' {
			continue
		}
		if i++; bytes.HasPrefix(raw[i:], []byte("u0000")) {
			return true
		}
	}
	return false
}

// isForm reports whether a page's form is posted. Where the answer is a document
// to print, the browser shows it by itself, under the policy that comes with it.
func isForm(c *gin.Context) bool {
	t, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded"
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return &invalidError{e.Field, "is of another JSON type, or out of range"}
	}
	if bad, ok := errors.AsType[*chain.FieldError](err); ok { // of an amount
		return bad
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return &invalidError{"", "a time is not RFC 3339"}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &invalidError{strings.Trim(name, `"`), "is not known"}
	}
	return errJSON
}

// id returns the path's identifier. What cannot be one does not exist.
func id(c *gin.Context) (string, error) {
	s := c.Param("id")
	if farm.CheckID(s) != nil {
		return "", farm.ErrNotFound
	}
	return s, nil
}

// queryTime returns an RFC 3339 parameter, or otherwise when it is not given.
func queryTime(c *gin.Context, name string, otherwise time.Time) (time.Time, error) {
	s := c.Query(name)
	if s == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !ofOurTime(t) {
		return time.Time{}, &invalidError{name, "is not an RFC 3339 time such as 2026-07-01T08:00:00Z"}
	}
	return t.UTC(), nil
}

// ofOurTime reports whether a time can be meant. One after the year 9999 could not even
// be written as JSON.
func ofOurTime(t time.Time) bool { return t.UTC().Year() >= 1970 && t.UTC().Year() <= 2200 }

// queryPeriod returns the parameters from and to: by default the time up to now
// that is given, and at most a limit long.
func queryPeriod(c *gin.Context, now time.Time, usual, limit time.Duration) (from, to time.Time, err error) {
	if to, err = queryTime(c, "to", now.UTC()); err != nil {
		return from, to, err
	}
	if from, err = queryTime(c, "from", to.Add(-usual)); err != nil {
		return from, to, err
	}
	if !from.Before(to) {
		return from, to, &invalidError{"from", "is not before to"}
	}
	if to.Sub(from) > limit {
		return from, to, &invalidError{"from", "is more than " + strconv.Itoa(int(limit.Hours()/24)) + " days before to"}
	}
	return from, to, nil
}

// queryInt returns a whole number from 1 to most, or otherwise when not given.
func queryInt(c *gin.Context, name string, otherwise, most int) (int, error) {
	s := c.Query(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, &invalidError{name, "is not a whole number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}

// list is never null in JSON.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
