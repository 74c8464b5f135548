package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/trace/input"
)

// Inputs keeps registered products with their labels, and what administrators forbid
// beside the shipped list.
type Inputs interface {
	// Inputs returns every product as it is now.
	Inputs(ctx context.Context) ([]input.Product, error)
	// PutInputs appends a version of each product, all or none; *input.FieldError.
	PutInputs(ctx context.Context, all []input.Product, account string) error
	Bans(ctx context.Context) ([]input.OwnBan, error)
	// AddBan appends one, or lifts another; farm.ErrNotFound, farm.ErrConflict.
	AddBan(ctx context.Context, b input.OwnBan) error
}

// Stocks keeps what was bought.
type Stocks interface {
	// Lots returns a tenant's behind a place and what is left of each, those bought last
	// first.
	Lots(ctx context.Context, tenant string, after Place, limit int) ([]input.Stock, error)
	Lot(ctx context.Context, id string) (input.Stock, error) // farm.ErrNotFound
	// LotUses returns what was taken from a lot behind a place, the last first.
	LotUses(ctx context.Context, lot string, after Place, limit int) ([]input.LotUse, error)
	// Buy stores lots, all or none; *input.FieldError, farm.ErrNotFound, farm.ErrConflict.
	Buy(ctx context.Context, lots []input.Lot) error
	// WriteOff takes an amount from a lot; *input.ShortError.
	WriteOff(ctx context.Context, w input.WriteOff) (input.WriteOff, error)
}

// listInputs is for everybody: labels are printed on bottles.
func (s *server) listInputs() listing[input.Product] {
	return listing[input.Product]{
		name: "inputs", key: func(p input.Product) string { return p.ID },
		read: func(c *gin.Context, _ page) ([]input.Product, error) { return s.Inputs.Inputs(c.Request.Context()) },
	}
}

func (s *server) getInput(c *gin.Context) error {
	id, err := id(c)
	if err != nil {
		return err
	}
	all, err := s.Inputs.Inputs(c.Request.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p input.Product) bool { return p.ID == id })
	if i < 0 {
		return farm.ErrNotFound
	}
	c.JSON(http.StatusOK, all[i])
	return nil
}

// putInput is the administrator's: what a label says counts for every farm.
func (s *server) putInput(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	id, err := id(c)
	if err != nil {
		return err
	}
	var in input.Product
	if err := body(c, &in); err != nil {
		return err
	}
	in.ID = id
	if err := s.Inputs.PutInputs(c.Request.Context(), []input.Product{in}, who(c).Login); err != nil {
		return err
	}
	c.JSON(http.StatusOK, in)
	return nil
}

// banView is a banned substance: shipped, without ID, or an administrator's.
type banView struct {
	input.OwnBan
	Shipped bool `json:"shipped"`
}

// listBans shows the administrators' own before those that are shipped.
func (s *server) listBans() listing[banView] {
	return listing[banView]{
		name: "bans",
		key: func(b banView) string {
			if !b.Shipped {
				return " " + b.ID
			}
			return b.Name + "\x1f" + strings.Join(b.Scope, " ") + "\x1f" + b.Source
		},
		read: func(c *gin.Context, _ page) ([]banView, error) {
			own, err := s.Inputs.Bans(c.Request.Context())
			if err != nil {
				return nil, err
			}
			var all []banView
			for _, b := range own {
				if who(c).Role != auth.Administrator {
					b.Account = ""
				}
				all = append(all, banView{OwnBan: b})
			}
			for _, b := range input.Banned() {
				all = append(all, banView{input.OwnBan{Ban: b}, true})
			}
			return all, nil
		},
	}
}

// addBanRequest is the body.
type addBanRequest struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Aliases []string  `json:"aliases"`
	CAS     string    `json:"cas"`
	Scope   []string  `json:"scope"`
	Source  string    `json:"source"`
	From    time.Time `json:"from"`
	Lifts   string    `json:"lifts"`
}

// addBan is the administrator's: it holds for every farm.
func (s *server) addBan(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	var in addBanRequest
	if err := body(c, &in); err != nil {
		return err
	}
	for field, id := range map[string]string{"id": in.ID, "lifts": in.Lifts} {
		if _, err := ulid.ParseStrict(id); err != nil && (field == "id" || id != "") {
			return &invalidError{field, "is not a ULID"}
		}
	}
	if in.From.IsZero() {
		return &invalidError{"from", "is missing: the day from which it holds"}
	}
	b := input.OwnBan{
		ID: in.ID, Lifts: in.Lifts, Recorded: s.Now().UTC(), Account: who(c).Login,
		Ban: input.Ban{Name: in.Name, Aliases: in.Aliases, CAS: in.CAS, Scope: in.Scope, Source: in.Source, From: in.From.UTC()},
	}
	if err := b.Check(); err != nil {
		return err
	}
	if err := s.Inputs.AddBan(c.Request.Context(), b); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, banView{OwnBan: b})
	return nil
}

// tableView is what became of a file of products or lots.
type tableView struct {
	DryRun bool           `json:"dry_run"`
	Count  int            `json:"count"`  // products or lots in the file
	Faults []device.Fault `json:"faults"` // with any, nothing was imported
}

