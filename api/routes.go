package api

import (
	"net/http"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/mapping"
	"tianhai/table"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/input"
	"tianhai/trace/photo"
	"tianhai/trace/resolver"
	"tianhai/trace/scan"
	"tianhai/trace/unit"
)

// routes lists every route there is. What stands here is what /openapi.json and
// docs/api.md tell, and what the tests hold every answer against.
func (s *server) routes() []route {
	const post, put, del = http.MethodPost, http.MethodPut, http.MethodDelete
	const when = "an RFC 3339 time"
	devices := lists(s, "/devices", "Devices by ID; issued ones, to administrators, have another form.", s.placed()).
		asks("site", "where they stand now").asks("model", "of this model").asks("state", "issued, claimed, active, suspended or retired").
		asks("online", "true or false").asks("text", "in ID or name")
	devices = devices.or(typeOf[issuedView]())
	devices.handler = s.listDevices
	return []route{
		get[any]("/openapi.json", s.describe, "This description.").openly(),

		takes[loginRequest, auth.Principal](post, "/session", s.login, "Signs in; the session comes as a cookie.").openly(),
		get[auth.Principal]("/session", s.whoami, "Who is asking."),
		takes[none, none](del, "/session", s.logout, "Signs out.").guarding(alone),

		takes[acceptRequest, auth.Principal](post, "/session/invitation", s.accept, "Sets the password of who was invited, and signs in.").openly(),

		lists(s, "/accounts", "Accounts that the caller manages, by login.", s.listAccounts()),
		takes[addAccountRequest, invitedView](post, "/accounts", s.addAccount, "Adds an account, with a code to be handed to its person."),
		get[accountView]("/accounts/:id", s.getAccount, "An account; everybody reads the own one."),
		takes[editAccountRequest, accountView](put, "/accounts/:id", s.editAccount, "Changes name, role or place, or disables and enables."),
		takes[none, invitationView](post, "/accounts/:id/invitation", s.inviteAccount, "Makes another code; the password counts no more."),
		takes[none, none](del, "/accounts/:id/sessions", s.endSessions, "Signs a person out everywhere.").guarding(alone),

		get[vocabularyView]("/vocabulary", s.vocabulary, "Quantities, kinds of site and regions, with their names."),

		get[operatorList]("/operators", s.findOperators, "Operators by name, credit code or ID, to hand goods over to: at most 20, 30 times a minute, and of each what is public.").
			asks("q", "2 to 60 characters; natural persons by their whole name or ID").asks("region", "GB/T 2260"),
		get[farm.Tenant]("/tenants/:id", s.getTenant, "An operator."),
		lists(s, "/tenants/:id/licences", "An operator's licences, those that expire first first.", s.listLicences()),
		takes[addLicenceRequest, farm.Licence](post, "/tenants/:id/licences", s.addLicence, "Adds a licence."),
		lists(s, "/tenants/:id/gtins", "GTINs that an operator holds.", s.listGTINs()),
		takes[addGTINRequest, resolver.Holding](post, "/tenants/:id/gtins", s.addGTIN, "Enters a GTIN that GS1 gave an operator; docs/labels.md."),
		lists(s, "/gtins/:id/links", "Where a GTIN leads, the links added first first.", s.listLinks()),
		takes[addLinkRequest, resolver.Link](post, "/gtins/:id/links", s.addLink, "Adds a link of a GTIN, under the client's ULID."),
		takes[changeLinkRequest, resolver.Link](put, "/gtins/:id/links/:link", s.changeLink, "Changes a link of a GTIN.").guarding("/gtins/:id/links"),
		takes[none, none](del, "/gtins/:id/links/:link", s.deleteLink, "Takes a link of a GTIN away.").guarding("/gtins/:id/links"),
		lists(s, "/tenants/:id/company-prefixes", "GS1 company prefixes that an operator stated.", s.listCompanies()),
		takes[stateCompanyRequest, resolver.Company](post, "/tenants/:id/company-prefixes", s.stateCompany, "States a GS1 company prefix, of 6 to 12 digits, so that keys can be EPC URNs; docs/epcis.md."),
		takes[none, none](del, "/tenants/:id/company-prefixes/:prefix", s.dropCompany, "Takes a company prefix back.").guarding("/tenants/:id/company-prefixes"),
		get[resolver.Lead]("/gtins/:id/scan", s.previewScan, "Where whoever scans a GTIN is sent: one link, or several to choose from, or none.").
			asks("lot", "AI 10").asks("serial", "AI 21").asks("linkType", "such as gs1:recipeInfo; without it what is shown first").asks("languages", "as Accept-Language has them").asks("context", "as links have it"),
		lists(s, "/tenants/:id/programs", "An operator's programs that show a token at /epcis, those added first first.", s.listPrograms()),
		takes[addProgramRequest, addedProgramView](post, "/tenants/:id/programs", s.addProgram, "Adds a program, with the token that it shows; docs/epcis.md."),
		takes[none, none](del, "/tenants/:id/programs/:program", s.deleteProgram, "Takes a program away; its token is good no more.").guarding("/tenants/:id/programs"),
		lists(s, "/tenants/:id/rolls", "Rolls of unit codes, those issued last first.", s.listRolls()),
		takes[issueRollRequest, unit.Roll](post, "/tenants/:id/rolls", s.issueRoll, "Issues codes of single packets by the roll, under the client's ULID; docs/labels.md."),
		get[unit.Tally]("/rolls/:id", s.getRoll, "A roll: what has become of its codes, and the counts."),
		takes[rollStepRequest, unit.Step](post, "/rolls/:id/steps", s.addRollStep, "Says what was done with codes of a roll, under the client's ULID."),
		get[none](rollLabelsPath, s.printRoll, "Labels of a roll's codes that were printed, as a file.").asksPrint().asks("first", "number of the first").asks("last", "number of the last").asks("specimen", "true: one that is the code of nothing"),
		get[none](rollCodesPath, s.exportCodes, "Codes of a roll that were printed, for a print shop.").also("text/csv").asks("first", "number of the first").asks("last", "number of the last"),
		get[unitView]("/units/:id", s.getUnit, "What a unit code stands for."),
		lists(s, "/tenants/:id/lots", "Lots of inputs bought, and what is left of each.", s.listLots()),
		takes[addLotRequest, input.Stock](post, "/tenants/:id/lots", s.addLot, "Adds a lot that was bought."),
		takes[none, tableView](post, "/tenants/:id/lots/import", s.importLots, "Adds the lots of a file, all or none.").file(tableFiles()...).asks("dry_run", "true only checks"),
		lists(s, "/tenants/:id/lots/:lot/uses", "What was taken from a lot, the last first.", s.listLotUses()),
		takes[writeOffRequest, input.WriteOff](post, "/tenants/:id/lots/:lot/write-offs", s.writeOff, "Writes off an amount of a lot, for a reason."),

		lists(s, "/inputs", "Registered inputs with their labels.", s.listInputs()),
		get[input.Product]("/inputs/:id", s.getInput, "One registered input as it is now."),
		takes[input.Product, input.Product](put, "/inputs/:id", s.putInput, "Adds an input, or another version of it."),
		takes[none, tableView](post, "/inputs/import", s.importInputs, "Adds the inputs of a file with their labels, all or none.").file(tableFiles()...).asks("dry_run", "true only checks"),
		lists(s, "/bans", "Banned substances with their sources.", s.listBans()),
		takes[addBanRequest, banView](post, "/bans", s.addBan, "Adds a banned substance, or lifts one that was added."),

		lists(s, "/sites", "Sites with what is known of them now.", s.listSites()),
		takes[addSiteRequest, farm.Site](post, "/sites", s.addSite, "Adds a site."),
		get[siteDetail]("/sites/:id", s.getSite, "A site, its devices and latest values."),
		get[boundaryView]("/sites/:id/boundary", s.getBoundary, "A site's boundary and its area."),
		takes[setBoundaryRequest, farm.Site](put, "/sites/:id/boundary", s.setBoundary, "Sets a site's boundary, or takes it back with null."),
		get[seriesView]("/sites/:id/series", s.getSeries, "One quantity at a site over a period.").
			asks("quantity", "of the vocabulary").asks("from", when).asks("to", when).asks("points", "at most so many"),
		lists(s, "/sites/:id/operations", "Operations of a site, oldest first.", s.listOperations()).asks("from", when).asks("to", when),
		takes[operationRequest, trace.Operation](post, "/sites/:id/operations", s.addOperation, "Records an operation, under the client's ULID."),
		get[gatesView]("/sites/:id/gates", s.showGates, "Whether an act may be on a site, and why not.").
			asks("act", "harvest, catch, collect, exit, slaughter, sale or certificate").asks("product", "of which").asks("at", when).
			asks("quarantine", "number of the quarantine certificate").asks("batch", "of the site, instead of all that grows there"),
		takes[askOverrideRequest, trace.Override](post, "/sites/:id/overrides", s.askOverride, "Asks to be allowed what a gate refuses, under the client's ULID."),
		lists(s, "/overrides", "What was asked to be allowed, and decided.", s.listOverrides()).asks("state", "open: those that nobody has decided"),
		takes[decideOverrideRequest, trace.Override](post, "/overrides/:id/decision", s.decideOverride, "Allows or declines."),
		lists(s, "/late-uses", "Inputs recorded after the harvest that they concern.", s.listLateUses()),

		lists(s, "/scan-alarms", "Codes that look like copies, and why; those raised last first.", s.listScanAlarms()).
			asks("state", "open: those that nobody has acknowledged; or acknowledged").asks("batch", "only of it").asks("from", when).asks("to", when),
		takes[acknowledgeRequest, scan.Alarm](post, "/scan-alarms/:id/acknowledge", s.acknowledgeScanAlarm, "Acknowledges an alarm, with what was found."),
		get[marketsView]("/tenants/:id/markets", s.getMarkets, "Where an operator says that its products are sold."),
		takes[marketsView, marketsView](put, "/tenants/:id/markets", s.putMarkets, "Sets where an operator's products are sold."),
		lists(s, "/complaints", "What consumers complain of, the latest first.", s.listComplaints()).
			asks("state", "open: those that are not closed; or received, answered or closed").asks("batch", "only of it").asks("from", when).asks("to", when),
		get[complaintView]("/complaints/:id", s.getComplaint, "A complaint and its answers."),
		get[none]("/complaints/:id/photo", s.getComplaintPhoto, "The picture of a complaint.").also("image/jpeg"),
		takes[answerRequest, complaintView](post, "/complaints/:id/answers", s.answerComplaint, "Answers a complaint, under the client's ULID."),
		takes[none, none](del, "/complaints/:id/phone", s.eraseComplaintPhone, "Erases the telephone number of a complaint.").guarding(alone),

		lists(s, "/packages", "Packages of operators' records for platforms, those ordered last first.", s.listPackages()).asks("tenant", "of one operator"),
		lists(s, "/packages/operators", "Operators of whom the caller may have packages, by ID.", s.listPackageOperators()).asks("text", "in the name, or the ID"),
		get[packagePreview]("/packages/preview", s.previewPackage, "How many records a package would hold now, by kind.").
			asks("tenant", "the operator; a manager's own where absent").asks("first", "day in Beijing").asks("last", "day in Beijing, included"),
		takes[orderPackageRequest, packageView](post, "/packages", s.orderPackage, "Orders a package of an operator's records of some days, under the client's ULID."),
		get[packageView]("/packages/:id", s.getPackage, "A package, and how far it is."),
		takes[none, none](del, "/packages/:id", s.cancelPackage, "Calls a package off, or deletes its files.").guarding(alone),
		takes[handOverRequest, packageView](post, "/packages/:id/handover", s.handOverPackage, "Hands a file of a package over to the platform, until that acknowledges or refuses it."),
		get[any](packageFilePath, s.getPackageFile, "A file of a package: json, as /schemas/package-v2.schema.json describes it, or xlsx.").also(table.XLSXType),

		lists(s, "/recalls", "Recalls that began with one's farm or region, or that it holds something of; those opened last first.", s.listRecalls()).
			asks("state", "open: those that are not closed"),
		takes[openRecallRequest, recallView](post, "/recalls", s.openRecall, "Opens a recall, under the client's ULID: its codes are red from now on."),
		takes[previewRecallRequest, recallPlan](post, "/recalls/preview", s.previewRecall, "What a recall would be of; changes nothing."),
		get[recallView]("/recalls/:id", s.showRecall, "A recall: what is in it, who has it, what has become of it."),
		lists(s, "/recalls/:id/holdings", "Who has what of a recall.", s.listHoldings()),
		lists(s, "/recalls/:id/tally", "What became of all that is recalled: the sum in each measure, then by holder.", s.listTally()),
		lists(s, "/recalls/:id/captured", "What operators captured over EPCIS of what is recalled, the nearest first; docs/epcis.md.", s.listRecalled()),
		takes[none, recallView](post, "/recalls/:id/notices", s.retryRecall, "Tries at once every notice of a recall that was not delivered, given up or not."),
		takes[widenRecallRequest, recallView](post, "/recalls/:id/widen", s.widenRecall, "Takes more into a recall, for a reason."),
		takes[narrowRecallRequest, recallView](post, "/recalls/:id/narrow", s.narrowRecall, "Clears batches, and what was made of them alone, for a reason."),
		takes[reportRecallRequest, recallView](post, "/recalls/:id/progress", s.reportRecall, "Records what has become of a holding."),
		takes[closeRecallRequest, recallView](post, "/recalls/:id/close", s.closeRecall, "Closes a recall, with a reason where something is missing."),
		get[hookView]("/tenants/:id/recall-hook", s.getHook, "Where an operator is told of recalls."),
		takes[putHookRequest, hookView](put, "/tenants/:id/recall-hook", s.putHook, "Sets where an operator is told of recalls, with a new key."),
		takes[none, none](del, "/tenants/:id/recall-hook", s.deleteHook, "Forgets where an operator was told of recalls."),

		takes[addOperationsRequest, outcomesView](post, "/operations", s.addOperations, "Records operations of any sites, each by itself."),
		takes[none, photoFacts](post, photosPath, s.addPhoto, "Keeps a picture for a site's records.").file("image/jpeg", "image/png", "image/webp").asks("site", "for which"),
		get[none](photosPath+"/:id", s.getPhoto, "A picture by its hash.").also("image/jpeg", "image/png", "image/webp"),
		get[operationPhotos](photosPath+"/:id/facts", s.getPhotoFacts, "What is known of a picture, by each upload."),
		get[photo.Use]("/tenants/:id/photos", s.showPhotoUse, "How much room an operator's pictures take."),
		get[catalog.Catalog]("/catalog", s.getCatalog, "What has to be said of an operation.").asks("version", "another than the one in force"),
		takes[saveCatalogRequest, catalog.Version](put, "/catalog", s.saveCatalog, "Saves another version of the catalog.").guarding("/catalog/document"),
		get[documentView]("/catalog/document", s.getDocument, "The catalog as a document to edit, and its versions.").asks("version", "another than the newest"),

		lists(s, "/models", "Models of devices.", s.listModels()),
		get[modelView]("/models/:id", s.getModel, "One model."),
		takes[putModelRequest, modelView](put, "/models/:id", s.putModel, "Adds a model or replaces it."),
		lists(s, "/models/:id/changes", "What a model was, newest first.", s.listModelChanges()),

		devices,
		takes[issueDevicesRequest, issuedLabels](post, "/devices", s.issueDevices, "Makes devices that nobody owns, with labels.").file("application/x-www-form-urlencoded").also("text/html"),
		takes[none, importView](post, "/devices/import", s.importDevices, "Registers the devices of a file, all or none.").file("text/csv").asks("dry_run", "true only checks"),
		get[none](deviceLabelsPath, s.listLabels, "Labels to print: a page, or with format a file.").also("text/html").asks("id", "of a device; several times").asksPrint(),
		get[deviceView]("/devices/:id", s.getDevice, "A device, its place and latest values."),
		get[offerView]("/devices/:id/claim", s.offer, "What a device is that can be claimed."),
		takes[claimRequest, claimedView](post, "/devices/:id/claim", s.claim, "Claims a device by the code on its label."),
		takes[reissueClaimRequest, claimCodeView](post, "/devices/:id/claim-code", s.reissueClaim, "Makes another claim code.").file("application/x-www-form-urlencoded").also("text/html"),
		takes[setStateRequest, none](post, "/devices/:id/state", s.setState, "Suspends, resumes or retires a device."),
		takes[rotateSecretRequest, secretView](post, "/devices/:id/secret", s.rotateSecret, "Gives a device another secret."),
		takes[none, none](del, "/devices/:id/secret", s.revokeSecret, "Makes a device's secrets worthless.").guarding(alone),
		lists(s, "/devices/:id/events", "What became of a device, oldest first.", s.listEvents()),
		lists(s, "/devices/:id/aliases", "By what others know a device.", s.listAliases()),
		takes[addAliasRequest, device.Alias](post, "/devices/:id/aliases", s.addAlias, "Adds a name."),
		takes[none, none](del, "/devices/:id/aliases", s.deleteAlias, "Takes a name away.").asks("alias", "which"),
		lists(s, "/devices/:id/calibrations", "Calibrations, oldest first.", s.listCalibrations()),
		takes[addCalibrationRequest, device.Calibration](post, "/devices/:id/calibrations", s.addCalibration, "Adds a calibration."),
		lists(s, "/devices/:id/installations", "Where a device stood, oldest first.", s.listInstallations()),
		takes[installRequest, device.Installation](post, "/devices/:id/installations", s.install, "Moves a device to a site."),
		lists(s, "/devices/:id/commands", "Commands, newest first.", s.listCommands()),
		takes[sendCommandRequest, device.CommandRecord](post, "/devices/:id/commands", s.sendCommand, "Sends a command, as soon as the device listens."),
		takes[none, none](del, "/devices/:id/commands/:command", s.cancelCommand, "Takes back a command that was not sent.").guarding(alone),

		takes[none, importedFile](post, importsPath, s.importList, "Adds what a file lists: accounts, sites, licences, batches or operations.").file("text/csv", table.XLSXType, "multipart/form-data").
			also("application/x-ndjson").asks("dry_run", "true only checks"),

		lists(s, "/alerts", "Alerts, newest first.", s.listAlerts()).asks("state", "pending, firing or resolved; firing where nothing is said"),
		get[none](livePath, s.live, "What happens, as it happens.").also("text/event-stream").asks("site", "only there").asks("device", "only of it"),

		lists(s, "/products", "What batches are of.", s.listProducts()),
		lists(s, "/batches", "Batches, newest first, and what is left of each.", s.listBatches()).asks("stock", "true: of which something is left"),
		takes[openBatchRequest, trace.Batch](post, "/batches", s.openBatch, "Opens a batch."),
		get[batchDetail]("/batches/:id", s.getBatch, "A batch and what is left of it."),
		takes[none, trace.Batch](post, "/batches/:id/close", s.closeBatch, "Closes a batch into a record, and issues its code."),
		get[stocksView]("/labels/stocks", s.listStocks, "What labels can be printed on, and the kinds of files."),
		get[none](batchLabelsPath, s.printBatch, "Labels for the packets of a batch, as a file.").asksPrint().asks("scheme", "of the code: own, or gtin for a GS1 Digital Link"),
		get[genealogyView]("/batches/:id/genealogy", s.showGenealogy, "What a batch was made of and what became of it.").also("image/svg+xml").asks("direction", "up, down or both"),
		get[none]("/batches/:id/genealogy.svg", s.drawGenealogy, "The same as a picture.").also("image/svg+xml").asks("direction", "up, down or both"),
		get[addressesView]("/batches/:id/addresses", s.listAddresses, "What the codes on a batch's packets may say, by scheme."),
		get[digitalLinkView]("/batches/:id/digital-link", s.getDigitalLink, "The GS1 Digital Link of a batch whose operator holds a GTIN for its product."),
		get[none]("/batches/:id/digital-link.svg", s.drawDigitalLink, "The same as a QR code to print.").also("image/svg+xml"),
		lists(s, "/batches/:id/units", "Which unit codes were bound to a batch, and which of these were taken back.", s.listUnits()),
		takes[bindUnitsRequest, unit.Step](post, "/batches/:id/units", s.bindUnits, "Binds the unit codes between two that were scanned, under the client's ULID."),
		lists(s, "/batches/:id/reports", "Laboratory reports of a batch, oldest first.", s.listBatchReports()),
		takes[addReportRequest, cert.Report](post, "/batches/:id/reports", s.addReport, "Adds a report, under the client's ULID."),
		takes[none, fileView](post, reportFilesPath, s.addReportFile, "Keeps the file of a report.").file("application/pdf", "image/jpeg", "image/png", "image/webp"),
		lists(s, "/batches/:id/samples", "Which laboratories were asked to test a batch.", s.listBatchSamples()),
		takes[addSampleRequest, cert.Sample](post, "/batches/:id/samples", s.addSample, "Asks a laboratory to test a batch."),
		lists(s, "/reports", "Laboratory reports, newest first.", s.listReports()).asks("verdict", "pass or fail"),
		get[cert.Tested]("/reports/:id", s.getReport, "One report."),
		get[none]("/reports/:id/file", s.getReportFile, "The report as it came.").also("application/pdf", "image/jpeg", "image/png", "image/webp"),
		takes[voidRequest, none](post, "/reports/:id/void", s.voidReport, "Takes a report back."),
		lists(s, "/samples", "What a laboratory was sent, newest first.", s.listSamples()).asks("number", "only with it"),
		lists(s, "/laboratories", "Whom one can ask to test.", s.listLaboratories()),
		lists(s, "/batches/:id/certificates", "Certificates of a batch, oldest first.", s.listBatchCertificates()),
		takes[issueRequest, cert.Certificate](post, "/batches/:id/certificates", s.issueCertificate, "Issues a certificate, under the client's ULID."),
		takes[issueRequest, previewView](post, "/batches/:id/certificates/preview", s.previewCertificate, "What would be issued, and what keeps it from being."),
		lists(s, "/certificates", "Certificates, newest first.", s.listCertificates()),
		lists(s, "/certificates/due", "Batches that may be certified anew.", s.listDue()),
		get[cert.Issued]("/certificates/:id", s.getCertificate, "One certificate."),
		get[none](certificatePrintPath, s.printCertificate, "A page to print, or with format a file of labels.").also("text/html").asks("paper", "label or a4, of the page").asksPrint(),
		takes[voidRequest, none](post, "/certificates/:id/void", s.voidCertificate, "Takes a certificate back."),

		lists(s, "/shipments", "Batches on their way, those that left last first.", s.listShipments()),
		takes[openShipmentRequest, trace.Shipment](post, "/shipments", s.openShipment, "Says that batches leave with loggers, under the client's ULID."),
		get[trace.Shipment]("/shipments/:id", s.getShipment, "A shipment, and what its loggers said once it has arrived."),
		get[coursesView]("/shipments/:id/courses", s.getCourses, "What its loggers have said, until now where it is on its way, with a curve of each."),
		takes[closeShipmentRequest, trace.Shipment](post, "/shipments/:id/close", s.closeShipment, "Says that it has arrived, and seals what its loggers said."),
		lists(s, "/movements", "Movements of batches, newest first.", s.listMovements()).asks("batch", "that went in or came out").asks("pending", "true: that wait for an answer"),
		takes[chain.Movement, chain.Movement](post, "/movements", s.addMovement, "Appends a movement, under the client's ULID."),
		takes[none, none](del, "/movements/:id/buyer", s.eraseBuyer, "Erases who bought.").guarding(alone),

		lists(s, "/audits", "What the nightly audits found, newest first.", s.listAudits()),
		takes[none, auditAsked](post, "/audits", s.startAudit, "Has an audit begin."),

		get[retentionsView]("/retentions", s.listRetentions, "How long values are kept."),
		takes[ingest.Retention, retentionView](put, "/retentions", s.setRetention, "Sets how long values are kept, from a day on."),
		takes[none, retentionView](del, "/retentions", s.clearRetention, "Takes a rule away.").asks("tenant", "whose").asks("medium", "of which"),
		get[purgesView]("/retentions/preview", s.previewRetention, "What would be deleted at a time.").asks("at", when),

		lists(s, "/quarantine", "Frames that could not be stored, oldest first.", s.listQuarantine()).asks("device", "only its frames"),
		get[JournalFigures]("/journal", s.showJournal, "How full the journal is."),
		takes[none, history.Job](post, backfillsPath, s.backfill, "Brings measurements of a file in, or previews it.").or(typeOf[history.Preview]()).
			file("application/octet-stream", "multipart/form-data").asks("file", "its name").asks("device", "of rows without one").asks("zone", "of times").
			asks("sheet", "of a workbook").asks("measured", "true: by the device's clock").asks("tenant", "whose").asks("column", "header=use; several times").asks("dry_run", "true only previews"),
		takes[replayRequest, history.Job](post, "/history/replays", s.replay, "Reads kept frames anew."),
		lists(s, "/history/jobs", "Jobs, newest first.", s.listJobs()).asks("tenant", "whose"),
		get[history.Job]("/history/jobs/:id", s.getJob, "One job and its progress."),
		takes[none, none](del, "/history/jobs/:id", s.cancelJob, "Ends a job.").guarding(alone),

		lists(s, "/mappings", "Mappings of other people's JSON, the newest version of each.", s.listMappings()),
		takes[saveMappingRequest, mapping.Version](post, "/mappings", s.saveMapping, "Saves a version of a mapping."),
		takes[tryMappingRequest, mapping.Outcome](post, "/mappings/try", s.tryMapping, "Says what a mapping makes of a sample."),
		get[mappingView]("/mappings/:id", s.getMapping, "A mapping with all its versions."),
		takes[none, none](del, "/mappings/:id", s.deleteMapping, "Takes a mapping away."),
	}
}

// tableFiles are the media types of files of products and lots; what a file is is seen
// in its bytes.
func tableFiles() []string {
	return []string{"text/csv", table.XLSXType, "application/yaml", "application/octet-stream"}
}
