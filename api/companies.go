package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/trace/resolver"
)

// Companies keeps the GS1 company prefixes that operators state. What does not exist is
// farm.ErrNotFound.
type Companies interface {
	Companies(ctx context.Context, tenant string) ([]resolver.Company, error)
	StateCompany(ctx context.Context, c resolver.Company) error // resolver.ErrCompanies
	DropCompany(ctx context.Context, tenant, prefix string) error
}

func (s *server) listCompanies() listing[resolver.Company] {
	return listing[resolver.Company]{
		name: "company_prefixes",
		key:  func(v resolver.Company) string { return v.Prefix },
		read: func(c *gin.Context, _ page) ([]resolver.Company, error) {
			t, err := s.tenant(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Companies.Companies(c.Request.Context(), t.ID)
		},
	}
}

type stateCompanyRequest struct {
	Prefix string `json:"prefix"`
}

// stateCompany takes a manager's word: it decides of nothing but the form of keys.
func (s *server) stateCompany(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in stateCompanyRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if !resolver.IsCompany(in.Prefix) {
		return &invalidError{"prefix", "is not 6 to 12 digits"}
	}
	stated := resolver.Company{Prefix: in.Prefix, Tenant: t.ID, Account: who(c).Login, Stated: s.Now().UTC().Truncate(time.Microsecond)}
	if err := s.Companies.StateCompany(c.Request.Context(), stated); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, stated)
	return nil
}

func (s *server) dropCompany(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	if err := s.Companies.DropCompany(c.Request.Context(), t.ID, c.Param("prefix")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
