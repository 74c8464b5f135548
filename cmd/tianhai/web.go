package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tianhai/api"
	"tianhai/api/auth"
	"tianhai/api/epcishttp"
	"tianhai/api/once"
	"tianhai/dashboards/consumer"
	"tianhai/dashboards/web"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/mapping"
	"tianhai/trace/epcis/lineage"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
	"tianhai/trace/parcel"
	"tianhai/trace/resolver"
)

// routes joins the faces. Every path that answers without a login is here.
func (s *server) routes(api, consumer, digital, faces http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", api)                                                                  // asks for a session itself
	mux.Handle("/api/v1/ingest", &ingest.HTTP{Intake: s.intake, Door: s.door, Logger: s.log}) // asks for a device's secret
	mux.Handle("/t/", consumer)
	mux.Handle("/c/", consumer) // who knows the reference of a complaint
	mux.Handle("/01/", digital)
	mux.Handle("/{compressed}", digital)
	mux.Handle("/.well-known/gs1resolver", digital)
	mux.Handle("/epcis/", s.partners()) // asks for a session itself
	mux.HandleFunc("GET "+parcel.SchemaPath, describePackage)
	mux.Handle("/log/", http.StripPrefix("/log", s.ledger.Handler()))
	for _, face := range []string{"/bureau/", "/field/", "/manage/", "/assets/"} {
		mux.Handle(face, faces) // pages only; what they show comes from the API
	}
	mux.HandleFunc("GET /d/{device}", openDevice)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/bureau/", http.StatusFound) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.Handle("GET /readyz", s.checker)
	mux.Handle("GET /metrics", localOnly(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})))
	return textOnly(mux)
}

