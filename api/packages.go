package api

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"slices"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/parcel"
)

// packageFilePath may answer with a long file.
const packageFilePath = "/packages/:id/files/:form"

// Packages are those that were ordered.
type Packages interface {
	Package(ctx context.Context, id string) (parcel.Package, error) // farm.ErrNotFound
	// ListPackages returns packages, newest first.
	ListPackages(ctx context.Context, q PackageQuery) ([]parcel.Package, error)
	// PackageOperators returns operators by ID, from behind one.
	PackageOperators(ctx context.Context, q PackageOperatorQuery) ([]farm.Tenant, error)
}

// Packer makes packages of operators' records; *parcel.Service does.
type Packer interface {
	// PreviewPackage returns how many records one would hold, by kind.
	PreviewPackage(ctx context.Context, operator string, p parcel.Period) (map[string]int, error)
	// OrderPackage makes one; parcel.ErrFull, *parcel.FieldError, farm.ErrConflict.
	OrderPackage(ctx context.Context, p parcel.Package) (parcel.Package, error)
	// CancelPackage calls one off, or deletes its files; farm.ErrConflict where it has none.
	CancelPackage(ctx context.Context, id string) error
	OpenPackageFile(ctx context.Context, id string, f parcel.Form) (*os.File, parcel.File, error) // farm.ErrNotFound
}

// Courier hands packages over to a platform; *parcel.Courier does.
type Courier interface {
	// HandOver begins to; parcel.ErrNoPlatform, farm.ErrNotFound, farm.ErrConflict.
	HandOver(ctx context.Context, id string, f parcel.Form, account string) (parcel.Package, error)
	Where() string // the platform's host; "" where there is none
}

// A PackageQuery asks for packages behind a place.
type PackageQuery struct {
	Scope
	After Place
	Limit int
}

// A PackageOperatorQuery asks for operators behind one.
type PackageOperatorQuery struct {
	Scope
	Words string // in the name, or the ID
	After string // an ID
	Limit int
}

// packageOperator is one of whom the caller may have packages.
type packageOperator struct {
	ID     string    `json:"id"`
	Name   farm.Text `json:"name"`
	Region string    `json:"region"`
}

// listPackageOperators lists of whom one may have packages: an officer does not know
// the operators of the region by heart.
func (s *server) listPackageOperators() listing[packageOperator] {
	return listing[packageOperator]{
		name: "operators", pages: true, key: func(o packageOperator) string { return o.ID },
		read: func(c *gin.Context, p page) ([]packageOperator, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			found, err := s.Packages.PackageOperators(c.Request.Context(), PackageOperatorQuery{Scope: in, Words: c.Query("text"), After: p.after, Limit: p.limit})
			views := make([]packageOperator, len(found))
			for i, t := range found {
				views[i] = packageOperator{t.ID, t.Name, t.Region}
			}
			return views, err
		},
		sees: func(c *gin.Context, o *packageOperator) (bool, error) {
			return auth.Can(who(c), auth.Package, auth.Object{Tenant: o.ID, Region: o.Region}), nil
		},
	}
}

// packageView is a package with the days of its period, in Beijing.
type packageView struct {
	parcel.Package
	First string `json:"first"`
	Last  string `json:"last"`
	// Platform is the host of where it can be handed over to; absent where that is nowhere.
	Platform string `json:"platform,omitempty"`
}

func (s *server) viewOfPackage(p parcel.Package) packageView {
	p.Files = list(p.Files)
	return packageView{p, p.First(), p.Last(), s.Courier.Where()}
}

func packageObject(p parcel.Package) auth.Object {
	return auth.Object{Tenant: p.Operator, Region: p.Region}
}

// listPackages lists the caller's own, or those of operators of the officer's region.
// The parameter tenant asks for those of one operator.
func (s *server) listPackages() listing[packageView] {
	return listing[packageView]{
		name: "packages", falling: true, pages: true, usual: usualJobs, key: func(v packageView) string { return timeKey(v.Created, v.ID) },
		read: func(c *gin.Context, p page) ([]packageView, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			if tenant := c.Query("tenant"); tenant != "" {
				if farm.CheckID(tenant) != nil {
					return nil, &invalidError{"tenant", "is not an identifier"}
				}
				if in.Tenant != "" && in.Tenant != tenant {
					return nil, nil
				}
				in.Tenant = tenant
			}
			found, err := s.Packages.ListPackages(c.Request.Context(), PackageQuery{Scope: in, After: timePlace(p.after), Limit: p.limit})
			views := make([]packageView, len(found))
			for i, p := range found {
				views[i] = s.viewOfPackage(p)
			}
			return views, err
		},
		sees: func(c *gin.Context, v *packageView) (bool, error) {
			return auth.Can(who(c), auth.Package, packageObject(v.Package)), nil
		},
	}
}

