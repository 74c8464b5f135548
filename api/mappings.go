package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/mapping"
)

func (s *server) listMappings() listing[mapping.Version] {
	return listing[mapping.Version]{
		name: "mappings", key: func(v mapping.Version) string { return v.Name },
		read: func(c *gin.Context, _ page) ([]mapping.Version, error) {
			if err := administrator(c); err != nil {
				return nil, err
			}
			return s.Mappings.List(c.Request.Context())
		},
	}
}

// mappingView is a mapping with its versions.
type mappingView struct {
	Name     string            `json:"name"`
	Versions []mapping.Version `json:"versions"`
}

// getMapping answers with every version, newest first.
func (s *server) getMapping(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	name, err := id(c)
	if err != nil {
		return err
	}
	all, err := s.Mappings.Versions(c.Request.Context(), name)
	if err != nil {
		return err
	}
	slices.Reverse(all)
	c.JSON(http.StatusOK, mappingView{name, all})
	return nil
}

// saveMappingRequest is the body.
type saveMappingRequest struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
	Base int    `json:"base"` // the version that was edited; 0: whatever is there
}

func (s *server) saveMapping(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	var in saveMappingRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if farm.CheckID(in.Name) != nil {
		return &invalidError{"name", "is not an identifier: a-z, 0-9, and after the first - or _"}
	}
	v, err := s.Mappings.Save(c.Request.Context(), in.Name, in.Doc, who(c).Login, in.Base)
	if bad := (*decode.MappingError)(nil); errors.As(err, &bad) {
		return &invalidError{"doc", bad.Error()}
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, v)
	return nil
}

// deleteMapping has frames that need the mapping go to quarantine until it is
// saved again.
func (s *server) deleteMapping(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	name, err := id(c)
	if err != nil {
		return err
	}
	if err := s.Mappings.Delete(c.Request.Context(), name, who(c).Login); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// tryMappingRequest is the body.
type tryMappingRequest struct {
	Doc    string `json:"doc"`
	Sample string `json:"sample"`
	Model  string `json:"model"` // empty: only what the mapping says
}

// tryMapping answers 200 also where the mapping or the sample is at fault: that is
// what was asked.
func (s *server) tryMapping(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	var in tryMappingRequest
	if err := body(c, &in); err != nil {
		return err
	}
	trial := mapping.Trial{Doc: in.Doc, Sample: []byte(in.Sample), Received: s.Now()}
	if len(trial.Sample) > ingest.MaxPayload {
		return &invalidError{"sample", "is larger than a payload may be"}
	}
	if in.Model != "" {
		m, err := s.model(c.Request.Context(), in.Model)
		if errors.Is(err, farm.ErrNotFound) {
			return &invalidError{"model", "is not known"}
		}
		if err != nil {
			return err
		}
		trial.Model = &m
	}
	c.JSON(http.StatusOK, mapping.Try(c.Request.Context(), trial))
	return nil
}
