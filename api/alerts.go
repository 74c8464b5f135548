package api

import (
	"slices"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/monitor/alert"
)

const usualAlerts = 200

// listAlerts shows those that fire, or are in the state that is asked for.
func (s *server) listAlerts() listing[alert.Alert] {
	return listing[alert.Alert]{
		name: "alerts", usual: usualAlerts, falling: true, pages: true,
		key: func(a alert.Alert) string { return timeKey(a.Began, a.ID) },
		read: func(c *gin.Context, p page) ([]alert.Alert, error) {
			state := alert.State(c.DefaultQuery("state", string(alert.Firing)))
			if !slices.Contains([]alert.State{alert.Pending, alert.Firing, alert.Resolved}, state) {
				return nil, &invalidError{"state", "is not one of pending, firing and resolved"}
			}
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			return s.Alerts.Alerts(c.Request.Context(), AlertQuery{Scope: in, State: state, After: timePlace(p.after), Limit: p.limit})
		},
		sees: func(c *gin.Context, a *alert.Alert) (bool, error) {
			return auth.Can(who(c), auth.Read, auth.Object{Tenant: a.Tenant, Region: a.Region}), nil
		},
	}
}
