package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/i18n"
	"tianhai/ingest"
	"tianhai/ingest/broker"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
	"tianhai/ingest/mapping"
	"tianhai/ingest/qc"
	"tianhai/monitor/alert"
	"tianhai/monitor/alert/notify"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/complaint"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
	"tianhai/trace/epcis/told"
	"tianhai/trace/evidence"
	"tianhai/trace/input"
	"tianhai/trace/ledger"
	"tianhai/trace/parcel"
	"tianhai/trace/photo"
	"tianhai/trace/recall"
	"tianhai/trace/scan"
	"tianhai/trace/unit"
)

// shutdownLimit is how long a stop may take before the process ends itself with
// an error. Nothing acknowledged is lost either way.
const shutdownLimit = 5 * time.Second

// A server is every part of Tianhai, joined. Parts are opened in the order in
// which they need each other, and closed in the reverse.
type server struct {
	cfg     config
	log     *slog.Logger
	metrics *prometheus.Registry
	texts   *i18n.Catalog

	store      *store.Store
	series     *influx.Client
	roller     *influx.Roller
	journal    *journal.Journal
	ledger     *ledger.Ledger
	registry   *device.Registry
	library    *mapping.Library
	door       *ingest.Door
	edges      *edges
	manager    *device.Manager
	queue      *device.Queue
	seen       *device.Sightings
	silence    *device.Silence
	changes    chan struct{} // to devices, by this process
	hub        *api.Hub
	engine     *alert.Engine
	notices    *alert.Notices
	catalogs   *catalog.Library
	photos     *photo.Shelf
	papers     *photo.Shelf // of laboratories
	tracer     *trace.Service
	units      *unit.Service
	late       *teller
	send       func(ctx context.Context, id string, message any) (retry bool, err error) // to the webhook; nil: there is none
	certs      *trace.Certifier
	sealer     *trace.Sealer
	recalls    *recall.Service
	recallPost *recall.Post
	events     *repository.Repository
	told       *told.Teller
	standing   *standing.Service
	looks      *scan.Recorder
	album      *photo.Album // of complaints
	complaints *complaint.Service
	packages   *parcel.Service
	courier    *parcel.Courier // of packages
	copies     *teller         // of alarms about codes
	heard      *teller         // of complaints
	audits     audits
	logs       []trace.LogState // as the records know them
	sources    *ingest.IntakeMetrics
	intake     *ingest.Intake
	keeper     *ingest.Keeper
	watch      *ingest.Watch
	checker    *checker
	posts      *posts
	desk       *history.Desk
	mender     *history.Mender
	broker     *broker.Broker // nil where a broker outside replaces it
	listener   net.Listener
	scraped    net.Listener // nil where /metrics has no address of its own

	influxURL string // of the embedded server, for whoever runs Grafana beside it
	closers   []closer
}

type closer struct {
	what string
	do   func(context.Context) error
}

func (s *server) onClose(what string, do func(context.Context) error) {
	s.closers = append(s.closers, closer{what, do})
}

// openServer opens every part. An error names the configuration key at fault.
func openServer(ctx context.Context, cfg config) (*server, error) {
	s := &server{cfg: cfg, log: cfg.logger(), metrics: prometheus.NewRegistry()}
	klog.SetSlogLogger(s.log) // Tessera's; it has no logger of its own
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, open := range []func(context.Context) error{s.lock, s.openRecords, s.openSeries, s.openJournal, s.openMonitor, s.openEdges, s.openHistory, s.openTrace, s.listenWeb, s.openBrokers} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.close(ctx))
		}
	}
	return s, nil
}

// lock keeps a second server off the data directory.
func (s *server) lock(context.Context) error {
	if err := makeDataDir(s.cfg.Data); err != nil {
		return err
	}
	lock := flock.New(s.cfg.path("lock"))
	free, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("data: lock %s: %w", s.cfg.Data, err)
	}
	if !free {
		return fmt.Errorf("data: %s is in use by another tianhai", s.cfg.Data)
	}
	s.onClose("lock", func(context.Context) error { return lock.Unlock() })
	return nil
}

func (s *server) openRecords(ctx context.Context) (err error) {
	if s.texts, err = i18n.Load(); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, s.cfg); err != nil {
		return err
	}
	s.onClose("records", func(context.Context) error { return s.store.Close() })
	return nil
}

