package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/monitor/alert"
)

const listedAlerts = 200

func (s *server) listAlerts(c *gin.Context) error {
	state := alert.State(c.DefaultQuery("state", string(alert.Firing)))
	if !slices.Contains([]alert.State{alert.Pending, alert.Firing, alert.Resolved}, state) {
		return &invalidError{"state", "is not one of pending, firing and resolved"}
	}
	p := who(c)
	visible := []alert.Alert{}
	if in, ok := scopeOf(p); ok {
		found, err := s.Alerts.Alerts(c.Request.Context(), AlertQuery{Scope: in, State: state, Limit: listedAlerts})
		if err != nil {
			return err
		}
		for _, a := range found {
			if auth.Can(p, auth.Read, auth.Object{Tenant: a.Tenant, Region: a.Region}) {
				visible = append(visible, a)
			}
		}
	}
	c.JSON(http.StatusOK, gin.H{"alerts": visible})
	return nil
}
