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
	hash, err := s.Photos.Put(ctx, raw, photo.Upload{Tenant: site.Tenant, Site: site.ID, Account: who(c).Login})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"hash": hash, "size": len(raw)})
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
	if c.GetHeader("If-None-Match") == `"`+hash+`"` {
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