func (s *server) openSeries(ctx context.Context) error {
	c := s.cfg.Influx
	opt := influx.Options{URL: c.URL, Token: string(c.Token), Org: c.Org, Bucket: c.Bucket, Gzip: !nearby(c.URL), Logger: s.log}
	if c.URL == "" {
		embedded, err := influx.OpenServer(ctx, influx.ServerOptions{Dir: s.cfg.path("influx"), Addr: c.Addr, Logger: s.log})
		if err != nil {
			return fmt.Errorf("influx.addr: %w", err)
		}
		s.onClose("influxdb", func(context.Context) error { return embedded.Close() })
		s.influxURL = embedded.URL()
		opt.URL, opt.Token = embedded.URL(), embedded.Token()
	}
	client, err := influx.Open(ctx, opt)
	if err != nil {
		return fmt.Errorf("influx.url: %w", err)
	}
	s.series = client
	s.roller = influx.NewRoller(client, s.log)
	s.metrics.MustRegister(newRollupMetrics(s.roller))
	s.onClose("influxdb client", func(context.Context) error { client.Close(); return nil })
	return nil
}

func (s *server) openJournal(ctx context.Context) (err error) {
	c := s.cfg.Journal
	s.journal, err = journal.Open(ctx, journal.Options{
		Dir: s.cfg.path("journal"), URL: c.URL, Partitions: c.Partitions, MaxBytes: c.MaxBytes,
		Sync: time.Duration(c.Sync), SyncAlways: c.SyncAlways, Logger: s.log,
	})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	s.onClose("journal", s.journal.Close)
	return nil
}

// interpreter makes one for one reader of the journal; what quality tests
// remember of a device is each reader's own, and kept over restarts.
func (s *server) interpreter(ctx context.Context, reader string, chain ingest.Chain) (*ingest.Interpreter, *qc.Saver, error) {
	tests, err := loadTests(s.cfg)
	if err != nil {
		return nil, nil, err
	}
	checker, err := qc.New(tests)
	if err != nil {
		return nil, nil, fmt.Errorf("quality.tests: %w", err)
	}
	saver := &qc.Saver{Checker: checker, File: s.cfg.path("quality-" + reader + ".json"), Logger: s.log}
	if err := checker.LoadFile(saver.File); err != nil {
		s.log.WarnContext(ctx, "quality tests that look back begin anew", "error", err)
	}
	s.onClose("quality tests", func(context.Context) error { return checker.SaveFile(saver.File, time.Now()) })
	return &ingest.Interpreter{Profiles: s.registry, Decode: s.library.ByFormat, Quality: checker, Chain: chain}, saver, nil
}

func loadTests(cfg config) (qc.Config, error) {
	if cfg.Quality.Tests == "" {
		return qc.Default()
	}
	raw, err := os.ReadFile(cfg.Quality.Tests)
	if err != nil {
		return qc.Config{}, fmt.Errorf("quality.tests: %w", err)
	}
	tests, err := qc.Parse(raw)
	if err != nil {
		return qc.Config{}, fmt.Errorf("quality.tests: %s: %w", cfg.Quality.Tests, err)
	}
	return tests, nil
}

