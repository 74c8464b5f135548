// Package api is the JSON interface for machines and for our own screens, under
// /api/v1.
//
// The default answer is no: every request but a login needs a session, and every
// handler asks auth.Can before it reads what it was asked for. Who may not read
// an object is told that there is none; who may read it but not act on it is
// told so. Errors are application/problem+json (RFC 9457) with a code that stays
// the same; what went wrong inside goes to the log and not to the client.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/api/once"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/mapping"
	"tianhai/monitor/alert"
	"tianhai/trace"
	"tianhai/trace/gate"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
	"tianhai/trace/photo"
)

// Limits of a request.
const (
	MaxBody        = 1 << 20 // bytes
	RequestTimeout = 15 * time.Second
)

// A Scope narrows a list to one tenant or one region; the zero Scope does not
// narrow it. Handlers ask for no more than the principal may read.
type Scope struct {
	Tenant string
	Region string // GB/T 2260; it holds the divisions within it
}

// Sessions know who is asking; *auth.Sessions does.
type Sessions interface {
	// Login is told the address that the person comes from.
	Login(ctx context.Context, login, password, remote string) (token string, p auth.Principal, err error)
	Principal(ctx context.Context, token string) (auth.Principal, error)
	Logout(ctx context.Context, token string) error
	// Accept sets the password of who was invited and opens a session; auth.ErrInvitation.
	Accept(ctx context.Context, login, code, password, remote string) (token string, p auth.Principal, err error)
	// End ends every session of an account.
	End(ctx context.Context, login string) error
}

// A Door lets devices in by their secrets; *ingest.Door does. A wrong one is
// ingest.ErrDenied, and ingest.ErrGuesses after too many.
type Door interface {
	Admit(ctx context.Context, device, remote string, secret []byte) error
}

// Farms knows sites. One that does not exist is farm.ErrNotFound.
type Farms interface {
	Site(ctx context.Context, id string) (farm.Site, error)
	Sites(ctx context.Context, in Scope) ([]farm.Site, error)
}

// Devices is the registry. A device that does not exist is farm.ErrNotFound.
type Devices interface {
	Device(ctx context.Context, id string) (device.Device, error)
	// DevicesAt returns the devices that stand at a site now, by ID.
	DevicesAt(ctx context.Context, site string) ([]device.Device, error)
	// DevicesBySite returns the devices that stand at the sites of a scope now.
	DevicesBySite(ctx context.Context, in Scope) (map[string][]device.Device, error)
	Models(ctx context.Context) ([]device.Model, error)
	// Installations returns a device's history, oldest first.
	Installations(ctx context.Context, device string) ([]ingest.Installation, error)
}

// Commands keeps the audit of commands.
type Commands interface {
	CreateCommand(ctx context.Context, c device.CommandRecord) error
	// Commands returns a device's, newest first: those behind the one with this ID
	// that was created then, or from the newest on where the ID is empty.
	Commands(ctx context.Context, device string, created time.Time, id string, limit int) ([]device.CommandRecord, error)
}

// Upkeep records what technicians do to devices. A site of another tenant than
// the device's is farm.ErrNotFound.
type Upkeep interface {
	AddCalibration(ctx context.Context, c device.Calibration) error
	// Calibrations returns a device's history, oldest first.
	Calibrations(ctx context.Context, device string) ([]device.Calibration, error)
	Install(ctx context.Context, in device.Installation) error
}

// Lifecycle changes the state and the secrets of devices; *device.Manager does. A
// change that a device's state does not allow is farm.ErrConflict.
type Lifecycle interface {
	SetState(ctx context.Context, o device.Order, to device.State) error
	Rotate(ctx context.Context, o device.Order, grace time.Duration) (secret string, err error)
	Revoke(ctx context.Context, o device.Order) error
	// Events returns a device's, oldest first.
	Events(ctx context.Context, device string) ([]device.Event, error)
}

// Claims makes devices and gives them to their owners; *device.Issuer does.
type Claims interface {
	Issue(ctx context.Context, account string, m device.Model, n int) ([]device.Label, error)
	Claim(ctx context.Context, c device.Claim, code string) error // device.ErrClaim
	Offer(ctx context.Context, id string) (device.Offer, error)   // farm.ErrNotFound
	// Reissue returns another claim code for a device that nobody owns.
	Reissue(ctx context.Context, o device.Order) (code string, err error)
}

// A DeviceQuery asks for devices by ID; what is empty does not narrow it.
type DeviceQuery struct {
	Scope
	Site   string // where they stand now
	Model  string
	State  device.State
	Online *bool
	Text   string // in ID or name
	After  string // ID; only those behind it
	Limit  int
}