// textOnly refuses addresses that hold what is no text: PostgreSQL keeps neither U+0000
// nor what is no UTF-8, and asking it for such a thing is an error of its own.
func textOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		if err != nil {
			query = "" // whoever reads the query says what is wrong with it
		}
		if said := r.URL.Path + query; strings.ContainsRune(said, 0) || !utf8.ValidString(said) {
			http.Error(w, "the address holds bytes that are no text: U+0000, or no UTF-8", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// handler builds every face.
func (s *server) handler() (http.Handler, error) {
	faces, err := web.Load(web.Dist(), s.texts)
	if err != nil {
		return nil, err
	}
	scan, err := consumer.New(consumer.Options{
		Records: s.store, Recalls: s.recalls, Key: s.logKey, Policy: s.ledger.Policy(), PublicURL: s.publicURL(), Catalog: s.texts, Photo: s.photos.Public, Cover: s.photos.Cover, Thumb: s.photos.Thumb, Statements: s.store, Notes: s.store, Shipments: s.store, ReportFile: s.papers.Get, Revision: s.store.Revision, Logger: s.log,
		Scans: s.looks, Doors: s.cfg.HTTP.doors(), Complaints: s.complaints,
		Units:        packets{s.units, s.store},
		VerifyScript: func() string { path, _ := faces.Asset("verify/main.ts"); return path },
	})
	if err != nil {
		return nil, err
	}
	printer, err := press.New()
	if err != nil {
		return nil, err
	}
	schemes := label.NewSchemes(s.publicURL()) // known since the server listens
	s.units.Scheme = schemes.Packets()
	s.units.PublicURL, s.told.PublicURL = s.publicURL(), s.publicURL()
	digital := resolver.New(resolver.Options{Registry: s.store, Packets: packets{s.units, s.store}, PublicURL: s.publicURL(), Catalog: s.texts, Logger: s.log})
	machines := api.New(api.Config{
		Sessions: &auth.Sessions{Store: s.store, Invited: s.store}, Accounts: records{s.store}, Door: s.door, Farms: records{s.store}, Operators: s.store, Directory: records{s.store}, GTINs: s.store, Programs: s.store, Companies: s.store, Inputs: s.store, Overrides: overrides{s.store, s.tracer}, Stocks: stocks{s.store, s.tracer}, Devices: records{s.store}, Upkeep: upkeep{s.store, s.registry},
		Units: s.units, Rolls: rolls{s.store, s.units}, Links: s.store, Resolver: digital,
		Lifecycle: s.manager, Claims: s.issuer(), Inventory: records{s.store}, Models: models{s.store, s.registry}, Importer: &device.Importer{Store: s.store},
		KnowsFormat: s.knowsFormat, Commands: s.store, Queue: s.queue,
		Series: series{s.series}, Alerts: records{s.store}, Records: records{s.store}, Recorder: s.tracer, Chain: records{s.store}, Partners: &lineage.Finder{Source: s.store, Packets: s.units, PublicURL: s.publicURL()}, Mover: s.tracer, Shipments: records{s.store}, Shipper: s.tracer, Catalogs: s.catalogs, Photos: s.photos, Quarantine: s.journal, Journal: figures{s.journal},
		History: s.desk, Jobs: records{s.store}, Retentions: retention{s.store, s.series}, Audits: auditDesk{s.store, s.audits.asked},
		Recalls: s.recalls, Recaller: s.recalls, RecallMail: s.recallPost, Hooks: hooks{s.store, s.recallPost.Wake},
		Packages: records{s.store}, Packer: s.packages, Courier: s.courier, Scans: copies{s.store}, Complaints: complaints{s.complaints, s.store, s.album}, Proxies: s.cfg.HTTP.Proxies,
		Once:    &once.Desk{Store: s.store},
		Reports: s.certs, Certifier: s.certs, Samples: records{s.store}, Statements: records{s.store}, ReportFiles: s.papers,
		Mappings: &mapping.Desk{Store: s.store, Changed: s.library.Wake}, Aliases: upkeep{s.store, s.registry},
		Hub: s.hub, Catalog: s.texts, Press: printer, Schemes: schemes, PublicURL: s.publicURL(), Secure: strings.HasPrefix(s.cfg.HTTP.PublicURL, "https://"), Logger: s.log,
	})
	return s.routes(machines, scan, digital, faces), nil
}

// sessions knows who shows a token at /epcis.
func (s *server) sessions() auth.Programs {
	return auth.Programs{Sessions: &auth.Sessions{Store: s.store}, Store: s.store}
}

// partners serves EPCIS 2.0 to their programs.
func (s *server) partners() http.Handler {
	return epcishttp.New(epcishttp.Config{
		Sessions: s.sessions(), Capture: s.events, Events: s.store, Jobs: s.store, Queries: s.store, Subscriptions: s.store, Bell: s.standing,
		Cookie: api.CookieName, PublicURL: s.publicURL(), Logger: s.log,
	})
}

// openDevice is behind the code on a device: it opens the field page there.
func openDevice(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("device")
	if farm.CheckID(id) != nil {
		http.NotFound(w, r)
		return
	}
	http.Redirect(w, r, "/field/#/d/"+url.PathEscape(id), http.StatusFound)
}

// localOnly serves programs on this machine and nobody who came through a proxy.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// listenWeb takes the ports, so that a port in use stops the start.
func (s *server) listenWeb(ctx context.Context) (err error) {
	if s.listener, err = s.listenTo(ctx, s.cfg.HTTP.Addr); err != nil {
		return fmt.Errorf("http.addr: %w", err)
	}
	if s.cfg.HTTP.MetricsAddr == "" {
		return nil
	}
	if s.scraped, err = s.listenTo(ctx, s.cfg.HTTP.MetricsAddr); err != nil {
		return fmt.Errorf("http.metrics_addr: %w", err)
	}
	return nil
}

func (s *server) listenTo(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s.onClose("web", func(context.Context) error {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return ln, nil
}

// serveMetrics serves Prometheus, where it is on another machine.
func (s *server) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return s.serveWeb(ctx, s.scraped, mux)
}

// serveWeb serves until ctx is done and then until open requests are answered.
func (s *server) serveWeb(ctx context.Context, ln net.Listener, handler http.Handler) error {
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends event streams at once
	}
	shut := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			s.log.WarnContext(ctx, "requests were cut off by the stop", "error", err)
			shut <- srv.Close()
			return
		}
		shut <- nil
	})
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http: %w", err)
	}
	return <-shut // Serve returns as soon as Shutdown is called; this waits for its end
}

// publicURL is what codes and labels point at. Where nobody has said, it is an
// address of this machine that a phone on the same network can reach.
func (s *server) publicURL() string {
	if u := s.cfg.HTTP.PublicURL; u != "" {
		return strings.TrimSuffix(u, "/")
	}
	addr := s.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		if ip := lanAddress(); ip != nil {
			return fmt.Sprintf("http://%s:%d", ip, addr.Port)
		}
	}
	return "http://" + dialable(addr.String())
}

// lanAddress returns the first IPv4 address of this machine that others can dial,
// or nil.
func lanAddress() net.IP {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP
		}
	}
	return nil
}

// dialable turns the address of a listener into one that can be dialled here.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	return net.JoinHostPort("localhost", port)
}

// runFile tells other programs of this machine where a running server listens.
const runFile = "run.json"

func (s *server) writeAddresses() error {
	addrs := map[string]any{"pid": os.Getpid(), "http": "http://" + dialable(s.listener.Addr().String()), "influx": s.influxURL}
	if s.broker != nil {
		addrs["mqtt"] = "tcp://" + dialable(s.broker.Addr().String())
		if at := s.broker.TLSAddr(); at != nil {
			addrs["mqtts"] = "ssl://" + dialable(at.String())
		}
	}
	raw, err := json.Marshal(addrs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.cfg.path(runFile), raw, 0o600); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	s.onClose("addresses", func(context.Context) error { return os.Remove(s.cfg.path(runFile)) })
	return nil
}
