package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/photo"
)

const (
	photosPath   = "/photos"
	photoTimeout = 5 * time.Minute // ten megabytes over a bad line
)

// Photos keeps pictures by their hash; *photo.Shelf does.
type Photos interface {
	Put(ctx context.Context, raw []byte, u photo.Upload) (hash string, err error)
	Get(hash string) (raw []byte, mediaType string, err error)
	// Uploads returns who uploaded a picture; farm.ErrNotFound for one that is unknown.
	Uploads(ctx context.Context, hash string) ([]photo.Upload, error)
	// Use returns how much room a tenant's pictures take.
	Use(ctx context.Context, tenant string) (photo.Use, error)
}

// A photoFacts is what is known of a picture to whoever may see it. What the camera
// says is claimed, and nobody else is told.
type photoFacts struct {
	Hash     string          `json:"hash"`
	Site     string          `json:"site"`
	Account  string          `json:"account"`
	Uploaded time.Time       `json:"uploaded,omitzero"`
	Size     int64           `json:"size"`
	Taken    time.Time       `json:"taken,omitzero"`     // by the camera
	Position *trace.Position `json:"position,omitempty"` // by the camera
	Far      bool            `json:"far,omitempty"`      // it is out of the site's reach
}

func newPhotoFacts(u photo.Upload) photoFacts {
	f := photoFacts{Hash: u.Hash, Site: u.Site, Account: u.Account, Uploaded: u.Uploaded, Size: u.Size, Taken: u.Taken, Far: u.Far}
	if u.Position != nil {
		f.Position = &trace.Position{Longitude: u.Position.Longitude, Latitude: u.Position.Latitude}
	}
	return f
}

// addPhoto keeps a picture for a site's records. What it is, its bytes say; what the
// client calls it does not count.
func (s *server) addPhoto(c *gin.Context) error {
	id := c.Query("site")
	if farm.CheckID(id) != nil {
		return &invalidError{"site", "is not an identifier"}
	}
	ctx := c.Request.Context()
	site, err := s.Farms.Site(ctx, id)
	if err != nil {
		return err
	}
	if err := allow(who(c), auth.Write, siteObject(site)); err != nil {
		return err
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return bodyError(err)
	}
	u := photo.Upload{Tenant: site.Tenant, Site: site.ID, Account: who(c).Login, Size: int64(len(raw)), Claim: photo.ReadClaim(raw)}
	u.Far = u.Position != nil && site.Far(*u.Position, 0)
	if u.Hash, err = s.Photos.Put(ctx, raw, u); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, newPhotoFacts(u))
	return nil
}

// getPhotoFacts tells what is known of a picture: one entry for each upload of it that
// the principal may see.
func (s *server) getPhotoFacts(c *gin.Context) error {
	uploads, err := s.Photos.Uploads(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	facts := []photoFacts{}
	for _, u := range uploads {
		switch err := s.mayReadOne(c, []photo.Upload{u}); {
		case err == nil:
			facts = append(facts, newPhotoFacts(u))
		case !errors.Is(err, farm.ErrNotFound):
			return err
		}
	}
	if len(facts) == 0 {
		return farm.ErrNotFound
	}
	c.JSON(http.StatusOK, operationPhotos{facts})
	return nil
}

// showPhotoUse tells a farm how much room its pictures take before there is none.
func (s *server) showPhotoUse(c *gin.Context) error {
	t, err := s.tenant(c, auth.Read)
	if err != nil {
		return err
	}
	use, err := s.Photos.Use(c.Request.Context(), t.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, use)
	return nil
}

// getPhoto shows a picture as it came to whoever may read a site that it was
// uploaded for.
func (s *server) getPhoto(c *gin.Context) error {
	hash := c.Param("id")
	uploads, err := s.Photos.Uploads(c.Request.Context(), hash)
	if err != nil {
		return err
	}
	if err := s.mayReadOne(c, uploads); err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("ETag", `"`+hash+`"`)
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	if matches(c.GetHeader("If-None-Match"), `"`+hash+`"`) {
		c.Status(http.StatusNotModified)
		return nil
	}
	raw, media, err := s.Photos.Get(hash)
	if err != nil {
		return err
	}
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, media, raw)
	return nil
}

// mayReadOne is farm.ErrNotFound unless the principal may read one upload's site.
func (s *server) mayReadOne(c *gin.Context, uploads []photo.Upload) error {
	for _, u := range uploads {
		site, err := s.Farms.Site(c.Request.Context(), u.Site)
		if errors.Is(err, farm.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if auth.Can(who(c), auth.Read, siteObject(site)) {
			return nil
		}
	}
	return farm.ErrNotFound
}