// Inventory lists devices, by ID.
type Inventory interface {
	FindDevices(ctx context.Context, q DeviceQuery) ([]device.Placed, error)
	// FindIssued returns those that nobody owns, by Model, Text and After only.
	FindIssued(ctx context.Context, q DeviceQuery) ([]device.Issued, error)
}

// Models keeps the kinds of devices, and what they were.
type Models interface {
	// PutModel adds a model or replaces it. The same again is nothing new.
	PutModel(ctx context.Context, c device.ModelChange) error
	// ModelChanges returns a model's, newest first.
	ModelChanges(ctx context.Context, model string, limit int) ([]device.ModelChange, error)
	// ModelUse returns how many devices there are of each model.
	ModelUse(ctx context.Context) (map[string]int, error)
}

// An Importer registers devices from a file; *device.Importer does.
type Importer interface {
	// Check returns what is wrong with a file of one tenant's devices, or of
	// anybody's where it is empty.
	Check(ctx context.Context, file io.Reader, tenant string) ([]device.NewDevice, []device.Fault, error)
	Import(ctx context.Context, account string, devices []device.NewDevice) ([]device.Label, error)
}

// A Queue sends the commands that were recorded, as soon as their devices listen;
// *device.Queue does. Wake tells it of a new one.
type Queue interface {
	Wake()
	// Cancel takes back a command that its device was not told; farm.ErrConflict for
	// any other.
	Cancel(ctx context.Context, device, id, account string) error
}

// A SeriesQuery asks for one quantity at a site over From ≤ t < To.
type SeriesQuery struct {
	Tenant, Site string
	Quantity     farm.Quantity
	From, To     time.Time
	Points       int // at most so many
}

// Series is the time-series store.
type Series interface {
	Series(ctx context.Context, q SeriesQuery) (farm.Summary, error)
}

// Retentions knows and changes how long values are kept.
type Retentions interface {
	Retentions(ctx context.Context) (ingest.Retentions, error)
	// ChangeRetention appends a change; farm.ErrNotFound when its tenant is unknown.
	ChangeRetention(ctx context.Context, c ingest.RetentionChange) error
	// PreviewRetention returns what would be deleted if it were a later time.
	PreviewRetention(ctx context.Context, at time.Time) ([]ingest.Purge, error)
	// CanDelete is ingest.ErrNoDelete where the store cannot delete.
	CanDelete(ctx context.Context) error
}

// An AlertQuery asks for alerts; an empty Site is any.
type AlertQuery struct {
	Scope
	Site  string
	State alert.State
	After Place
	Limit int
}

// Alerts returns stored alerts, newest first.
type Alerts interface {
	Alerts(ctx context.Context, q AlertQuery) ([]alert.Alert, error)
}

// Records reads trace data. What does not exist is farm.ErrNotFound.
type Records interface {
	Operations(ctx context.Context, site string, from, to time.Time) ([]trace.Operation, error)
	// PhotosOf returns the pictures that those operations name.
	PhotosOf(ctx context.Context, site string, from, to time.Time) ([]photo.Upload, error)
	Products(ctx context.Context) ([]trace.Product, error)
	Batch(ctx context.Context, id string) (trace.Batch, error)
	// Batches returns batches, newest first.
	Batches(ctx context.Context, q BatchQuery) ([]trace.Batch, error)
}

// A BatchQuery asks for batches behind a place.
type BatchQuery struct {
	Scope
	Stock bool // those of which something is left
	After Place
	Limit int
}

// A Recorder appends trace data; *trace.Service does.
type Recorder interface {
	AddOperation(ctx context.Context, op trace.Operation) (stored trace.Operation, added bool, err error)
	OpenBatch(ctx context.Context, b trace.Batch, person string) (trace.Batch, error)
	CloseBatch(ctx context.Context, id string) (trace.Batch, error)
	// Permit returns every reason why an act may not be.
	Permit(ctx context.Context, tenant string, act gate.Act) ([]gate.Refusal, error)
	// PermitBatch is Permit for what is done with a batch.
	PermitBatch(ctx context.Context, b trace.Batch, kind gate.ActKind, at time.Time) ([]gate.Refusal, error)
}

// Quarantine lists frames that could not be stored, oldest first, after a place
// in quarantine; of one device, or of all when device is empty.
type Quarantine interface {
	Quarantined(ctx context.Context, device string, after uint64, limit int) ([]ingest.Quarantined, error)
}

