package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/resolver"
)

// farms is the file that `tianhai import` reads.
type farms struct {
	Tenants  []farmTenant  `yaml:"tenants"`
	Sites    []farmSite    `yaml:"sites"`
	Models   []farmModel   `yaml:"models"`
	Devices  []farmDevice  `yaml:"devices"`
	Products []farmProduct `yaml:"products"`
	GTINs    []farmGTIN    `yaml:"gtins"`
	Accounts []farmAccount `yaml:"accounts"`
}

type farmTenant struct {
	ID         string            `yaml:"id"`
	Kind       farm.OperatorKind `yaml:"kind"`
	Name       farm.Text         `yaml:"name"`
	Region     string            `yaml:"region"`
	CreditCode string            `yaml:"credit_code"`
	Phone      string            `yaml:"phone"`
}

type farmSite struct {
	ID        string        `yaml:"id"`
	Tenant    string        `yaml:"tenant"`
	Region    string        `yaml:"region"`
	Kind      farm.SiteKind `yaml:"kind"`
	Name      farm.Text     `yaml:"name"`
	Town      farm.Text     `yaml:"town"`
	Latitude  float64       `yaml:"latitude"`
	Longitude float64       `yaml:"longitude"`
	Area      float64       `yaml:"area"`
	Boundary  [][2]float64  `yaml:"boundary"` // corners in order, longitude first; none when not given
}

// outline returns the boundary, closed where the file leaves that out.
func (s farmSite) outline() farm.Boundary {
	if len(s.Boundary) == 0 {
		return farm.Boundary{}
	}
	var ring []farm.Position
	for _, p := range s.Boundary {
		ring = append(ring, farm.Position{Longitude: p[0], Latitude: p[1]})
	}
	if ring[0] != ring[len(ring)-1] {
		ring = append(ring, ring[0])
	}
	return farm.Boundary{Rings: [][]farm.Position{ring}}
}

type farmModel struct {
	ID       string           `yaml:"id"`
	Name     farm.Text        `yaml:"name"`
	Format   string           `yaml:"format"`
	Interval duration         `yaml:"interval"`
	Channels []device.Channel `yaml:"channels"`
	Commands []string         `yaml:"commands"`
}

type farmDevice struct {
	ID     string    `yaml:"id"`
	Tenant string    `yaml:"tenant"`
	Model  string    `yaml:"model"`
	Name   farm.Text `yaml:"name"`
	Site   string    `yaml:"site"`
	From   time.Time `yaml:"from"` // when it was installed; now when not given
}

type farmProduct struct {
	ID      string            `yaml:"id"`
	Kind    trace.ProductKind `yaml:"kind"`
	Species string            `yaml:"species"` // the catalog's product
	Name    farm.Text         `yaml:"name"`
	GTIN    string            `yaml:"gtin"` // of older files; refused
}

// farmGTIN says which operator GS1 gave a number for which product.
type farmGTIN struct {
	GTIN    string `yaml:"gtin"`
	Tenant  string `yaml:"tenant"`
	Product string `yaml:"product"`
}

type farmAccount struct {
	Login  string    `yaml:"login"`
	Name   string    `yaml:"name"`
	Role   auth.Role `yaml:"role"`
	Tenant string    `yaml:"tenant"`
	Region string    `yaml:"region"`
}

func parseFarms(raw []byte) (farms, error) {
	var f farms
	return f, parseStrict(raw, &f)
}

// credential is what a new device or person must be told, once.
type credential struct{ id, secret, kind string }

// importer writes farms into the records database. What is there already stays
// as it is, so that a file can be imported again after it has grown.
type importer struct {
	store    *store.Store
	now      time.Time
	devices  []credential // new ones; kind is the model
	accounts []credential // new ones; kind is the role
	existing int
}

