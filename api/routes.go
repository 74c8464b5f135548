package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

const prefix = "/api/v1"

// A route answers one method on one path. Unless it is open, it is reached only
// with a session.
type route struct {
	method, path string
	handler      func(*gin.Context) error
	open         bool
}

// routes lists every route there is.
func (s *server) routes() []route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	return []route{
		{post, "/session", s.login, true},
		{get, "/session", s.whoami, false},
		{del, "/session", s.logout, false},

		{get, "/vocabulary", s.vocabulary, false},

		{get, "/tenants/:id", s.getTenant, false},
		{get, "/tenants/:id/licences", s.listLicences, false},
		{post, "/tenants/:id/licences", s.addLicence, false},
		{get, "/tenants/:id/lots", s.listLots, false},
		{post, "/tenants/:id/lots", s.addLot, false},

		{get, "/inputs", s.listInputs, false},
		{put, "/inputs/:id", s.putInput, false},
		{get, "/bans", s.listBans, false},

		{get, "/sites", s.listSites, false},
		{get, "/sites/:id", s.getSite, false},
		{"PUT", "/sites/:id/boundary", s.setBoundary, false},
		{get, "/sites/:id/series", s.getSeries, false},
		{get, "/sites/:id/operations", s.listOperations, false},
		{post, "/sites/:id/operations", s.addOperation, false},
		{get, "/sites/:id/gates", s.showGates, false},
		{post, "/sites/:id/overrides", s.askOverride, false},

		{get, "/overrides", s.listOverrides, false},
		{post, "/overrides/:id/decision", s.decideOverride, false},
		{get, "/late-uses", s.listLateUses, false},

		{post, "/operations", s.addOperations, false},
		{post, photosPath, s.addPhoto, false},
		{get, photosPath + "/:id", s.getPhoto, false},
		{get, photosPath + "/:id/facts", s.getPhotoFacts, false},
		{get, "/tenants/:id/photos", s.showPhotoUse, false},
		{get, "/catalog", s.getCatalog, false},
		{put, "/catalog", s.saveCatalog, false},
		{get, "/catalog/document", s.getDocument, false},

		{get, "/models", s.listModels, false},
		{put, "/models/:id", s.putModel, false},
		{get, "/models/:id/changes", s.listModelChanges, false},

		{get, "/devices", s.listDevices, false},
		{post, "/devices", s.issueDevices, false},
		{post, "/devices/import", s.importDevices, false},
		{get, "/devices/labels", s.listLabels, false},
		{get, "/devices/:id", s.getDevice, false},
		{get, "/devices/:id/claim", s.offer, false},
		{post, "/devices/:id/claim", s.claim, false},
		{post, "/devices/:id/claim-code", s.reissueClaim, false},
		{post, "/devices/:id/state", s.setState, false},
		{post, "/devices/:id/secret", s.rotateSecret, false},
		{del, "/devices/:id/secret", s.revokeSecret, false},
		{get, "/devices/:id/events", s.listEvents, false},
		{get, "/devices/:id/aliases", s.listAliases, false},
		{post, "/devices/:id/aliases", s.addAlias, false},
		{del, "/devices/:id/aliases", s.deleteAlias, false},
		{get, "/devices/:id/calibrations", s.listCalibrations, false},
		{post, "/devices/:id/calibrations", s.addCalibration, false},
		{get, "/devices/:id/installations", s.listInstallations, false},
		{post, "/devices/:id/installations", s.install, false},
		{get, "/devices/:id/commands", s.listCommands, false},
		{post, "/devices/:id/commands", s.sendCommand, false},
		{del, "/devices/:id/commands/:command", s.cancelCommand, false},

		{get, "/alerts", s.listAlerts, false},
		{get, "/live", s.live, false},

		{get, "/products", s.listProducts, false},
		{get, "/batches", s.listBatches, false},
		{post, "/batches", s.openBatch, false},
		{get, "/batches/:id", s.getBatch, false},
		{post, "/batches/:id/close", s.closeBatch, false},
		{get, "/batches/:id/genealogy", s.showGenealogy, false},
		{get, "/batches/:id/genealogy.svg", s.drawGenealogy, false},
		{get, "/movements", s.listMovements, false},
		{post, "/movements", s.addMovement, false},
		{del, "/movements/:id/buyer", s.eraseBuyer, false},

		{get, "/batches/:id/reports", s.listBatchReports, false},
		{post, "/batches/:id/reports", s.addReport, false},
		{post, reportFilesPath, s.addReportFile, false},
		{get, "/batches/:id/samples", s.listBatchSamples, false},
		{post, "/batches/:id/samples", s.addSample, false},
		{get, "/reports", s.listReports, false},
		{get, "/reports/:id", s.getReport, false},
		{get, "/reports/:id/file", s.getReportFile, false},
		{post, "/reports/:id/void", s.voidReport, false},
		{get, "/samples", s.listSamples, false},
		{get, "/laboratories", s.listLaboratories, false},
		{get, "/batches/:id/certificates", s.listBatchCertificates, false},
		{post, "/batches/:id/certificates", s.issueCertificate, false},
		{post, "/batches/:id/certificates/preview", s.previewCertificate, false},
		{get, "/certificates", s.listCertificates, false},
		{get, "/certificates/due", s.listDue, false},
		{get, "/certificates/:id", s.getCertificate, false},
		{get, "/certificates/:id/print", s.printCertificate, false},
		{post, "/certificates/:id/void", s.voidCertificate, false},

		{get, "/audits", s.listAudits, false},
		{post, "/audits", s.startAudit, false},

		{get, "/retentions", s.listRetentions, false},
		{put, "/retentions", s.setRetention, false},
		{del, "/retentions", s.clearRetention, false},
		{get, "/retentions/preview", s.previewRetention, false},

		{get, "/quarantine", s.listQuarantine, false},
		{get, "/journal", s.showJournal, false},
		{post, backfillsPath, s.backfill, false},
		{post, "/history/replays", s.replay, false},
		{get, "/history/jobs", s.listJobs, false},
		{get, "/history/jobs/:id", s.getJob, false},
		{del, "/history/jobs/:id", s.cancelJob, false},

		{get, "/mappings", s.listMappings, false},
		{post, "/mappings", s.saveMapping, false},
		{post, "/mappings/try", s.tryMapping, false},
		{get, "/mappings/:id", s.getMapping, false},
		{del, "/mappings/:id", s.deleteMapping, false},
	}
}
