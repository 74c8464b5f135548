package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/input"
)

// Inputs keeps registered products with their labels, and what was bought of them.
type Inputs interface {
	// Inputs returns every product as it is now.
	Inputs(ctx context.Context) ([]input.Product, error)
	// PutInput appends a version of a product; *input.FieldError.
	PutInput(ctx context.Context, p input.Product, account string) error
	// Lots returns a tenant's and what is left of each, those bought last first.
	Lots(ctx context.Context, tenant string) ([]input.Stock, error)
	// AddLot stores what was bought; *input.FieldError, farm.ErrNotFound.
	AddLot(ctx context.Context, l input.Lot) error
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
	if err := s.Inputs.PutInput(c.Request.Context(), in, who(c).Login); err != nil {
		return err
	}
	c.JSON(http.StatusOK, in)
	return nil
}

func (s *server) listBans() listing[input.Ban] {
	return listing[input.Ban]{
		name: "bans", key: func(b input.Ban) string { return b.Name + "\x1f" + strings.Join(b.Scope, " ") + "\x1f" + b.Source },
		read: func(*gin.Context, page) ([]input.Ban, error) { return input.Banned(), nil },
	}
}

// listLots shows what was bought last first.
func (s *server) listLots() listing[input.Stock] {
	return listing[input.Stock]{
		name: "lots", falling: true, key: func(l input.Stock) string { return timeKey(l.Recorded, l.ID) },
		read: func(c *gin.Context, _ page) ([]input.Stock, error) {
			t, err := s.tenant(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Inputs.Lots(c.Request.Context(), t.ID)
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
	if err := s.Inputs.AddLot(c.Request.Context(), l); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, input.Stock{Lot: l, Left: l.Quantity})
	return nil
}
