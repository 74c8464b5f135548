package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
)

// How much of a site's operations is listed.
const (
	usualOperations = 366 * 24 * time.Hour
	maxOperations   = 20 * 366 * 24 * time.Hour
)

// operationPhotos are what is known of the pictures that operations name.
type operationPhotos struct {
	Photos []photoFacts `json:"photos"`
}

func (s *server) listOperations() listing[trace.Operation] {
	return listing[trace.Operation]{
		name: "operations", key: func(op trace.Operation) string { return timeKey(op.At, op.ID) },
		read: func(c *gin.Context, _ page) ([]trace.Operation, error) {
			site, err := s.site(c, auth.Read)
			if err != nil {
				return nil, err
			}
			// A phone's clock may be a little ahead of ours.
			from, to, err := queryPeriod(c, s.Now().Add(time.Hour), usualOperations, maxOperations)
			if err != nil {
				return nil, err
			}
			return s.Records.Operations(c.Request.Context(), site.ID, from, to)
		},
		besides: typeOf[operationPhotos](),
		beside: func(c *gin.Context, ops []trace.Operation) (any, error) {
			out := operationPhotos{[]photoFacts{}}
			if len(ops) == 0 {
				return out, nil
			}
			photos, err := s.Records.PhotosOf(c.Request.Context(), c.Param("id"), ops[0].At, ops[len(ops)-1].At.Add(time.Millisecond))
			for _, u := range photos {
				out.Photos = append(out.Photos, newPhotoFacts(u))
			}
			return out, err
		},
	}
}

// An operationRequest is what a client says of an operation.
type operationRequest struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	At       time.Time       `json:"at"`
	Position *trace.Position `json:"position"`
	Items    []trace.Item    `json:"items"`
	Corrects string          `json:"corrects"`
}

func (in operationRequest) operation(site farm.Site, person string) trace.Operation {
	return trace.Operation{
		ID: in.ID, Tenant: site.Tenant, Site: site.ID, Kind: in.Kind, At: in.At,
		Person: person, Position: in.Position, Items: in.Items, Corrects: in.Corrects,
	}
}

// mayRecord is nil for whoever may say this of a site. What the catalog calls
// official is an inspector's: to say, to correct and to take back. All else is the
// farm's, and neither strikes out what the other has said.
func (s *server) mayRecord(ctx context.Context, p auth.Principal, site farm.Site, in operationRequest) error {
	kinds := []string{in.Kind}
	if in.Corrects != "" {
		all, err := s.Records.Operations(ctx, site.ID, time.Unix(0, 0), s.Now().Add(time.Hour))
		if err != nil {
			return err
		}
		for _, op := range all {
			if op.ID == in.Corrects {
				kinds = append(kinds, op.Kind)
			}
		}
		if in.Kind == catalog.Void && len(kinds) > 1 {
			kinds = kinds[1:] // a void says nothing of its own
		}
	}
	for _, k := range kinds {
		a := auth.Write
		if o, _ := s.Catalogs.Current().Operation(k); o.Official {
			a = auth.Inspect
		}
		if err := allow(p, a, siteObject(site)); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) addOperation(c *gin.Context) error {
	site, err := s.site(c, auth.Read)
	if err != nil {
		return err
	}
	var in operationRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if err := s.mayRecord(c.Request.Context(), who(c), site, in); err != nil {
		return err
	}
	op, added, err := s.Recorder.AddOperation(c.Request.Context(), in.operation(site, who(c).Login))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	c.JSON(status, op)
	return nil
}

func (s *server) listProducts() listing[trace.Product] {
	return listing[trace.Product]{
		name: "products", key: func(p trace.Product) string { return p.ID },
		read: func(c *gin.Context, _ page) ([]trace.Product, error) { return s.Records.Products(c.Request.Context()) },
	}
}

// listBatches shows those opened last first.
func (s *server) listBatches() listing[batchView] {
	return listing[batchView]{
		name: "batches", falling: true, pages: true,
		key: func(b batchView) string { return timeKey(b.Opened, b.ID) },
		read: func(c *gin.Context, p page) ([]batchView, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			ctx := c.Request.Context()
			all, err := s.Records.Batches(ctx, BatchQuery{Scope: in, Stock: c.Query("stock") == "true", After: timePlace(p.after), Limit: p.limit})
			if err != nil {
				return nil, err
			}
			goods, err := s.goodsBy(ctx, all...)
			views := make([]batchView, len(all))
			for i, b := range all {
				views[i] = stockOf(b, goods[b.ID])
			}
			return views, err
		},
		sees: func(c *gin.Context, b *batchView) (bool, error) {
			return s.seesSite(c, b.Site)
		},
	}
}

// batchObject returns whose a batch is; it lies where its site does.
func (s *server) batchObject(ctx context.Context, b trace.Batch) (auth.Object, error) {
	site, err := s.Farms.Site(ctx, b.Site)
	return auth.Object{Tenant: b.Tenant, Region: site.Region}, err
}

// openBatchRequest is the body.
type openBatchRequest struct {
	ID       string    `json:"id"`
	Site     string    `json:"site"`
	Product  string    `json:"product"`
	Lot      string    `json:"lot"`
	Quantity float64   `json:"quantity"`
	Unit     string    `json:"unit"`
	Began    time.Time `json:"began"`
	Harvest  time.Time `json:"harvest"`
}

func (s *server) openBatch(c *gin.Context) error {
	var in openBatchRequest
	if err := body(c, &in); err != nil {
		return err
	}
	b, err := s.newBatch(c, in)
	if err != nil {
		return err
	}
	if b, err = s.Recorder.OpenBatch(c.Request.Context(), b, who(c).Login); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, b)
	return nil
}

// newBatch returns the batch that a request describes, if the caller may open it.
func (s *server) newBatch(c *gin.Context, in openBatchRequest) (trace.Batch, error) {
	if farm.CheckID(in.Site) != nil {
		return trace.Batch{}, &invalidError{"site", "is not an identifier"}
	}
	if farm.CheckID(in.Product) != nil {
		return trace.Batch{}, &invalidError{"product", "is not an identifier"}
	}
	site, err := s.siteNamed(c, in.Site, auth.Write)
	return trace.Batch{
		ID: in.ID, Tenant: site.Tenant, Site: site.ID, Product: in.Product, Lot: in.Lot,
		Quantity: in.Quantity, Unit: in.Unit, Began: in.Began, Harvest: in.Harvest,
	}, err
}

func (s *server) closeBatch(c *gin.Context) error {
	ctx := c.Request.Context()
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return farm.ErrNotFound
	}
	b, err := s.Records.Batch(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	o, err := s.batchObject(ctx, b)
	if err != nil {
		return err
	}
	if err := allow(who(c), auth.Write, o); err != nil {
		return err
	}
	closed, err := s.Recorder.CloseBatch(ctx, b.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, closed)
	return nil
}
