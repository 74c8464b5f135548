package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxErrorBody bounds how much of an answer is read only to reuse a connection.
const maxErrorBody = 1 << 20

// A series is a part of one series of an answer: a long series comes in many.
// A row begins with its time in Unix milliseconds, as all numbers a float64.
type series struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	Values  [][]any           `json:"values"`
}

// query sends InfluxQL statements, separated by semicolons, and passes what
// comes back, by the number of its statement, to handle as it arrives. A nil
// handle ignores it. Memory stays bounded however long the answer is.
func (c *Client) query(ctx context.Context, statements string, handle func(statement int, s *series) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	form := url.Values{"q": {statements}, "epoch": {"ms"}, "chunked": {"true"}}
	form.Set("db", c.db)
	if c.rp != "" {
		form.Set("rp", c.rp)
	}
	var bad error
	e := c.service.DoPostRequest(ctx, c.service.ServerURL()+"query", strings.NewReader(form.Encode()),
		func(req *http.Request) {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Accept", "application/json")
		},
		func(resp *http.Response) error {
			defer resp.Body.Close()
			bad = readAnswer(resp.Body, handle)
			_, err := io.CopyN(io.Discard, resp.Body, maxErrorBody)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(bad, err)
		})
	if bad != nil {
		return bad
	}
	if e != nil {
		return failure("query", e)
	}
	return nil
}

func readAnswer(body io.Reader, handle func(statement int, s *series) error) error {
	type result struct {
		Statement int      `json:"statement_id"`
		Series    []series `json:"series"`
		Error     string   `json:"error"`
	}
	dec := json.NewDecoder(body)
	for {
		var chunk struct {
			Results []result `json:"results"`
			Error   string   `json:"error"`
		}
		if err := dec.Decode(&chunk); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return &Error{Op: "query", Err: fmt.Errorf("read answer: %w", err)}
		}
		if chunk.Error != "" {
			return &Error{Op: "query", Status: http.StatusOK, Err: errors.New(chunk.Error)}
		}
		for _, r := range chunk.Results {
			if r.Error != "" {
				return &Error{Op: "query", Status: http.StatusOK, Err: errors.New(r.Error)}
			}
			for i := range r.Series {
				if handle == nil {
					continue
				}
				if err := handle(r.Statement, &r.Series[i]); err != nil {
					return err
				}
			}
		}
	}
}

// ident writes a name as an InfluxQL identifier, text as a string. Both are
// safe with any input.
func ident(s string) string { return quote(s, '"') }

func text(s string) string { return quote(s, '\'') }

func quote(s string, q byte) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, q)
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			b = append(b, `\n`...)
		case q, '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, q))
}

// where writes the conditions that name the series and the time from ≤ t < to.
// An empty name is no condition, a zero time no bound.
func where(tenant, site, device string, from, to time.Time) string {
	var and []string
	for _, tag := range []struct{ key, value string }{{TagTenant, tenant}, {TagSite, site}, {TagDevice, device}} {
		if tag.value != "" {
			and = append(and, ident(tag.key)+" = "+text(tag.value))
		}
	}
	if !from.IsZero() {
		and = append(and, fmt.Sprintf("time >= %dms", from.UnixMilli()))
	}
	if !to.IsZero() {
		and = append(and, fmt.Sprintf("time < %dms", to.UnixMilli()))
	}
	return strings.Join(and, " AND ")
}
