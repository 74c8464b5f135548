package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
)

// Operators knows who runs farms, and what they are allowed. What does not exist
// is farm.ErrNotFound.
type Operators interface {
	Tenant(ctx context.Context, id string) (farm.Tenant, error)
	// Licences returns a tenant's, those that expire first first.
	Licences(ctx context.Context, tenant string) ([]farm.Licence, error)
	AddLicence(ctx context.Context, l farm.Licence) error
	SetBoundary(ctx context.Context, site string, b farm.Boundary, area float64) error
}

// tenant returns the tenant of the path if the caller may do a there.
func (s *server) tenant(c *gin.Context, a auth.Action) (farm.Tenant, error) {
	id, err := id(c)
	if err != nil {
		return farm.Tenant{}, err
	}
	t, err := s.Operators.Tenant(c.Request.Context(), id)
	if err != nil {
		return farm.Tenant{}, err
	}
	if err := allow(who(c), a, auth.Object{Tenant: t.ID, Region: t.Region}); err != nil {
		return farm.Tenant{}, err
	}
	return t, nil
}

func (s *server) getTenant(c *gin.Context) error {
	t, err := s.tenant(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, t)
	return nil
}

func (s *server) listLicences(c *gin.Context) error {
	t, err := s.tenant(c, auth.Read)
	if err != nil {
		return err
	}
	licences, err := s.Operators.Licences(c.Request.Context(), t.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"licences": list(licences)})
	return nil
}

func (s *server) addLicence(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in struct {
		ID      string           `json:"id"`
		Site    string           `json:"site"`
		Kind    farm.LicenceKind `json:"kind"`
		Number  string           `json:"number"`
		Issuer  string           `json:"issuer"`
		Issued  time.Time        `json:"issued"`
		Expires time.Time        `json:"expires"`
	}
	if err := body(c, &in); err != nil {
		return err
	}
	if _, err := ulid.ParseStrict(in.ID); err != nil {
		return &invalidError{"id", "is not a ULID"}
	}
	if in.Site != "" && farm.CheckID(in.Site) != nil {
		return &invalidError{"site", "is not an identifier"}
	}
	l := farm.Licence{
		ID: in.ID, Tenant: t.ID, Site: in.Site, Kind: in.Kind, Number: in.Number, Issuer: in.Issuer,
		Issued: in.Issued.UTC(), Expires: in.Expires.UTC(), Recorded: s.Now().UTC(), Account: who(c).Login,
	}
	if err := l.Check(); err != nil {
		return &invalidError{"", err.Error()}
	}
	if err := s.Operators.AddLicence(c.Request.Context(), l); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, l)
	return nil
}

// setBoundary takes a GeoJSON Polygon, or null to forget the boundary. The area
// becomes that of the boundary.
func (s *server) setBoundary(c *gin.Context) error {
	site, err := s.site(c, auth.Administer)
	if err != nil {
		return err
	}
	var in struct {
		Boundary json.RawMessage `json:"boundary"`
	}
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Boundary == nil {
		return &invalidError{"boundary", "is missing; null takes it back"}
	}
	var b farm.Boundary
	if err := json.Unmarshal(in.Boundary, &b); err != nil {
		return &invalidError{"boundary", err.Error()}
	}
	if err := b.Check(); err != nil {
		return &invalidError{"boundary", err.Error()}
	}
	point := farm.Position{Longitude: site.Longitude, Latitude: site.Latitude}
	if !b.IsZero() && !b.Contains(point) {
		return &invalidError{"boundary", "does not hold the point at which the site lies; is it GCJ-02 instead of WGS 84?"}
	}
	site.Boundary, site.Area = b, b.Area()
	if err := s.Operators.SetBoundary(c.Request.Context(), site.ID, site.Boundary, site.Area); err != nil {
		return err
	}
	c.JSON(http.StatusOK, site)
	return nil
}
