package api

import (
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/gin-gonic/gin"
)

// ParseCell puts a cell of a file into what to points at.
func ParseCell(to any, text string) error { return parseCell(reflect.ValueOf(to).Elem(), text) }

// ParseMoment is the time that a cell says.
func ParseMoment(text string) (time.Time, error) { return parseMoment(text) }

// Scanned is the code in what a scanner typed.
func Scanned(text string) string { return scanned(text) }

// After is the key that a page begins after, and the place that it was made of.
func After(cursor string) (key string, place Place, err error) {
	c := &gin.Context{Request: &http.Request{URL: &url.URL{RawQuery: url.Values{"after": {cursor}}.Encode()}}}
	p, err := listing[int]{}.pageOf(c)
	return p.after, timePlace(p.after), err
}

// Cursor is the opposite of After.
func Cursor(key string) string { return cursor(key) }

// TimeKey is the opposite of After's place.
func TimeKey(p Place) string { return timeKey(p.At, p.ID) }