// Aliases keeps by what names others know a device.
type Aliases interface {
	Aliases(ctx context.Context, device string) ([]device.Alias, error)
	AddAlias(ctx context.Context, a device.Alias) error // farm.ErrConflict where another device has it
	DeleteAlias(ctx context.Context, device, alias string) error
}

// Mappings keeps how the JSON of other people's devices is read; *mapping.Desk
// does.
type Mappings interface {
	List(ctx context.Context) ([]mapping.Version, error)
	Versions(ctx context.Context, name string) ([]mapping.Version, error) // oldest first; farm.ErrNotFound
	Save(ctx context.Context, name, doc, account string, base int) (mapping.Version, error)
	Delete(ctx context.Context, name, account string) error
}

// A Config says what the API works with. Everything without another word is needed.
type Config struct {
	Sessions   Sessions
	Accounts   Accounts
	Door       Door
	Farms      Farms
	Operators  Operators
	Directory  Directory
	GTINs      GTINs
	Links      Links
	Resolver   Resolver
	Programs   Programs
	Companies  Companies
	Units      Units
	Rolls      Rolls
	Inputs     Inputs
	Stocks     Stocks
	Overrides  Overrides
	Recalls    Recalls
	Recaller   Recaller
	RecallMail RecallMail
	Hooks      Hooks
	Devices    Devices
	Upkeep     Upkeep
	Lifecycle  Lifecycle
	Claims     Claims
	Inventory  Inventory
	Models     Models
	Importer   Importer
	Commands   Commands
	Queue      Queue
	Series     Series
	Alerts     Alerts
	Records    Records
	Recorder   Recorder
	Chain      Chain
	Partners   Partners
	Mover      Mover
	Shipments  Shipments
	Shipper    Shipper
	Reports    Reports
	Samples    Samples
	Certifier  Certifier
	Statements Statements

	ReportFiles ReportFiles

	Catalogs   Catalogs
	Photos     Photos
	Quarantine Quarantine
	Journal    Journal
	History    History
	Jobs       Jobs
	Mappings   Mappings
	Retentions Retentions
	Audits     Audits
	Scans      Scans
	Complaints Complaints
	Packages   Packages
	Packer     Packer
	Courier    Courier
	Aliases    Aliases
	Once       *once.Desk
	Hub        *Hub
	Catalog    *i18n.Catalog
	Press      *press.Press

	// KnowsFormat reports whether payloads in a format can be read.
	KnowsFormat func(format string) bool

	// Schemes are what codes on packets are built by; label.OwnScheme is among them.
	Schemes label.Schemes
	// PublicURL is what the codes on devices point at, without a slash at the end.
	PublicURL string
	// Secure says that people reach us by https, also where something in front
	// of this process ends TLS. Cookies then never travel in the clear.
	Secure bool
	// Proxies are in front of this process. The address that a client comes from
	// is taken from X-Forwarded-For where one of them says so, and only there.
	Proxies []netip.Prefix
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: slog.DiscardHandler
}

type server struct {
	Config
	Labels  Labels
	origins *http.CrossOriginProtection
	engine  *gin.Engine
	openapi func() ([]byte, error) // made when it is first asked for
	finds   *auth.Pace
}

// New returns a handler for everything under /api/v1. It does no I/O.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: cfg, Labels: Labels{Catalog: cfg.Catalog, Schemes: cfg.Schemes, PublicURL: cfg.PublicURL}, origins: http.NewCrossOriginProtection(), finds: auth.NewPace(FindsByUser, FindWindow)}

	// In its other modes gin writes to standard output.
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	if err := e.SetTrustedProxies(proxies(cfg.Proxies)); err != nil {
		panic(err) // a prefix that netip wrote always parses
	}
	e.Use(s.outermost, s.protect, s.limit)
	routes := s.routes()
	for _, r := range routes {
		chain := []gin.HandlerFunc{s.handle(s.around(r))}
		if !r.open {
			chain = []gin.HandlerFunc{s.authenticate, s.handle(s.around(r))}
		}
		e.Handle(r.method, prefix+r.path, chain...)
	}
	s.openapi = sync.OnceValues(func() ([]byte, error) { return openapi(routes) })
	s.engine = e
	e.NoRoute(s.authenticate, s.handle(func(*gin.Context) error { return farm.ErrNotFound }))
	e.NoMethod(s.authenticate, s.handle(func(*gin.Context) error { return errMethod }))
	return e
}

func proxies(prefixes []netip.Prefix) []string {
	out := make([]string, 0, len(prefixes))
	for _, p := range prefixes {
		if p.IsValid() {
			out = append(out, p.String())
		}
	}
	return out
}
