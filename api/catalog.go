package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"tianhai/trace/catalog"
)

// Catalogs keeps what has to be said of an operation; *catalog.Library does.
type Catalogs interface {
	Current() *catalog.Catalog
	At(ctx context.Context, version int) (*catalog.Catalog, error) // farm.ErrNotFound
	// Document returns a version as it was saved, the newest for 0; farm.ErrNotFound.
	Document(ctx context.Context, version int) (catalog.Version, error)
	Versions(ctx context.Context) ([]catalog.Version, error) // newest first, without documents
	Save(ctx context.Context, doc, account string, base int) (catalog.Version, error)
}

// getCatalog answers with the catalog in force, or another version of it. A phone
// that has it asks with its ETag and is told so in a few bytes.
func (s *server) getCatalog(c *gin.Context) error {
	found := s.Catalogs.Current()
	if c.Query("version") != "" {
		n, err := queryInt(c, "version", 0, 1<<30)
		if err != nil {
			return err
		}
		if found, err = s.Catalogs.At(c.Request.Context(), n); err != nil {
			return err
		}
	}
	tag := `"catalog-` + strconv.Itoa(found.Version) + `"`
	c.Header("ETag", tag)
	c.Header("Cache-Control", "private, no-cache")
	if matches(c.GetHeader("If-None-Match"), tag) {
		c.Status(http.StatusNotModified)
		return nil
	}
	c.JSON(http.StatusOK, found)
	return nil
}

// documentView is a catalog to edit.
type documentView struct {
	Document catalog.Version   `json:"document"`
	Versions []catalog.Version `json:"versions"`
}

// getDocument answers with the document that an administrator edits, and who saved
// which version when.
func (s *server) getDocument(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	ctx := c.Request.Context()
	n := 0
	if c.Query("version") != "" {
		var err error
		if n, err = queryInt(c, "version", 0, 1<<30); err != nil {
			return err
		}
	}
	v, err := s.Catalogs.Document(ctx, n)
	if err != nil {
		return err
	}
	all, err := s.Catalogs.Versions(ctx)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, documentView{v, all})
	return nil
}

// saveCatalogRequest is the body.
type saveCatalogRequest struct {
	Doc  string `json:"doc"`
	Base int    `json:"base"` // the version that was edited; 0: whatever is there
}

func (s *server) saveCatalog(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	var in saveCatalogRequest
	if err := body(c, &in); err != nil {
		return err
	}
	v, err := s.Catalogs.Save(c.Request.Context(), in.Doc, who(c).Login, in.Base)
	if bad, ok := errors.AsType[*catalog.DocError](err); ok {
		return &invalidError{"doc", bad.Error()}
	}
	if err != nil {
		return err
	}
	v.Doc = ""
	c.JSON(http.StatusOK, v)
	return nil
}
