package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/trace"
)

// shownAudits is how many are listed: about two months of nights.
const shownAudits = 60

// Audits knows what the audits of the log found.
type Audits interface {
	// Audits returns the newest first, one that runs among them.
	Audits(ctx context.Context, limit int) ([]trace.Audit, error)
	// StartAudit has one begin now, unless one runs or is about to.
	StartAudit()
}

// listAudits is for whoever reads a region, whichever it is: what it names stands
// in the public log anyway.
func (s *server) listAudits(c *gin.Context) error {
	if p := who(c); !auth.Can(p, auth.Read, auth.Object{Region: p.Region}) {
		return errForbidden
	}
	all, err := s.Audits.Audits(c.Request.Context(), shownAudits)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"audits": list(all)})
	return nil
}

// startAudit is the administrator's: an audit reads the whole log.
func (s *server) startAudit(c *gin.Context) error {
	if who(c).Role != auth.Administrator {
		return errForbidden
	}
	s.Audits.StartAudit()
	c.JSON(http.StatusAccepted, gin.H{"asked": s.Now().UTC()})
	return nil
}