func (s *server) openMonitor(ctx context.Context) error {
	s.hub = &api.Hub{}
	s.registry = device.NewRegistry(device.RegistryOptions{Directory: s.store, Aliases: s.store, Presence: s.hub, Logger: s.log})
	s.library = mapping.NewLibrary(s.store, s.mappingsChanged, s.log)
	if err := s.library.Load(ctx); err != nil {
		return err
	}
	s.door = ingest.NewDoor(s.registry, 0, s.log)
	s.changes = make(chan struct{}, 1)
	s.manager = &device.Manager{Store: s.store, Changed: s.deviceChanged}
	s.seen = device.NewSightings(s.store, s.log)
	s.silence = &device.Silence{Registry: s.registry, Logger: s.log, Connected: func(id string) bool { return s.broker != nil && s.broker.Connected(id) }}
	s.posts = &posts{}
	s.queue = &device.Queue{Store: s.store, Sender: s.posts, Logger: s.log}
	if err := s.store.ResetPresence(ctx, time.Now()); err != nil {
		return err
	}
	if err := s.prime(ctx); err != nil {
		s.log.WarnContext(ctx, "screens begin empty: the time-series store does not answer", "error", err)
	}
	rules, err := s.loadRules()
	if err != nil {
		return fmt.Errorf("alerts.rules: %w", err)
	}
	notifiers := map[string]alert.Notifier{}
	if hook := s.cfg.Alerts.Webhook; hook.URL != "" {
		webhook, err := notify.NewWebhook(notify.WebhookConfig{URL: notify.Secret(hook.URL), Key: notify.Secret(hook.Secret), Catalog: s.texts, Sites: s.store})
		if err != nil {
			return fmt.Errorf("alerts.webhook: %w", err)
		}
		notifiers["webhook"], s.send = webhook, webhook.Send
	}
	s.notices = alert.NewNotices(alert.NoticesConfig{Store: s.store, Notifiers: notifiers, Logger: s.log})
	s.engine = alert.New(alert.Config{
		Rules: rules, Store: s.store, Charge: charge{s.store, s.texts}, Fleet: records{s.store}, Channels: slices.Collect(maps.Keys(notifiers)),
		Listener: s.hub, Wake: s.notices.Wake, Logger: s.log,
	})
	return nil
}

func (s *server) loadRules() ([]alert.Rule, error) {
	if s.cfg.Alerts.Rules == "" {
		return alert.DefaultRules()
	}
	raw, err := os.ReadFile(s.cfg.Alerts.Rules)
	if err != nil {
		return nil, err
	}
	return alert.ParseRules(raw)
}

func (s *server) openTrace(ctx context.Context) (err error) {
	opt := ledgerOptions(s.cfg, s.store)
	opt.Logger = s.log
	s.ledger, err = ledger.Open(ctx, opt)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	s.onClose("ledger", s.ledger.Close)
	if err := s.loadAudits(ctx); err != nil {
		return err
	}
	if s.logs, err = s.store.Logs(ctx); err != nil {
		return err
	}
	if s.catalogs, err = catalog.Open(ctx, s.store, s.log); err != nil {
		return err
	}
	s.photos = &photo.Shelf{Dir: s.cfg.path("blobs"), Index: s.store, Quota: s.cfg.Photos.Quota}
	kept := &evidence.Shelf{Dir: s.cfg.path("evidence")}
	if err := kept.Sweep(time.Now()); err != nil { // nobody else writes there yet
		return err
	}
	s.papers = &photo.Shelf{Dir: s.cfg.path("reports"), Index: s.store.ReportFiles(), Documents: true, Quota: s.cfg.Photos.Quota}
	s.sealer = trace.NewSealer(s.store, s.ledger, s.log)
	s.late = newTeller(s.send, s.log, untoldLate(s.store, s.texts, s.log))
	s.tracer = &trace.Service{
		Store: s.store, Journal: s.store, Evidence: series{s.series}, Catalogs: s.catalogs, HasPhoto: s.hasPhoto, Added: s.added,
		Sensors: records{s.store}, Series: kept, Shipments: s.store,
		Water: series{s.series}, Licences: s.store, Inputs: s.store, Bans: input.Banned(), OwnBans: s.store.OwnBans, Stock: s.store, Chain: s.store,
		GTIN: s.store.HeldGTIN, Overrides: s.store, Harvests: s.store, Late: func(context.Context, []trace.LateUse) { s.late.Wake() },
	}
	if err := s.openUnits(ctx); err != nil {
		return err
	}
	s.standing = standing.New(standing.Config{Store: s.store, Events: s.store, Admits: s.sessions().Admits, Client: hookClient(s.cfg.Recalls.PrivateHooks), Logger: s.log})
	s.told = told.New(s.store, s.log)
	s.told.Told = s.standing.Wake
	s.events = repository.New(repository.Config{Shelf: s.store, Jobs: s.store, Captured: s.standing.Wake, Logger: s.log})
	s.certs = &trace.Certifier{Service: s.tracer, Book: s.store}
	s.openRecalls()
	s.openScans()
	return nil
}

// added is called when there is a new record.
func (s *server) added() {
	s.sealer.Wake()
	s.told.Wake()
}

