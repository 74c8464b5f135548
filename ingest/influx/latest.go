package influx

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// LatestWithin is how far back Latest looks.
const LatestWithin = 31 * 24 * time.Hour

// A Scope narrows a question to a tenant, a site, a device; an empty name does
// not narrow it.
type Scope struct{ Tenant, Site, Device string }

// A Latest is the newest reading of one quantity by one device at one site.
type Latest struct {
	Tenant, Site, Device string
	Time                 time.Time // UTC
	Reading              ingest.Reading
}

// Latest returns the newest reading of every quantity, device and site in
// scope, whatever its flag, that is not older than LatestWithin, sorted by
// site, device and the order of farm.Quantities.
func (c *Client) Latest(ctx context.Context, in Scope) ([]Latest, error) {
	quantities := farm.Quantities()
	cond := where(in.Tenant, in.Site, in.Device, time.Now().Add(-LatestWithin), time.Time{})
	by := strings.Join([]string{ident(TagTenant), ident(TagSite), ident(TagDevice)}, ", ")
	var statements strings.Builder
	for _, q := range quantities {
		// The second statement finds a missing value, which has only a flag.
		value, flag, from := ident(ValueField(q)), ident(FlagField(q)), ident(Measurement(q))
		fmt.Fprintf(&statements, "SELECT last(%s), %s FROM %s WHERE %s GROUP BY %s;", value, flag, from, cond, by)
		fmt.Fprintf(&statements, "SELECT last(%s), %s FROM %s WHERE %s GROUP BY %s;", flag, value, from, cond, by)
	}
	type key struct {
		tenant, site, device string
		quantity             int
	}
	newest := map[key]Latest{}
	err := c.query(ctx, statements.String(), func(statement int, s *series) error {
		for _, row := range s.Values {
			ms, _ := row[0].(float64)
			first, second := row[1], row[2]
			if statement%2 == 1 {
				first, second = second, first
			}
			q := quantities[statement/2]
			l := Latest{
				Tenant: s.Tags[TagTenant], Site: s.Tags[TagSite], Device: s.Tags[TagDevice],
				Time: time.UnixMilli(int64(ms)).UTC(), Reading: reading(q, first, second),
			}
			k := key{l.Tenant, l.Site, l.Device, statement / 2}
			if old, ok := newest[k]; !ok || old.Time.Before(l.Time) {
				newest[k] = l
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read latest: %w", err)
	}
	keys := slices.SortedFunc(maps.Keys(newest), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.site, b.site),
			cmp.Compare(a.device, b.device), cmp.Compare(a.quantity, b.quantity))
	})
	all := make([]Latest, len(keys))
	for i, k := range keys {
		all[i] = newest[k]
	}
	return all, nil
}

// reading makes a reading of the fields of a row; a field that the row lacks is
// nil.
func reading(q farm.Quantity, value, flag any) ingest.Reading {
	r := ingest.Reading{Quantity: q, Flag: ingest.Good}
	if f, ok := flag.(float64); ok {
		r.Flag = ingest.Flag(f)
	}
	v, ok := value.(float64)
	if !ok || r.Flag == ingest.Missing {
		r.Flag = ingest.Missing
		return r
	}
	r.Value = v
	return r
}
