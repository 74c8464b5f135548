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
	CreateSite(ctx context.Context, site farm.Site) error // farm.ErrConflict
	SetBoundary(ctx context.Context, site string, b farm.Boundary, area float64) error
}

// tenant returns the tenant of the path if the caller may do a there.
func (s *server) tenant(c *gin.Context, a auth.Action) (farm.Tenant, error) {
	id, err := id(c)
	if err != nil {
		return farm.Tenant{}, err
	}
	return s.tenantNamed(c, id, a)
}

// tenantNamed returns a tenant if the caller may do a there.
func (s *server) tenantNamed(c *gin.Context, id string, a auth.Action) (farm.Tenant, error) {
	if farm.CheckID(id) != nil {
		return farm.Tenant{}, &invalidError{"tenant", "is not an identifier"}
	}
	t, err := s.Operators.Tenant(c.Request.Context(), id)
	if err != nil {
		return farm.Tenant{}, err
	}
	return t, allow(who(c), a, auth.Object{Tenant: t.ID, Region: t.Region})
}

func (s *server) getTenant(c *gin.Context) error {
	t, err := s.tenant(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, t)
	return nil
}

// listLicences shows those that expire first first.
func (s *server) listLicences() listing[farm.Licence] {
	return listing[farm.Licence]{
		name: "licences",
		key: func(l farm.Licence) string {
			if l.Expires.IsZero() {
				return "never" + l.ID
			}
			return timeKey(l.Expires, l.ID)
		},
		read: func(c *gin.Context, _ page) ([]farm.Licence, error) {
			t, err := s.tenant(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Operators.Licences(c.Request.Context(), t.ID)
		},
	}
}

// addLicenceRequest is the body.
type addLicenceRequest struct {
	ID      string           `json:"id"`
	Site    string           `json:"site"`
	Kind    farm.LicenceKind `json:"kind"`
	Number  string           `json:"number"`
	Issuer  string           `json:"issuer"`
	Issued  time.Time        `json:"issued"`
	Expires time.Time        `json:"expires"`
}

func (s *server) addLicence(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in addLicenceRequest
	if err := body(c, &in); err != nil {
		return err
	}
	l, err := s.newLicence(c, t, in)
	if err != nil {
		return err
	}
	if err := s.Operators.AddLicence(c.Request.Context(), l); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, l)
	return nil
}

// boundaryView is where exactly a site lies.
type boundaryView struct {
	Boundary farm.Boundary `json:"boundary"`
	Area     float64       `json:"area"` // m²
}

func (s *server) getBoundary(c *gin.Context) error {
	site, err := s.site(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, boundaryView{site.Boundary, site.Area})
	return nil
}

// setBoundaryRequest is the body.
type setBoundaryRequest struct {
	Boundary json.RawMessage `json:"boundary"`
}

// newLicence returns the licence of a tenant that a request describes.
func (s *server) newLicence(c *gin.Context, t farm.Tenant, in addLicenceRequest) (farm.Licence, error) {
	if _, err := ulid.ParseStrict(in.ID); err != nil {
		return farm.Licence{}, &invalidError{"id", "is not a ULID"}
	}
	if in.Site != "" && farm.CheckID(in.Site) != nil {
		return farm.Licence{}, &invalidError{"site", "is not an identifier"}
	}
	l := farm.Licence{
		ID: in.ID, Tenant: t.ID, Site: in.Site, Kind: in.Kind, Number: in.Number, Issuer: in.Issuer,
		Issued: in.Issued.UTC(), Expires: in.Expires.UTC(), Recorded: s.Now().UTC(), Account: who(c).Login,
	}
	if err := l.Check(); err != nil {
		return farm.Licence{}, &invalidError{"", err.Error()}
	}
	return l, nil
}

// setBoundary takes a GeoJSON Polygon, or null to forget the boundary. The area
// becomes that of the boundary.
func (s *server) setBoundary(c *gin.Context) error {
	site, err := s.site(c, auth.Administer)
	if err != nil {
		return err
	}
	var in setBoundaryRequest
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
