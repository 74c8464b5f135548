package api

import (
	"net/http"
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

func (s *server) vocabulary(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{"quantities": farm.Quantities(), "site_kinds": farm.SiteKinds(), "regions": farm.Prefectures()})
	return nil
}

func (s *server) listSites(c *gin.Context) error {
	ctx, p := c.Request.Context(), who(c)
	views := []siteView{}
	in, ok := scopeOf(p)
	if !ok {
		c.JSON(http.StatusOK, gin.H{"sites": views})
		return nil
	}
	sites, err := s.Farms.Sites(ctx, in)
	if err != nil {
		return err
	}
	devices, err := s.Devices.DevicesBySite(ctx, in)
	if err != nil {
		return err
	}
	alerts, err := s.Alerts.Alerts(ctx, AlertQuery{Scope: in, State: alert.Firing, Limit: countedAlerts})
	if err != nil {
		return err
	}
	firing := map[string]int{}
	for _, a := range alerts {
		firing[a.Site]++
	}
	latest := s.Hub.latestBySite(func(at ingest.Place, _ string) bool { return auth.Can(p, auth.Read, object(at)) })
	for _, site := range sites {
		if auth.Can(p, auth.Read, siteObject(site)) {
			views = append(views, newSiteView(site, devices[site.ID], firing[site.ID], latest[site.ID]))
		}
	}
	c.JSON(http.StatusOK, gin.H{"sites": views})
	return nil
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
	c.JSON(http.StatusOK, struct {
		siteView
		DeviceList []device.Device `json:"device_list"`
	}{newSiteView(site, devices, len(alerts), s.Hub.latest(site.ID, "")), list(devices)})
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
	c.JSON(http.StatusOK, gin.H{"quantity": q.ID, "interval": sum.Interval.Seconds(), "points": list(sum.Points), "quality": list(sum.Quality), "gaps": list(sum.Gaps)})
	return nil
}