// aPackage returns the package of the path if the caller may have it.
func (s *server) aPackage(c *gin.Context) (parcel.Package, error) {
	if !namesULID(c) {
		return parcel.Package{}, farm.ErrNotFound
	}
	p, err := s.Packages.Package(c.Request.Context(), c.Param("id"))
	if err != nil {
		return parcel.Package{}, err
	}
	return p, allow(who(c), auth.Package, packageObject(p))
}

func (s *server) getPackage(c *gin.Context) error {
	p, err := s.aPackage(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, s.viewOfPackage(p))
	return nil
}

// packagePreview is what a package would hold.
type packagePreview struct {
	Records int         `json:"records"`
	Most    int         `json:"most"`  // that a package may hold
	Kinds   []kindCount `json:"kinds"` // the most frequent first
}

type kindCount struct {
	Kind    string `json:"kind"` // of record
	Records int    `json:"records"`
}

// previewPackage says what a package would hold if it were made now.
func (s *server) previewPackage(c *gin.Context) error {
	operator, period, err := s.aPeriod(c, c.Query("tenant"), c.Query("first"), c.Query("last"))
	if err != nil {
		return err
	}
	kinds, err := s.Packer.PreviewPackage(c.Request.Context(), operator, period)
	if err != nil {
		return err
	}
	v := packagePreview{Most: parcel.MaxRecords, Kinds: []kindCount{}}
	for kind, n := range kinds {
		v.Records += n
		v.Kinds = append(v.Kinds, kindCount{kind, n})
	}
	slices.SortFunc(v.Kinds, func(a, b kindCount) int { return cmp.Or(b.Records-a.Records, cmp.Compare(a.Kind, b.Kind)) })
	c.JSON(http.StatusOK, v)
	return nil
}

// aPeriod returns whose records are asked for, and of which days, if the caller may
// have a package of them. A manager need not name the own farm.
func (s *server) aPeriod(c *gin.Context, tenant, first, last string) (operator string, p parcel.Period, err error) {
	t, err := s.tenantNamed(c, cmp.Or(tenant, who(c).Tenant), auth.Package)
	if err != nil {
		return "", p, err
	}
	p, err = parcel.Days(first, last)
	return t.ID, p, err
}

// orderPackageRequest is the body.
type orderPackageRequest struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	First  string `json:"first"` // days in Beijing, both included
	Last   string `json:"last"`
}

// orderPackage orders a package, under the client's ULID.
func (s *server) orderPackage(c *gin.Context) error {
	var in orderPackageRequest
	if err := body(c, &in); err != nil {
		return err
	}
	operator, period, err := s.aPeriod(c, in.Tenant, in.First, in.Last)
	if err != nil {
		return err
	}
	p, err := s.Packer.OrderPackage(c.Request.Context(), parcel.Package{ID: in.ID, Operator: operator, Period: period, Account: who(c).Login})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, s.viewOfPackage(p))
	return nil
}

func (s *server) cancelPackage(c *gin.Context) error {
	p, err := s.aPackage(c)
	if err != nil {
		return err
	}
	if err := s.Packer.CancelPackage(c.Request.Context(), p.ID); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// getPackageFile hands out a file of a package that is done. A download that broke off
// goes on where it was.
func (s *server) getPackageFile(c *gin.Context) error {
	p, err := s.aPackage(c)
	if err != nil {
		return err
	}
	form := parcel.Form(c.Param("form"))
	file, about, err := s.Packer.OpenPackageFile(c.Request.Context(), p.ID, form)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	h := c.Writer.Header()
	h.Set("Content-Type", form.Media())
	h.Set("Content-Disposition", `attachment; filename="`+p.Operator+"-"+p.First()+"-"+p.Last()+"."+string(form)+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
	h.Set("ETag", `"`+about.SHA256+`"`)
	http.ServeContent(c.Writer, c.Request, "", p.Ended, file)
	return nil
}

// handOverRequest is the body.
type handOverRequest struct {
	Form parcel.Form `json:"form"`
}

// handOverPackage has a file handed over, which goes on by itself.
func (s *server) handOverPackage(c *gin.Context) error {
	p, err := s.aPackage(c)
	if err != nil {
		return err
	}
	var in handOverRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if !slices.Contains(parcel.Forms(), in.Form) {
		return &invalidError{"form", "is neither json nor xlsx"}
	}
	if p, err = s.Courier.HandOver(c.Request.Context(), p.ID, in.Form, who(c).Login); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, s.viewOfPackage(p))
	return nil
}
