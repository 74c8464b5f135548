package api

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
)

// unknownSite makes a site that is not there, or not the caller's, a fault of the row.
func unknownSite(err error) error {
	if errors.Is(err, farm.ErrNotFound) {
		return &invalidError{"site", "is not known"}
	}
	return err
}

// importSites adds sites of the caller's own operator, or of any that it administers.
func (s *server) importSites() importer {
	return importing[addSiteRequest]{
		check: func(c *gin.Context, in *addSiteRequest) error { _, err := s.newSite(c, *in); return err },
		add: func(c *gin.Context, in addSiteRequest) (bool, error) {
			site, err := s.newSite(c, in)
			if err != nil {
				return false, err
			}
			return existed(s.Operators.CreateSite(c.Request.Context(), site), func() (bool, error) {
				there, err := s.Farms.Site(c.Request.Context(), site.ID)
				there.Boundary, site.Area = farm.Boundary{}, there.Area // which a boundary changes
				return reflect.DeepEqual(there, site), err
			})
		},
	}
}

// A licenceRow is a licence and whose it is.
type licenceRow struct {
	Tenant string `json:"tenant"` // the caller's own where nothing is said
	addLicenceRequest
}

func (s *server) importLicences() importer {
	licence := func(c *gin.Context, in licenceRow) (farm.Licence, error) {
		if in.Tenant == "" {
			in.Tenant = who(c).Tenant
		}
		t, err := s.tenantNamed(c, in.Tenant, auth.Administer)
		if err != nil {
			return farm.Licence{}, err
		}
		return s.newLicence(c, t, in.addLicenceRequest)
	}
	return importing[licenceRow]{
		id:    func(in *licenceRow) *string { return &in.ID },
		check: func(c *gin.Context, in *licenceRow) error { _, err := licence(c, *in); return err },
		add: func(c *gin.Context, in licenceRow) (bool, error) {
			l, err := licence(c, in)
			if err != nil {
				return false, err
			}
			return existed(s.Operators.AddLicence(c.Request.Context(), l), func() (bool, error) {
				all, err := s.Operators.Licences(c.Request.Context(), l.Tenant)
				return slices.ContainsFunc(all, func(o farm.Licence) bool {
					return o.ID == l.ID && o.Site == l.Site && o.Kind == l.Kind && o.Number == l.Number && o.Issued.Equal(l.Issued) && o.Expires.Equal(l.Expires)
				}), err
			})
		},
	}
}

func (s *server) importBatches() importer {
	return importing[openBatchRequest]{
		id: func(in *openBatchRequest) *string { return &in.ID },
		check: func(c *gin.Context, in *openBatchRequest) error {
			if _, err := ulid.ParseStrict(in.ID); err != nil {
				return &invalidError{"id", "is not a ULID"}
			}
			if _, err := s.newBatch(c, *in); err != nil {
				return unknownSite(err)
			}
			_, err := s.target(c, in.Product)
			if errors.Is(err, farm.ErrNotFound) {
				return &invalidError{"product", "is not known"}
			}
			return err
		},
		add: func(c *gin.Context, in openBatchRequest) (bool, error) {
			b, err := s.newBatch(c, in)
			if err != nil {
				return false, err
			}
			// Who sends a file again is not asked by the gates of today.
			there, err := s.Records.Batch(c.Request.Context(), b.ID)
			if errors.Is(err, farm.ErrNotFound) {
				_, err = s.Recorder.OpenBatch(c.Request.Context(), b, who(c).Login)
				return err == nil, err
			}
			if err == nil && (there.Tenant != b.Tenant || there.Site != b.Site || there.Product != b.Product || there.Lot != b.Lot || there.Quantity != b.Quantity || there.Unit != b.Unit) {
				err = farm.ErrConflict
			}
			return false, err
		},
	}
}

// importOperations takes an item of an operation from the column items.{key}, with its
// unit behind a space.
func (s *server) importOperations() importer {
	operation := func(c *gin.Context, in sentRequest) (trace.Operation, error) {
		site, err := s.siteNamed(c, in.Site, auth.Read)
		if err != nil {
			return trace.Operation{}, unknownSite(err)
		}
		if err := s.mayRecord(c.Request.Context(), who(c), site, in.operationRequest); err != nil {
			return trace.Operation{}, err
		}
		return in.operation(site, who(c).Login), nil
	}
	return importing[sentRequest]{
		id: func(in *sentRequest) *string { return &in.ID },
		cell: func(in *sentRequest, name, text string) (bool, error) {
			key, known := strings.CutPrefix(name, "items.")
			if !known || key == "" {
				return false, nil
			}
			value, unit := text, ""
			if k, ok := s.Catalogs.Current().Item(key); !ok {
				return false, nil
			} else if k.Type == catalog.Number {
				value, unit, _ = strings.Cut(text, " ")
			}
			in.Items = append(in.Items, trace.Item{Key: key, Value: value, Unit: strings.TrimSpace(unit)})
			return true, nil
		},
		check: func(c *gin.Context, in *sentRequest) error {
			if _, err := operation(c, *in); err != nil {
				return err
			}
			if in.At.IsZero() || in.At.After(s.Now().Add(time.Hour)) {
				return &invalidError{"at", "is missing or in the future"}
			}
			kind, known := s.Catalogs.Current().Operation(in.Kind)
			if !known {
				return &invalidError{"kind", "is not in the catalog"}
			}
			return s.Catalogs.Current().Check(kind, in.Items)
		},
		add: func(c *gin.Context, in sentRequest) (bool, error) {
			op, err := operation(c, in)
			if err != nil {
				return false, err
			}
			_, added, err := s.Recorder.AddOperation(c.Request.Context(), op)
			return added, err
		},
	}
}