// fileOf reads a file that is to be imported, all or nothing, and answers where it is
// only to be looked at: done then, and where it is at fault.
func fileOf[T any](c *gin.Context, parse func(io.Reader) ([]T, []input.Fault, error)) (all []T, done bool, err error) {
	dry, err := strconv.ParseBool(c.DefaultQuery("dry_run", "false"))
	if err != nil {
		return nil, false, &invalidError{"dry_run", "is neither true nor false"}
	}
	all, found, err := parse(c.Request.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large || errors.Is(err, input.ErrTooLarge) {
		return nil, false, errTooLarge
	} else if err != nil {
		return nil, false, err
	}
	faults := []device.Fault{}
	for _, f := range found {
		faults = append(faults, device.Fault{Line: f.Line, Field: f.Field, Reason: f.Reason})
	}
	if dry {
		c.JSON(http.StatusOK, tableView{true, len(all), faults})
		return nil, true, nil
	}
	if len(faults) > 0 {
		return nil, false, &faultsError{faults}
	}
	return all, false, nil
}

// importInputs takes registered products with their labels from a file.
func (s *server) importInputs(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	all, done, err := fileOf(c, input.ParseProducts)
	if err != nil || done {
		return err
	}
	if err := s.Inputs.PutInputs(c.Request.Context(), all, who(c).Login); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, tableView{Count: len(all), Faults: []device.Fault{}})
	return nil
}

// importLots takes lots that were bought from a file.
func (s *server) importLots(c *gin.Context) error {
	t, err := s.tenant(c, auth.Write)
	if err != nil {
		return err
	}
	products, err := s.Inputs.Inputs(c.Request.Context())
	if err != nil {
		return err
	}
	kinds := map[string]input.Kind{}
	for _, p := range products {
		kinds[p.ID] = p.Kind
	}
	lots, done, err := fileOf(c, func(file io.Reader) ([]input.Lot, []input.Fault, error) {
		return input.ParseLots(file, func(id string) (input.Kind, bool) { k, ok := kinds[id]; return k, ok })
	})
	if err != nil || done {
		return err
	}
	for i := range lots {
		lots[i].Tenant, lots[i].Account = t.ID, who(c).Login
	}
	if err := s.Stocks.Buy(c.Request.Context(), lots); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, tableView{Count: len(lots), Faults: []device.Fault{}})
	return nil
}

// listLots shows what was bought last first.
func (s *server) listLots() listing[input.Stock] {
	return listing[input.Stock]{
		name: "lots", falling: true, pages: true, key: func(l input.Stock) string { return timeKey(l.Recorded, l.ID) },
		read: func(c *gin.Context, p page) ([]input.Stock, error) {
			t, err := s.tenant(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Stocks.Lots(c.Request.Context(), t.ID, timePlace(p.after), p.limit)
		},
	}
}

// addLotRequest is the body.
type addLotRequest struct {
	ID       string    `json:"id"`
	Product  string    `json:"product"`
	Batch    string    `json:"batch"`
	Made     time.Time `json:"made"`
	Expires  time.Time `json:"expires"`
	Supplier string    `json:"supplier"`
	Quantity float64   `json:"quantity"`
	Unit     string    `json:"unit"`
	Document string    `json:"document"`
}

func (s *server) addLot(c *gin.Context) error {
	t, err := s.tenant(c, auth.Write)
	if err != nil {
		return err
	}
	var in addLotRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if _, err := ulid.ParseStrict(in.ID); err != nil {
		return &invalidError{"id", "is not a ULID"}
	}
	if farm.CheckID(in.Product) != nil {
		return &invalidError{"product", "is not an identifier"}
	}
	l := input.Lot{
		ID: in.ID, Tenant: t.ID, Product: in.Product, Batch: in.Batch, Made: in.Made, Expires: in.Expires, Supplier: in.Supplier,
		Quantity: in.Quantity, Unit: in.Unit, Document: in.Document, Recorded: s.Now().UTC(), Account: who(c).Login,
	}
	if err := s.Stocks.Buy(c.Request.Context(), []input.Lot{l}); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, input.Stock{Lot: l, Left: l.Quantity})
	return nil
}

// lot returns the lot of the path, of the tenant of the path.
func (s *server) lot(c *gin.Context, a auth.Action) (input.Stock, error) {
	t, err := s.tenant(c, a)
	if err != nil {
		return input.Stock{}, err
	}
	if _, err := ulid.ParseStrict(c.Param("lot")); err != nil {
		return input.Stock{}, farm.ErrNotFound
	}
	l, err := s.Stocks.Lot(c.Request.Context(), c.Param("lot"))
	if err == nil && l.Tenant != t.ID {
		err = farm.ErrNotFound
	}
	return l, err
}

// listLotUses shows what was taken from a lot, the last first.
func (s *server) listLotUses() listing[input.LotUse] {
	return listing[input.LotUse]{
		name: "uses", falling: true, pages: true, key: func(u input.LotUse) string { return timeKey(u.At, u.Operation+u.WriteOff) },
		read: func(c *gin.Context, p page) ([]input.LotUse, error) {
			l, err := s.lot(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Stocks.LotUses(c.Request.Context(), l.ID, timePlace(p.after), p.limit)
		},
	}
}

// writeOffRequest is the body.
type writeOffRequest struct {
	ID       string  `json:"id"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Reason   string  `json:"reason"`
}

func (s *server) writeOff(c *gin.Context) error {
	l, err := s.lot(c, auth.Write)
	if err != nil {
		return err
	}
	var in writeOffRequest
	if err := body(c, &in); err != nil {
		return err
	}
	w, err := s.Stocks.WriteOff(c.Request.Context(), input.WriteOff{
		ID: in.ID, Tenant: l.Tenant, Lot: l.ID, Quantity: in.Quantity, Unit: in.Unit, Reason: strings.TrimSpace(in.Reason), Account: who(c).Login,
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, w)
	return nil
}