// run stops at the first thing that cannot be, and names it.
func (im *importer) run(ctx context.Context, f farms) error {
	type step struct {
		what string
		do   func() error
	}
	var steps []step
	add := func(kind, id string, do func() error) { steps = append(steps, step{kind + " " + id, do}) }
	for _, t := range f.Tenants {
		add("tenant", t.ID, func() error { return im.tenant(ctx, t) })
	}
	for _, s := range f.Sites {
		add("site", s.ID, func() error { return im.site(ctx, s) })
	}
	for _, m := range f.Models {
		add("model", m.ID, func() error { return im.model(ctx, m) })
	}
	for _, d := range f.Devices {
		add("device", d.ID, func() error { return im.device(ctx, d) })
	}
	for _, p := range f.Products {
		add("product", p.ID, func() error {
			if p.GTIN != "" {
				return fmt.Errorf("gtin: it does not say whose it is; write it under gtins instead: {gtin: %q, tenant: …, product: %s}", p.GTIN, p.ID)
			}
			return im.store.PutProduct(ctx, trace.Product{ID: p.ID, Kind: p.Kind, Species: p.Species, Name: p.Name})
		})
	}
	for _, g := range f.GTINs {
		add("gtin", g.GTIN, func() error { return im.gtin(ctx, g) })
	}
	for _, a := range f.Accounts {
		add("account", a.Login, func() error { return im.account(ctx, a) })
	}
	for _, s := range steps {
		if err := s.do(); errors.Is(err, farm.ErrConflict) {
			im.existing++
		} else if err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// gtin enters a number for its holder. One that another holds is refused: nobody could
// tell which of them is right.
func (im *importer) gtin(ctx context.Context, g farmGTIN) error {
	link, err := label.MakeLink("", []label.Element{{AI: "01", Value: g.GTIN}})
	if err != nil {
		return err
	}
	if _, err := im.store.Tenant(ctx, g.Tenant); errors.Is(err, farm.ErrNotFound) {
		return fmt.Errorf("tenant: there is no %q", g.Tenant)
	} else if err != nil {
		return err
	}
	if _, err := im.store.Product(ctx, g.Product); errors.Is(err, farm.ErrNotFound) {
		return fmt.Errorf("product: there is no %q", g.Product)
	} else if err != nil {
		return err
	}
	h := resolver.Holding{GTIN: link.Elements()[0].Value, Tenant: g.Tenant, Product: g.Product, Account: "farms file", Set: im.now}
	if err := im.store.AddHolding(ctx, h); !errors.Is(err, farm.ErrConflict) {
		return err
	}
	held, err := im.store.Holding(ctx, h.GTIN)
	if err != nil {
		return err
	}
	return fmt.Errorf("it is held by tenant %s for product %s", held.Tenant, held.Product)
}

func (im *importer) tenant(ctx context.Context, t farmTenant) error {
	tenant := farm.Tenant{ID: t.ID, Kind: t.Kind, Name: t.Name, CreditCode: t.CreditCode, Phone: t.Phone, Region: t.Region}
	if err := errors.Join(tenant.Check(), checkRegion(t.Region)); err != nil {
		return err
	}
	return im.store.CreateTenant(ctx, tenant)
}

func (im *importer) site(ctx context.Context, s farmSite) error {
	if err := errors.Join(farm.CheckID(s.ID), checkRegion(s.Region), checkName(s.Name), checkPoint(s.Latitude, s.Longitude), s.outline().Check()); err != nil {
		return err
	}
	known := false
	for _, k := range farm.SiteKinds() {
		known = known || k == s.Kind
	}
	if !known {
		return fmt.Errorf("kind %q is none of %v", s.Kind, farm.SiteKinds())
	}
	site := farm.Site{
		ID: s.ID, Tenant: s.Tenant, Region: s.Region, Kind: s.Kind, Name: s.Name, Town: s.Town,
		Latitude: s.Latitude, Longitude: s.Longitude, Area: s.Area, Boundary: s.outline(),
	}
	if !site.Boundary.IsZero() && site.Area == 0 {
		site.Area = site.Boundary.Area()
	}
	return im.store.CreateSite(ctx, site)
}

func (im *importer) model(ctx context.Context, m farmModel) error {
	if m.Format == "" {
		m.Format = "json"
	}
	model := device.Model{ID: m.ID, Name: m.Name, Format: m.Format, Interval: time.Duration(m.Interval), Channels: m.Channels, Commands: m.Commands}
	if err := errors.Join(farm.CheckID(m.ID), checkName(m.Name), model.Validate()); err != nil {
		return err
	}
	existing, err := im.store.Models(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(existing, func(m device.Model) bool { return m.ID == model.ID }) {
		return farm.ErrConflict // somebody may have changed it since the last import
	}
	return im.store.PutModel(ctx, device.ModelChange{At: im.now, Account: operator(), Model: model})
}

func (im *importer) device(ctx context.Context, d farmDevice) error {
	if err := errors.Join(farm.CheckID(d.ID), checkName(d.Name)); err != nil {
		return err
	}
	secret, hash := device.NewSecret()
	err := im.store.CreateDevice(ctx, device.Device{ID: d.ID, Tenant: d.Tenant, Model: d.Model, Name: d.Name, SecretHash: hash, Created: im.now})
	if err != nil {
		return err
	}
	if d.Site != "" {
		from := d.From
		if from.IsZero() {
			from = im.now
		}
		if err := im.store.Install(ctx, device.Installation{Device: d.ID, Site: d.Site, From: from}); err != nil {
			return err
		}
	}
	im.devices = append(im.devices, credential{d.ID, secret, d.Model})
	return nil
}

func (im *importer) account(ctx context.Context, a farmAccount) error {
	password := newPassword()
	if err := createAccount(ctx, im.store, a, password, im.now); err != nil {
		return err
	}
	im.accounts = append(im.accounts, credential{a.Login, password, string(a.Role)})
	return nil
}

func checkRegion(code string) error {
	if _, ok := farm.Prefecture(code); !ok && code != farm.GuangxiCode {
		return fmt.Errorf("region %q is no GB/T 2260 code of Guangxi, such as 450500", code)
	}
	return nil
}

func checkName(n farm.Text) error {
	if n.Zh == "" {
		return errors.New("name.zh is missing")
	}
	return nil
}

func checkPoint(lat, lon float64) error {
	if lat < -90 || lat > 90 || lon < -180 || lon > 180 || lat == 0 && lon == 0 {
		return fmt.Errorf("latitude %v, longitude %v is no place on WGS 84", lat, lon)
	}
	return nil
}

type importCommand struct {
	configFlags
	File        string `arg:"" type:"existingfile" help:"YAML file of tenants, sites, models, devices, products and accounts; docs/operations.md describes it."`
	Credentials string `help:"Write the secrets of new devices to this CSV file (id,secret,kind), readable by you alone. They cannot be shown again." placeholder:"FILE"`
}

// Run imports the file.
func (c *importCommand) Run(ctx context.Context) error {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read farms: %w", err)
	}
	f, err := parseFarms(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if len(f.Devices) > 0 && c.Credentials == "" {
		return errors.New("the file has devices: say with --credentials where their secrets shall be written")
	}
	if err := writeCredentials(c.Credentials, nil); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	im := importer{store: db, now: time.Now().UTC()}
	err = errors.Join(im.run(ctx, f), writeCredentials(c.Credentials, im.devices), db.Close())
	fmt.Printf("%d new devices, %d new accounts, %d things were there already\n", len(im.devices), len(im.accounts), im.existing)
	for _, a := range im.accounts {
		fmt.Printf("  %-12s %s  %s\n", a.id, a.secret, a.kind)
	}
	return err
}

// writeCredentials appends to the file, so that importing twice loses nothing. With
// no credentials it only makes sure that the file can be written.
func writeCredentials(file string, creds []credential) error {
	if file == "" {
		return nil
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	var b strings.Builder
	if info, err := out.Stat(); err == nil && info.Size() == 0 && len(creds) > 0 {
		b.WriteString("id,secret,kind\n")
	}
	for _, c := range creds {
		fmt.Fprintf(&b, "%s,%s,%s\n", c.id, c.secret, c.kind)
	}
	_, err = out.WriteString(b.String())
	return errors.Join(err, out.Sync(), out.Close())
}
