package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// JournalFigures say how full the journal is, and how far its readers are behind.
type JournalFigures struct {
	Bytes            uint64            `json:"bytes"`
	MaxBytes         uint64            `json:"max_bytes"`
	Oldest           time.Time         `json:"oldest,omitzero"` // record that is kept
	Lag              map[string]uint64 `json:"lag"`             // records, by reader
	Quarantined      uint64            `json:"quarantined"`     // frames
	QuarantinedBytes uint64            `json:"quarantined_bytes"`
}

// Journal tells its figures. An error means that it does not answer.
type Journal interface {
	Figures(ctx context.Context) (JournalFigures, error)
}

func (s *server) showJournal(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	f, err := s.Journal.Figures(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, f)
	return nil
}
