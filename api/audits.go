package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/trace"
)

// Audits knows what the audits of the log found.
type Audits interface {
	// Audits returns those behind a place, whose ID is the number of the log, newest
	// first, one that runs among them.
	Audits(ctx context.Context, after Place, limit int) ([]trace.Audit, error)
	// StartAudit has one begin now, unless one runs or is about to.
	StartAudit()
}

// listAudits is for whoever reads a region, whichever it is: what it names stands
// in the public log anyway.
func (s *server) listAudits() listing[trace.Audit] {
	return listing[trace.Audit]{
		name: "audits", falling: true, pages: true, key: func(a trace.Audit) string { return timeKey(a.Began, strconv.Itoa(a.Log)) },
		read: func(c *gin.Context, p page) ([]trace.Audit, error) {
			if me := who(c); !auth.Can(me, auth.Read, auth.Object{Region: me.Region}) {
				return nil, errForbidden
			}
			return s.Audits.Audits(c.Request.Context(), timePlace(p.after), p.limit)
		},
	}
}

// auditAsked says when one was asked for.
type auditAsked struct {
	Asked time.Time `json:"asked"`
}

// startAudit is the administrator's: an audit reads the whole log.
func (s *server) startAudit(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	s.Audits.StartAudit()
	c.JSON(http.StatusAccepted, auditAsked{s.Now().UTC()})
	return nil
}
