package api

import (
	"context"
	"net/http"
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
func (s *server) listInputs(c *gin.Context) error {
	all, err := s.Inputs.Inputs(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"inputs": list(all)})
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

func (s *server) listBans(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{"bans": input.Banned()})
	return nil
}

func (s *server) listLots(c *gin.Context) error {
	t, err := s.tenant(c, auth.Read)
	if err != nil {
		return err
	}
	lots, err := s.Inputs.Lots(c.Request.Context(), t.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"lots": list(lots)})
	return nil
}

func (s *server) addLot(c *gin.Context) error {
	t, err := s.tenant(c, auth.Write)
	if err != nil {
		return err
	}
	var in struct {
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
