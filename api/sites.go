package api

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/monitor/alert"
)

// Limits of a series.
const (
	maxSeries     = 3660 * 24 * time.Hour
	usualSeries   = 24 * time.Hour
	maxPoints     = 2000
	usualPoints   = 300
	countedAlerts = 1000 // firing alerts that enter the counts; beyond, counts are too low
)

// siteView is a site as screens list it.
type siteView struct {
	farm.Site
	Devices int               `json:"devices"`
	Online  int               `json:"online"`
	Firing  int               `json:"firing"`
	Latest  map[string]Latest `json:"latest"` // by quantity
}

// siteDetail is one site with the devices that stand there.
type siteDetail struct {
	siteView
	DeviceList []device.Device `json:"device_list"`
}

// vocabularyView is what pages need to name things.
type vocabularyView struct {
	Quantities []farm.Quantity `json:"quantities"`
	SiteKinds  []farm.SiteKind `json:"site_kinds"`
	Regions    []farm.Region   `json:"regions"`
}

// seriesView is one quantity over a period.
type seriesView struct {
	Gaps     []farm.Gap     `json:"gaps"`
	Interval float64        `json:"interval"` // seconds between points
	Points   []farm.Point   `json:"points"`
	Quality  []farm.Quality `json:"quality"`
	Quantity string         `json:"quantity"`
}

func newSiteView(site farm.Site, devices []device.Device, firing int, latest map[string]Latest) siteView {
	v := siteView{Site: site, Devices: len(devices), Firing: firing, Latest: latest}
	if v.Latest == nil {
		v.Latest = map[string]Latest{}
	}
	for _, d := range devices {
		if d.Online {
			v.Online++
		}
	}
	return v
}

func siteObject(site farm.Site) auth.Object {
	return auth.Object{Tenant: site.Tenant, Region: site.Region}
}

// site returns the site of the path if the caller may do a there.
func (s *server) site(c *gin.Context, a auth.Action) (farm.Site, error) {
	id, err := id(c)
	if err != nil {
		return farm.Site{}, err
	}
	site, err := s.Farms.Site(c.Request.Context(), id)
	if err != nil {
		return farm.Site{}, err
	}
	if err := allow(who(c), a, siteObject(site)); err != nil {
		return farm.Site{}, err
	}
	return site, nil
}

// siteNamed returns a site if the caller may do a there.
func (s *server) siteNamed(c *gin.Context, id string, a auth.Action) (farm.Site, error) {
	if farm.CheckID(id) != nil {
		return farm.Site{}, &invalidError{"site", "is not an identifier"}
	}
	site, err := s.Farms.Site(c.Request.Context(), id)
	if err != nil {
		return farm.Site{}, err
	}
	return site, allow(who(c), a, siteObject(site))
}

// addSiteRequest is the body.
type addSiteRequest struct {
	ID        string        `json:"id"`
	Tenant    string        `json:"tenant"` // the caller's own where nothing is said
	Region    string        `json:"region"` // that of the tenant where nothing is said
	Kind      farm.SiteKind `json:"kind"`
	Name      farm.Text     `json:"name"`
	Town      farm.Text     `json:"town"`
	Latitude  float64       `json:"latitude"`
	Longitude float64       `json:"longitude"`
	Area      float64       `json:"area"` // m²
}

// newSite returns the site that a request describes, if the caller may add it.
func (s *server) newSite(c *gin.Context, in addSiteRequest) (farm.Site, error) {
	if in.Tenant == "" {
		in.Tenant = who(c).Tenant
	}
	t, err := s.tenantNamed(c, in.Tenant, auth.Administer)
	if err != nil {
		return farm.Site{}, err
	}
	site := farm.Site{
		ID: in.ID, Tenant: t.ID, Region: cmp.Or(in.Region, t.Region), Kind: in.Kind, Name: in.Name, Town: in.Town,
		Latitude: in.Latitude, Longitude: in.Longitude, Area: in.Area,
	}
	return site, checkSite(site)
}

// checkSite names what keeps a site from being one.
func checkSite(site farm.Site) error {
	_, known := farm.Prefecture(site.Region)
	switch {
	case farm.CheckID(site.ID) != nil:
		return &invalidError{"id", "is not an identifier: a-z, 0-9, and after the first - or _"}
	case !known && site.Region != farm.GuangxiCode:
		return &invalidError{"region", "is no GB/T 2260 code of Guangxi, such as 450500"}
	case !slices.Contains(farm.SiteKinds(), site.Kind):
		return &invalidError{"kind", "is none of " + strings.Join(words(farm.SiteKinds()), ", ")}
	case site.Name.Zh == "":
		return &invalidError{"name", "is missing"}
	case math.Abs(site.Latitude) > 90 || site.Latitude == 0 && site.Longitude == 0:
		return &invalidError{"latitude", "is not one on WGS 84"}
	case math.Abs(site.Longitude) > 180:
		return &invalidError{"longitude", "is not one on WGS 84"}
	case site.Area < 0:
		return &invalidError{"area", "is negative"}
	}
	return nil
}

