package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/trace"
	"tianhai/trace/resolver"
)

// noon is the time at which the tests happen.
var noon = time.Date(2026, 5, 20, 12, 0, 0, 123456000, time.UTC)

// suite is what both databases must do alike. fresh returns the options of a new,
// empty database.
func suite(t *testing.T, fresh func(*testing.T) store.Options) {
	tests := map[string]func(*testing.T, *store.Store){
		"farm":               testFarm,
		"revision":           testRevision,
		"regions":            testRegions,
		"licences":           testLicences,
		"GTINs":              testGTINs,
		"unit codes":         testUnitIssue,
		"roll steps":         testRollSteps,
		"scanned codes":      testScanned,
		"bind race":          testBindRace,
		"activation":         testActivation,
		"activation race":    testActivationRace,
		"guesses":            testGuesses,
		"scans":              testScans,
		"scan alarms":        testScanAlarms,
		"complaints":         testComplaints,
		"each record":        testEachRecord,
		"packages":           testPackages,
		"package orders":     testPackageOrders,
		"packages stale":     testPackagesStale,
		"package jobs":       testPackageJobs,
		"handovers":          testHandovers,
		"EPCIS capture":      testEPCISCapture,
		"EPCIS queries":      testEPCISQueries,
		"EPCIS many":         testEPCISMany,
		"EPCIS jobs":         testEPCISJobs,
		"EPCIS order":        testEPCISOrder,
		"EPCIS standing":     testEPCISStanding,
		"EPCIS vectors":      testEPCISVectors,
		"boundaries":         testBoundaries,
		"odd texts":          testOddTexts,
		"devices":            testDevices,
		"installations":      testInstallations,
		"calibrations":       testCalibrations,
		"life cycle":         testLifeCycle,
		"secrets":            testSecrets,
		"claims":             testClaims,
		"claim codes":        testClaimCodes,
		"models":             testModels,
		"device pages":       testDevicePages,
		"import":             testImport,
		"claim race":         testClaimRace,
		"command queue":      testCommandQueue,
		"cancelled command":  testCancelCommand,
		"mappings":           testMappings,
		"aliases":            testAliases,
		"presence":           testPresence,
		"commands":           testCommands,
		"alerts":             testAlerts,
		"alert filters":      testAlertFilters,
		"notices":            testNotices,
		"operations":         testOperations,
		"batches":            testBatches,
		"sealing":            testSealing,
		"cosigning":          testCosigning,
		"logs":               testLogs,
		"audits":             testAudits,
		"personal":           testPersonal,
		"erase account":      testEraseAccount,
		"erase text":         testEraseText,
		"append only":        testAppendOnly,
		"retention":          testRetention,
		"tenants apart":      testTenantsApart,
		"accounts":           testAccounts,
		"managed accounts":   testManagedAccounts,
		"invitations":        testInvitations,
		"sessions":           testSessions,
		"programs":           testPrograms,
		"company prefixes":   testCompanies,
		"answers":            testOnce,
		"answer race":        testOnceRace,
		"pages":              testPages,
		"report pages":       testReportPages,
		"corrected reports":  testCorrectedElsewhere,
		"certificate pages":  testCertificatePages,
		"lot pages":          testLotPages,
		"lot use pages":      testLotUsePages,
		"sample pages":       testSamplePages,
		"override pages":     testOverridePages,
		"late use pages":     testLateUsePages,
		"audit pages":        testAuditPages,
		"concurrent writers": testConcurrentWriters,
		"jobs":               testJobs,
		"job limits":         testJobLimits,
		"mends":              testMends,
		"catalogs":           testCatalogs,
		"photos":             testPhotos,
		"inputs":             testInputs,
		"draws":              testDraws,
		"draw race":          testDrawRace,
		"stock balance":      testStockBalance,
		"histories":          testHistories,
		"overrides":          testOverrides,
		"versions":           testVersions,
		"late uses":          testLateUses,
		"two phones":         testTwoPhones,
		"own bans":           testOwnBans,
		"write-offs":         testWriteOffs,
		"recalls":            testRecalls,
		"recall course":      testRecallCourse,
		"recall regains":     testRecallRegains,
		"recall erased":      testRecallErased,
		"recall of lots":     testRecallOfLots,
		"recall race":        testRecallRace,
		"recall lists":       testRecallLists,
		"recall notices":     testRecallNotices,
		"recall histories":   testRecallHistories,
		"movements":          testMovements,
		"told as events":     testTold,
		"captured lineage":   testLineage,
		"captured packets":   testLineagePackets,
		"lineage naive":      testLineageNaive,
		"voids of movements": testVoids,
		"handover":           testHandover,
		"directory":          testFindTenants,
		"movement race":      testMovementRace,
		"genealogies":        testGenealogies,
		"movements stay":     testMovementsStay,
		"carriages":          testCarriages,
		"shipments":          testShipments,
		"shipments stay":     testShipmentsStay,
		"chain histories":    testChainHistories,
		"chain gates":        testChainGates,
		"sale moved":         testSaleMoved,
		"whole histories":    testSomeLives,

		"looks leave pages": testLooksLeavePages,

		"reports":                testReports,
		"samples":                testSamples,
		"report files":           testReportFiles,
		"certificates":           testCertificates,
		"certificates and tests": testCertificateNeedsTests,
		"certificate race":       testCertificateRace,
		"certificate moved":      testCertificateMoved,
		"re-issue":               testReissue,
		"certificate histories":  testCertificateHistories,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opt := fresh(t)
			opt.Now = func() time.Time { return noon }
			test(t, open(t, opt))
		})
	}
	t.Run("revision by another process", func(t *testing.T) {
		opt := fresh(t)
		first, second := open(t, opt), open(t, opt)
		before, err := first.Revision(t.Context())
		check(t, err)
		seed(t, second)
		after, err := first.Revision(t.Context())
		check(t, err)
		if after == before {
			t.Errorf("the revision is still %q", after)
		}
	})
	t.Run("open again", func(t *testing.T) {
		opt := fresh(t)
		first := open(t, opt)
		seed(t, first)
		check(t, first.Close())
		second := open(t, opt)
		if got, err := second.Tenants(t.Context()); err != nil || len(got) != 2 {
			t.Errorf("after opening again: %d tenants, %v; want 2", len(got), err)
		}
		check(t, second.Ping(t.Context()))
	})
}

