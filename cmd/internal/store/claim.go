package store

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/device"
)

type issuedRow struct {
	bun.BaseModel `bun:"table:issued,alias:u"`

	ID         string
	Model      string
	Name       farm.Text
	SecretHash []byte
	ClaimHash  []byte
	Wrong      int64
	Created    instant
	Account    string
}

// Issue adds devices that belong to nobody; farm.ErrConflict when an ID is
// taken, farm.ErrNotFound when a model is unknown.
func (s *Store) Issue(ctx context.Context, devices []device.Issued) error {
	return fail("issue devices", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, d := range devices {
			if taken, err := tx.NewSelect().Model((*deviceRow)(nil)).Where("d.id = ?", d.ID).Exists(ctx); err != nil || taken {
				return cmp.Or(err, farm.ErrConflict)
			}
			row := issuedRow{
				ID: d.ID, Model: d.Model, Name: d.Name, SecretHash: d.SecretHash, ClaimHash: d.ClaimHash,
				Created: instant{d.Created}, Account: d.Account,
			}
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return err
			}
			if err := addEvent(ctx, tx, device.Event{Device: d.ID, At: d.Created, Kind: device.WasIssued, Account: d.Account}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Offer returns an issued device; farm.ErrNotFound for all others.
func (s *Store) Offer(ctx context.Context, id string) (device.Offer, error) {
	var row issuedRow
	if err := s.read.NewSelect().Model(&row).Where("u.id = ?", id).Scan(ctx); err != nil {
		return device.Offer{}, fail("read issued device", err)
	}
	return device.Offer{Device: row.ID, Model: row.Model, Name: row.Name, Left: max(0, device.MaxGuesses-int(row.Wrong))}, nil
}

// An IssuedFilter chooses issued devices. Its zero value chooses all of them.
type IssuedFilter struct {
	Model string
	Text  string // in the ID or the name; case does not matter
	After string // ID; only those behind it
	Limit int    // 0: all
}

// Issued returns devices that nobody owns yet, by ID.
func (s *Store) Issued(ctx context.Context, f IssuedFilter) ([]device.Issued, error) {
	var rows []issuedRow
	q := s.page(s.read.NewSelect().Model(&rows).Order("u.id"), "u", f.Text, f.After, f.Limit)
	if f.Model != "" {
		q = q.Where("u.model = ?", f.Model)
	}
	err := q.Scan(ctx)
	return each(rows, func(r issuedRow) device.Issued {
		return device.Issued{
			ID: r.ID, Model: r.Model, Name: r.Name, SecretHash: r.SecretHash, ClaimHash: r.ClaimHash,
			Created: r.Created.Time, Account: r.Account, Locked: r.Wrong >= device.MaxGuesses,
		}
	}), fail("read issued devices", err)
}

// SetClaim gives an issued device another code, forgets the guesses, and appends
// e; farm.ErrConflict where the device has an owner.
func (s *Store) SetClaim(ctx context.Context, e device.Event, hash []byte) error {
	return fail("set claim code", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*issuedRow)(nil)).Set("claim_hash = ?, wrong = 0", hash).Where("u.id = ?", e.Device).Exec(ctx)
		err = changed(res, err, farm.ErrNotFound)
		if errors.Is(err, farm.ErrNotFound) {
			if owned, err := tx.NewSelect().Model((*deviceRow)(nil)).Where("d.id = ?", e.Device).Exists(ctx); err != nil || owned {
				return cmp.Or(err, farm.ErrConflict)
			}
		}
		if err != nil {
			return err
		}
		return addEvent(ctx, tx, e)
	}))
}

// Claim makes an issued device the site's tenant's, and places it there. Any
// other hash is device.ErrClaim and counted, and so is everything after
// device.MaxGuesses of them.
func (s *Store) Claim(ctx context.Context, c device.Claim) error {
	var refused error
	err := s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Counted first: who writes holds off all others until the end.
		res, err := tx.NewUpdate().Model((*issuedRow)(nil)).Set("wrong = wrong + 1").
			Where("u.id = ? AND u.wrong < ?", c.Device, device.MaxGuesses).Exec(ctx)
		if err := changed(res, err, device.ErrClaim); err != nil {
			return err
		}
		var row issuedRow
		if err := tx.NewSelect().Model(&row).Where("u.id = ?", c.Device).Scan(ctx); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(row.ClaimHash, c.ClaimHash) != 1 {
			refused = device.ErrClaim // and the count is kept
			return nil
		}
		return own(ctx, tx, row, c)
	})
	return fail("claim device", cmp.Or(err, refused))
}

// own moves an issued device to those that somebody owns.
func own(ctx context.Context, tx bun.Tx, from issuedRow, c device.Claim) error {
	if _, err := tx.NewDelete().Model((*issuedRow)(nil)).Where("u.id = ?", from.ID).Exec(ctx); err != nil {
		return err
	}
	row := deviceRow{
		ID: from.ID, Tenant: c.Site.Tenant, Model: from.Model, Name: cmp.Or(c.Name, from.Name), SecretHash: from.SecretHash,
		Created: from.Created, State: device.Claimed, StateAt: instant{c.At},
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return err
	}
	at := installationRow{Device: row.ID, Site: c.Site.ID, Tenant: row.Tenant, Since: instant{c.At}}
	if _, err := tx.NewInsert().Model(&at).Exec(ctx); err != nil {
		return err
	}
	return addEvent(ctx, tx, device.Event{Device: row.ID, At: c.At, Kind: device.EventKind(device.Claimed), Account: c.Account})
}