// addSite adds a site of the caller's own operator, or of any that it administers.
func (s *server) addSite(c *gin.Context) error {
	var in addSiteRequest
	if err := body(c, &in); err != nil {
		return err
	}
	site, err := s.newSite(c, in)
	if err != nil {
		return err
	}
	if err := s.Operators.CreateSite(c.Request.Context(), site); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, site)
	return nil
}

func (s *server) vocabulary(c *gin.Context) error {
	c.JSON(http.StatusOK, vocabularyView{farm.Quantities(), farm.SiteKinds(), farm.Prefectures()})
	return nil
}

func (s *server) listSites() listing[siteView] {
	return listing[siteView]{
		name: "sites", key: func(v siteView) string { return v.ID },
		read: func(c *gin.Context, _ page) ([]siteView, error) { return s.siteViews(c) },
		sees: func(c *gin.Context, v *siteView) (bool, error) {
			return auth.Can(who(c), auth.Read, siteObject(v.Site)), nil
		},
	}
}

// siteViews returns the sites in the caller's scope, with what is known of them now.
func (s *server) siteViews(c *gin.Context) ([]siteView, error) {
	ctx, p := c.Request.Context(), who(c)
	in, ok := scopeOf(p)
	if !ok {
		return nil, nil
	}
	sites, err := s.Farms.Sites(ctx, in)
	if err != nil {
		return nil, err
	}
	devices, err := s.Devices.DevicesBySite(ctx, in)
	if err != nil {
		return nil, err
	}
	alerts, err := s.Alerts.Alerts(ctx, AlertQuery{Scope: in, State: alert.Firing, Limit: countedAlerts})
	if err != nil {
		return nil, err
	}
	firing := map[string]int{}
	for _, a := range alerts {
		firing[a.Site]++
	}
	latest := s.Hub.latestBySite(func(at ingest.Place, _ string) bool { return auth.Can(p, auth.Read, object(at)) })
	views := make([]siteView, len(sites))
	for i, site := range sites {
		views[i] = newSiteView(site, devices[site.ID], firing[site.ID], latest[site.ID])
	}
	return views, nil
}

// seesSite reports whether the caller may read a site; each is looked up once in a
// request.
func (s *server) seesSite(c *gin.Context, id string) (bool, error) {
	key := "sees " + id
	if may, asked := c.Get(key); asked {
		return may.(bool), nil
	}
	site, err := s.Farms.Site(c.Request.Context(), id)
	if err != nil {
		return false, err
	}
	may := auth.Can(who(c), auth.Read, siteObject(site))
	c.Set(key, may)
	return may, nil
}

func (s *server) getSite(c *gin.Context) error {
	site, err := s.site(c, auth.Read)
	if err != nil {
		return err
	}
	devices, err := s.Devices.DevicesAt(c.Request.Context(), site.ID)
	if err != nil {
		return err
	}
	alerts, err := s.Alerts.Alerts(c.Request.Context(), AlertQuery{Site: site.ID, State: alert.Firing, Limit: countedAlerts})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, siteDetail{newSiteView(site, devices, len(alerts), s.Hub.latest(site.ID, "")), list(devices)})
	return nil
}

func (s *server) getSeries(c *gin.Context) error {
	site, err := s.site(c, auth.Read)
	if err != nil {
		return err
	}
	q, ok := farm.LookupQuantity(c.Query("quantity"))
	if !ok {
		return &invalidError{"quantity", "is not one of the vocabulary"}
	}
	from, to, err := queryPeriod(c, s.Now(), usualSeries, maxSeries)
	if err != nil {
		return err
	}
	points, err := queryInt(c, "points", usualPoints, maxPoints)
	if err != nil {
		return err
	}
	sum, err := s.Series.Series(c.Request.Context(), SeriesQuery{Tenant: site.Tenant, Site: site.ID, Quantity: q, From: from, To: to, Points: points})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, seriesView{list(sum.Gaps), sum.Interval.Seconds(), list(sum.Points), list(sum.Quality), q.ID})
	return nil
}