// TestSQLite runs the suite on copies of one empty database: to make a new one each
// time would take longer than most of the tests.
func TestSQLite(t *testing.T) {
	dir := t.TempDir()
	empty, err := store.Open(t.Context(), store.Options{Dir: dir})
	check(t, err)
	check(t, empty.Close())
	made, err := os.ReadFile(filepath.Join(dir, "tianhai.db"))
	check(t, err)
	suite(t, func(t *testing.T) store.Options {
		// A name that a careless URL would cut short.
		file := filepath.Join(t.TempDir(), "a?b=c&d#e %41.db")
		check(t, os.WriteFile(file, made, 0o600))
		return store.Options{DSN: "sqlite:" + file}
	})
}

func TestSQLiteFile(t *testing.T) {
	dir := t.TempDir()
	open(t, store.Options{Dir: dir})
	info, err := os.Stat(filepath.Join(dir, "tianhai.db"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file with the passwords has mode %o, want 600", got)
	}
}

func TestOpenErrors(t *testing.T) {
	const secret = "hunter2"
	tests := map[string]string{
		"no scheme":        "user:" + secret + "@localhost/x",
		"other database":   "mysql://root:" + secret + "@localhost/x",
		"unparsable":       "postgres://user:" + secret + "@localhost:port/x",
		"unparsable again": "postgres://user:" + secret + "%zz@localhost/x",
		"bad option":       "postgres://user:" + secret + "@localhost/x?connect_timeout=soon&password=" + secret,
		"words":            "postgres:host=localhost password = " + secret + " 'x",
		"nobody there":     "postgres://user:" + secret + "@127.0.0.1:1/x?sslmode=disable",
		"no directory":     "sqlite:" + filepath.Join(t.TempDir(), "missing", "x.db"),
	}
	for name, dsn := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Options{DSN: dsn})
			if err == nil {
				t.Fatal("opened", errors.Join(s.Close()))
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// open opens a database for the length of the test.
func open(t *testing.T, opt store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr fails the test unless err wraps want.
func wantErr(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", doing, err, want)
	}
}

// equal fails the test unless got, as a call returned it, is want.
func equal[T any](t *testing.T, doing string, want T) func(got T, err error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", doing, err)
		} else if diff := cmp.Diff(want, got, cmp.AllowUnexported(resolver.Item{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doing, diff)
		}
	}
}

// The things that most tests begin with: two tenants, each with a site and a
// device that stands there.
var (
	oysters   = farm.Tenant{ID: "oysters", Name: farm.Text{Zh: "钦州湾牡蛎合作社", En: "Oyster co-operative"}, CreditCode: "93450700MA5XXXXX0A", Phone: "0777-0000000", Region: "450700"}
	tea       = farm.Tenant{ID: "tea", Name: farm.Text{Zh: "六堡茶厂"}, Region: "450400"}
	raft      = farm.Site{ID: "raft-1", Tenant: "oysters", Region: "450702", Kind: farm.Raft, Name: farm.Text{Zh: "一号排"}, Town: farm.Text{Zh: "龙门港镇"}, Latitude: 21.7301234567, Longitude: 108.5501, Area: 3.5}
	raft2     = farm.Site{ID: "raft-2", Tenant: "oysters", Region: "450521", Kind: farm.Raft, Name: farm.Text{Zh: "二号排"}}
	garden    = farm.Site{ID: "garden-1", Tenant: "tea", Region: "450406", Kind: farm.Garden, Name: farm.Text{Zh: "茶园"}}
	station   = device.Model{ID: "station", Name: farm.Text{Zh: "水质站"}, Format: "json", Interval: 10 * time.Second, Channels: []device.Channel{{Key: "t", Quantity: "water.temperature", Slope: 0.1, Limits: farm.Range{Min: -2, Max: 40}}, {Key: "s", Quantity: "water.salinity"}}, Commands: []string{"wipe"}}
	buoy      = device.Device{ID: "buoy-1", Tenant: "oysters", Model: "station", Name: farm.Text{Zh: "浮标"}, SecretHash: []byte{0, 1, 0xff}, Created: noon, State: device.Claimed}
	leaf      = device.Device{ID: "leaf-1", Tenant: "tea", Model: "station", Name: farm.Text{Zh: "茶园站"}, SecretHash: []byte{2}, Created: noon, State: device.Claimed}
	liubao    = trace.Product{ID: "liubao", Kind: trace.Tea, Name: farm.Text{Zh: "六堡茶", En: "Liubao tea"}}
	yesterday = noon.Add(-24 * time.Hour)
)

func seed(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	for _, do := range []error{
		s.CreateTenant(ctx, oysters), s.CreateTenant(ctx, tea),
		s.CreateSite(ctx, raft), s.CreateSite(ctx, raft2), s.CreateSite(ctx, garden),
		s.PutModel(ctx, device.ModelChange{At: yesterday, Account: "admin", Model: station}),
		s.CreateDevice(ctx, buoy), s.CreateDevice(ctx, leaf),
		s.Install(ctx, device.Installation{Device: "buoy-1", Site: "raft-1", From: yesterday}),
		s.Install(ctx, device.Installation{Device: "leaf-1", Site: "garden-1", From: yesterday}),
		s.PutProduct(ctx, liubao),
	} {
		check(t, do)
	}
}

func testFarm(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	equal(t, "tenant", oysters)(s.Tenant(ctx, "oysters"))
	equal(t, "tenants", []farm.Tenant{oysters, tea})(s.Tenants(ctx))
	equal(t, "site", raft)(s.Site(ctx, "raft-1"))
	equal(t, "sites of a tenant", []farm.Site{raft, raft2})(s.Sites(ctx, store.SiteFilter{Tenant: "oysters"}))
	equal(t, "sites of nobody", []farm.Site{})(s.Sites(ctx, store.SiteFilter{Tenant: "nobody"}))
	equal(t, "products", []trace.Product{liubao})(s.Products(ctx))
	equal(t, "product", liubao)(s.Product(ctx, "liubao"))

	wantErr(t, "tenant again", s.CreateTenant(ctx, oysters), farm.ErrConflict)
	wantErr(t, "site again", s.CreateSite(ctx, raft), farm.ErrConflict)
	orphan := raft
	orphan.ID, orphan.Tenant = "raft-3", "nobody"
	wantErr(t, "site of nobody", s.CreateSite(ctx, orphan), farm.ErrNotFound)
	_, err := s.Tenant(ctx, "nobody")
	wantErr(t, "unknown tenant", err, farm.ErrNotFound)
	_, err = s.Site(ctx, "nowhere")
	wantErr(t, "unknown site", err, farm.ErrNotFound)
	_, err = s.Product(ctx, "nothing")
	wantErr(t, "unknown product", err, farm.ErrNotFound)
}

// The database's idea of "lies within" is farm's.
func testRegions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	check(t, s.CreateTenant(ctx, oysters))
	inner := []string{"450000", "450700", "450702", "450521", "450500", "451000", "440100", "4507", "", "450720000000"}
	for i, code := range inner {
		check(t, s.CreateSite(ctx, farm.Site{ID: string(rune('a' + i)), Tenant: "oysters", Region: code}))
	}
	for _, outer := range []string{"450000", "450700", "450702", "451000", "450100", "000000", "4507", "45%000", "______", "450700'"} {
		var want []string
		for _, code := range inner {
			if farm.RegionContains(outer, code) {
				want = append(want, code)
			}
		}
		sites, err := s.Sites(ctx, store.SiteFilter{Region: outer})
		check(t, err)
		var got []string
		for _, site := range sites {
			got = append(got, site.Region)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("within %q (-want +got):\n%s", outer, diff)
		}
	}
}

// Whatever people write is kept as written, and never read as SQL.
func testOddTexts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i, text := range []string{`'; DROP TABLE tenants; --`, `\'; \\ \x00`, "?", "?0 ?name", "$1 :a @b", "\"\n\r\t\x01", "😀𠀀", "%_", "{}", "null"} {
		want := farm.Tenant{ID: string(rune('a' + i)), Name: farm.Text{Zh: text}, Phone: text, Region: "450000"}
		check(t, s.CreateTenant(ctx, want))
		equal(t, text, want)(s.Tenant(ctx, want.ID))
	}
	_, err := s.Tenant(ctx, "a' OR '1'='1")
	wantErr(t, "injection", err, farm.ErrNotFound)
	if err := s.CreateTenant(ctx, farm.Tenant{ID: "nul", Phone: "a\x00b"}); err == nil {
		t.Error("took a text that PostgreSQL cannot keep")
	}
}

// A write that is interrupted half-way leaves nothing.
func TestCanceled(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.CreateTenant(ctx, oysters); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	equal(t, "tenants", []farm.Tenant{})(s.Tenants(t.Context()))
	check(t, s.CreateTenant(t.Context(), oysters))
}