// run works until ctx is done or a part fails.
func (s *server) run(ctx context.Context) error {
	store, storeSaver, err := s.interpreter(ctx, ingest.StoreReader, s.edges.store)
	if err != nil {
		return err
	}
	live, liveSaver, err := s.interpreter(ctx, ingest.WatchReader, s.edges.watch)
	if err != nil {
		return err
	}
	s.keeper = &ingest.Keeper{Source: s.journal, Quarantine: s.journal, Interpreter: store, Store: s.series, Metrics: ingest.NewMetrics(s.metrics), Logger: s.log}
	s.watch = &ingest.Watch{Source: s.journal, Interpreter: live, Watchers: []ingest.Watcher{s.hub, s.engine, s.seen, s.silence}, Logger: s.log}
	s.checker = &checker{look: s.look, log: s.log}
	unwell := &unwellTeller{now: s.checker.now, send: s.send, texts: s.texts, log: s.log}
	s.metrics.MustRegister(newGauges(s))
	s.openPackages()
	handler, err := s.handler()
	if err != nil {
		return err
	}
	old := history.NewWorker(s.desk, s.journal, s.journal, s.series)
	works := []func(context.Context) error{
		s.keeper.Run, s.watch.Run, s.checker.run, unwell.Run, storeSaver.Run, liveSaver.Run, s.journal.Run, s.engine.Run, s.notices.Run, s.sealer.Run, s.queue.Run, s.watchDevices, s.seen.Run, s.silence.Run, s.library.Run, s.catalogs.Run, s.cleanPhotos, s.roller.Run, s.runRetention, s.runAudits, s.late.Run, s.recallPost.Run, s.events.Run, s.told.Run, s.standing.Run, old.Run, s.mender.Run,
		func(ctx context.Context) error { return s.serveWeb(ctx, s.listener, handler) },
	}
	works = append(works, s.looks.Run, s.copies.Run, s.heard.Run, s.erasePhones, s.packages.Run, s.courier.Run)
	works = append(works, s.edges.asker.Run, s.edges.roll.Run, s.edges.mended.Run)
	for _, p := range s.posts.all {
		if p.session != nil {
			works = append(works, p.session.Run)
		}
	}
	if s.scraped != nil {
		works = append(works, s.serveMetrics)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, work := range works {
		group.Go(func() error { return work(ctx) })
	}
	if err := s.writeAddresses(); err != nil {
		return errors.Join(err, group.Wait())
	}
	s.log.InfoContext(ctx, "serving", "http", s.publicURL(), "data", s.cfg.Data)
	return group.Wait()
}

// whileOpen works and then closes everything. A stop that takes longer than
// shutdownLimit ends the process with an error instead of hanging.
func (s *server) whileOpen(ctx context.Context, work func(context.Context) error) error {
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(shutdownLimit, func() {
			s.log.ErrorContext(ctx, "the stop took too long; the next start goes on where this one was")
			os.Exit(1)
		})
	})()
	err := work(ctx)
	return errors.Join(err, s.close(context.WithoutCancel(ctx)))
}

// close closes what was opened, the last first.
func (s *server) close(ctx context.Context) error {
	if s.hub != nil {
		s.hub.Close()
	}
	var all []error
	for _, c := range slices.Backward(s.closers) {
		if err := c.do(ctx); err != nil {
			all = append(all, fmt.Errorf("close %s: %w", c.what, err))
		}
	}
	return errors.Join(all...)
}

type serveCommand struct{ serveFlags }

// collectAt is the garbage collector's target, unless GOGC says otherwise. What
// passes through is much and short-lived, what stays is little: a heap of up to
// twice Go's default spares most collections.
const collectAt = 300 // percent

// memoryTarget is where the collector begins to work harder, unless GOMEMLIMIT
// says otherwise: a flood of frames that cannot be read made it several times what
// was in use. It is no limit to what is really in use.
const memoryTarget = 1536 << 20 // bytes

// Run serves until SIGTERM or SIGINT.
func (c *serveCommand) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryTarget)
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	s, err := openServer(ctx, cfg)
	if err != nil {
		return err
	}
	return s.whileOpen(ctx, s.run)
}

// nearby reports whether a URL leads to this machine, where compressing what is
// sent costs more than sending it.
func nearby(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return address == "" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
