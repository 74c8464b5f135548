package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/ingest/device"
)

func (s *server) listAliases() listing[device.Alias] {
	return listing[device.Alias]{
		name: "aliases", key: func(a device.Alias) string { return a.Alias },
		read: func(c *gin.Context, _ page) ([]device.Alias, error) {
			d, err := s.device(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Aliases.Aliases(c.Request.Context(), d.ID)
		},
	}
}

// mayName returns the device of the path to whoever may say what others call it.
// That is for administrators alone: a name taken from the neighbour's device would
// bring the neighbour's readings.
func (s *server) mayName(c *gin.Context) (placed, error) {
	d, err := s.device(c, auth.Read)
	if err == nil && !auth.Can(who(c), auth.Administer, auth.Object{}) {
		err = errForbidden
	}
	return d, err
}

// addAliasRequest is the body.
type addAliasRequest struct {
	Alias string `json:"alias"`
}

func (s *server) addAlias(c *gin.Context) error {
	d, err := s.mayName(c)
	if err != nil {
		return err
	}
	var in addAliasRequest
	if err := body(c, &in); err != nil {
		return err
	}
	a := device.Alias{Alias: device.FoldAlias(in.Alias), Device: d.ID, Account: who(c).Login, Created: s.Now().UTC()}
	if err := device.CheckAlias(a.Alias); err != nil {
		return &invalidError{"alias", "is not 1 to 255 bytes of text without +, # and control characters"}
	}
	if err := s.Aliases.AddAlias(c.Request.Context(), a); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, a)
	return nil
}

func (s *server) deleteAlias(c *gin.Context) error {
	d, err := s.mayName(c)
	if err != nil {
		return err
	}
	if err := s.Aliases.DeleteAlias(c.Request.Context(), d.ID, device.FoldAlias(c.Query("alias"))); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
