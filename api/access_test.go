package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"tianhai/api"
)

const noPhoto = "0000000000000000000000000000000000000000000000000000000000000000"

// A person asks for everything. Where a row of access does not say what one gets,
// it is what another gets whom this one is like. Who is new stands here once, and in
// the rows only where they differ.
type person struct {
	login string // of accounts; empty: without a session
	like  string
	// foreign people may learn nothing of the oyster farm.
	foreign bool
}

var people = []person{
	{"", "", true},
	{"nobody", "", true},
	{"stranger", "nobody", true},          // a farmer of another tenant
	{"manager-tea", "stranger", true},     // its manager
	{"bureau-tea", "stranger", true},      // an officer of another city
	{"inspector-tea", "bureau-tea", true}, // an inspector there
	{"laboratory", "nobody", true},        // that nobody asked to test anything
	{"device-tea", "nobody", true},        // a device of another tenant, with its own secret
	{"device", "device-tea", false},       // do-1 itself
	{"bureau", "bureau-tea", false},
	{"inspector", "bureau", false},
	{"farmer", "bureau", false},
	{"manager", "farmer", false},
	{"admin", "manager", false},
}

// answers are statuses by login; 401 without a session where nothing is said.
type answers map[string]int

func (a answers) of(t *testing.T, login string) int {
	t.Helper()
	for {
		if status, ok := a[login]; ok {
			return status
		}
		if login == "" {
			return http.StatusUnauthorized
		}
		i := slices.IndexFunc(people, func(p person) bool { return p.login == login })
		if i < 0 || people[i].like == "" {
			t.Fatalf("the row says nothing of %s", login)
		}
		login = people[i].like
	}
}

// access says of every route what everybody gets. Objects are the oyster farm's.
var access = map[string]struct {
	path string // with the oyster farm's objects in it
	body string
	want answers
}{
	"POST /session":   {"/session", `{"login":"farmer","password":"pw-farmer"}`, answers{"": 200, "nobody": 200}},
	"GET /session":    {"/session", "", answers{"nobody": 200}},
	"DELETE /session": {"/session", "", answers{"nobody": 204, "device-tea": 401}},

	"POST /session/invitation": {"/session/invitation", `{"login":"farmer","code":"code-farmer","password":"a good one"}`, answers{"": 200, "nobody": 200}},

	"GET /accounts":                 {"/accounts", "", answers{"nobody": 403, "manager-tea": 200, "bureau-tea": 200, "inspector-tea": 403, "inspector": 403, "farmer": 403, "manager": 200}},
	"POST /accounts":                {"/accounts", `{"login":"new","name":"新","role":"farmer","tenant":"oyster"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /accounts/:id":             {"/accounts/farmer", "", answers{"nobody": 404, "bureau": 403, "farmer": 200}},
	"PUT /accounts/:id":             {"/accounts/farmer", `{"name":"蚝农"}`, answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"POST /accounts/:id/invitation": {"/accounts/farmer/invitation", "", answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"DELETE /accounts/:id/sessions": {"/accounts/farmer/sessions", "", answers{"nobody": 404, "bureau": 403, "farmer": 204}},

	"GET /vocabulary": {"/vocabulary", "", answers{"nobody": 200}},

	"GET /operators": {"/operators?q=oyster", "", answers{"nobody": 403, "stranger": 200, "laboratory": 403, "device-tea": 403}},

	"GET /tenants/:id":           {"/tenants/oyster", "", answers{"nobody": 404, "bureau": 200}},
	"GET /tenants/:id/photos":    {"/tenants/oyster/photos", "", answers{"nobody": 404, "bureau": 200}},
	"GET /tenants/:id/licences":  {"/tenants/oyster/licences", "", answers{"nobody": 404, "bureau": 200}},
	"POST /tenants/:id/licences": {"/tenants/oyster/licences", `{"id":"01JZ00000000000000000000M1","kind":"aquaculture","number":"1","issuer":"x","issued":"2026-01-01T00:00:00Z"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},

	"GET /openapi.json": {"/openapi.json", "", answers{"": 200, "nobody": 200}},

	"GET /sites/:id/boundary": {"/sites/raft-1/boundary", "", answers{"nobody": 404, "bureau": 200}},
	"PUT /sites/:id/boundary": {"/sites/raft-1/boundary", `{"boundary":null}`, answers{"nobody": 404, "bureau": 403, "manager": 200}},

	"GET /sites":                 {"/sites", "", answers{"nobody": 200}},
	"POST /sites":                {"/sites", `{"id":"raft-9","tenant":"oyster","kind":"raft","name":{"zh":"九号蚝排"},"latitude":21.6,"longitude":109}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"POST /imports/:id":          {"/imports/batches", "site,product,lot\nraft-1,oysters,9\n", answers{"nobody": 200}},
	"GET /sites/:id":             {"/sites/raft-1", "", answers{"nobody": 404, "bureau": 200}},
	"GET /sites/:id/series":      {"/sites/raft-1/series?quantity=water.ph", "", answers{"nobody": 404, "bureau": 200}},
	"GET /sites/:id/operations":  {"/sites/raft-1/operations", "", answers{"nobody": 404, "bureau": 200}},
	"POST /sites/:id/operations": {"/sites/raft-1/operations", `{"id":"01JZ00000000000000000000P2","kind":"feed","at":"2026-07-01T03:00:00Z"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},

	"POST /operations":      {"/operations", `{"operations":[{"site":"raft-1","id":"01JZ00000000000000000000P3","kind":"feed","at":"2026-07-01T03:00:00Z"}]}`, answers{"nobody": 200}},
	"POST /photos":          {"/photos?site=raft-1", "<html>", answers{"nobody": 404, "bureau": 403, "farmer": 400}},
	"GET /photos/:id":       {"/photos/" + noPhoto, "", answers{"nobody": 404}},
	"GET /photos/:id/facts": {"/photos/" + noPhoto + "/facts", "", answers{"nobody": 404}},
	"GET /catalog":          {"/catalog", "", answers{"nobody": 200}},
	"PUT /catalog":          {"/catalog", `{"doc":"x"}`, answers{"nobody": 403, "admin": 400}},
	"GET /catalog/document": {"/catalog/document", "", answers{"nobody": 403, "admin": 200}},

	"GET /tenants/:id/lots":  {"/tenants/oyster/lots", "", answers{"nobody": 404, "bureau": 200}},
	"POST /tenants/:id/lots": {"/tenants/oyster/lots", `{"id":"01JZ00000000000000000000M1","product":"drug-1","batch":"1","supplier":"x","quantity":1,"unit":"L","expires":"2028-01-01T00:00:00Z"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},
	"GET /inputs":            {"/inputs", "", answers{"nobody": 200}},
	"GET /inputs/:id":        {"/inputs/drug-1", "", answers{"nobody": 200}},
	"PUT /inputs/:id":        {"/inputs/feed-1", `{"kind":"feed","name":{"zh":"料"},"maker":"x"}`, answers{"nobody": 403, "admin": 200}},
	"GET /bans":              {"/bans", "", answers{"nobody": 200}},

	"POST /bans":                             {"/bans", `{"id":"01JZ00000000000000000000K2","name":"x","scope":["crops"],"source":"x","from":"2026-08-01T00:00:00Z"}`, answers{"nobody": 403, "admin": 201}},
	"POST /inputs/import":                    {"/inputs/import", "id,kind,name_zh,maker\nf1,feed,料,厂\n", answers{"nobody": 403, "admin": 201}},
	"POST /tenants/:id/lots/import":          {"/tenants/oyster/lots/import?dry_run=true", "product,supplier,quantity,unit\n", answers{"nobody": 404, "bureau": 403, "farmer": 200}},
	"GET /tenants/:id/lots/:lot/uses":        {"/tenants/oyster/lots/" + lotID + "/uses", "", answers{"nobody": 404, "bureau": 200}},
	"POST /tenants/:id/lots/:lot/write-offs": {"/tenants/oyster/lots/" + lotID + "/write-offs", `{"id":"01JZ00000000000000000000W1","quantity":1,"unit":"mL","reason":"x"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},

	"GET /sites/:id/gates": {"/sites/raft-1/gates?act=catch", "", answers{"nobody": 404, "bureau": 200}},

	"POST /sites/:id/overrides":    {"/sites/raft-1/overrides", `{"id":"01JZ00000000000000000000V2","acts":["catch"],"refusals":[{"gate":"interval","operation":"o","product":"p"}],"reason":"x"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /overrides":               {"/overrides", "", answers{"nobody": 200}},
	"POST /overrides/:id/decision": {"/overrides/" + overrideID + "/decision", `{"granted":true,"reason":"x","until":"2026-07-09T00:00:00Z"}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403}},
	"GET /late-uses":               {"/late-uses", "", answers{"nobody": 200}},

	"GET /scan-alarms":                  {"/scan-alarms", "", answers{"nobody": 200}},
	"POST /scan-alarms/:id/acknowledge": {"/scan-alarms/" + scanAlarmID + "/acknowledge", `{"finding":"x"}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200, "admin": 403}},
	"GET /tenants/:id/markets":          {"/tenants/oyster/markets", "", answers{"nobody": 404, "bureau": 200}},
	"PUT /tenants/:id/markets":          {"/tenants/oyster/markets", `{"regions":["45"]}`, answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"GET /complaints":                   {"/complaints", "", answers{"nobody": 200}},
	"GET /complaints/:id":               {"/complaints/" + complaintID, "", answers{"nobody": 404, "bureau": 200}},
	"GET /complaints/:id/photo":         {"/complaints/" + complaintID + "/photo", "", answers{"nobody": 404, "bureau": 200}},
	"POST /complaints/:id/answers":      {"/complaints/" + complaintID + "/answers", `{"id":"01JZ0000000000000000000AN1","words":"我们马上查"}`, answers{"nobody": 404, "bureau": 201, "inspector": 403, "farmer": 403, "manager": 201, "admin": 403}},
	"DELETE /complaints/:id/phone":      {"/complaints/" + complaintID + "/phone", "", answers{"nobody": 404, "bureau": 204, "inspector": 403, "farmer": 403, "manager": 204, "admin": 403}},

	"GET /packages":                 {"/packages", "", answers{"nobody": 200}},
	"POST /packages":                {"/packages", `{"id":"01JZ00000000000000000000PK","tenant":"oyster","first":"2026-06-01","last":"2026-06-30"}`, answers{"nobody": 404, "bureau": 201, "inspector": 403, "farmer": 403, "manager": 201}},
	"GET /packages/:id":             {"/packages/" + packageID, "", answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200}},
	"DELETE /packages/:id":          {"/packages/" + packageID, "", answers{"nobody": 404, "bureau": 204, "inspector": 403, "farmer": 403, "manager": 204}},
	"POST /packages/:id/handover":   {"/packages/" + packageID + "/handover", `{"form":"json"}`, answers{"nobody": 404, "bureau": 201, "inspector": 403, "farmer": 403, "manager": 201}},
	"GET /packages/:id/files/:form": {"/packages/" + packageID + "/files/json", "", answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200}},
	"GET /packages/operators":       {"/packages/operators", "", answers{"nobody": 200}},
	"GET /packages/preview":         {"/packages/preview?tenant=oyster&first=2026-06-01&last=2026-06-30", "", answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200}},

	"GET /recalls":               {"/recalls", "", answers{"nobody": 200}},
	"POST /recalls":              {"/recalls", recallBody, answers{"nobody": 404, "bureau": 201, "inspector": 403, "farmer": 403, "manager": 201, "admin": 403}},
	"POST /recalls/preview":      {"/recalls/preview", `{"start":{"kind":"batch","id":"` + batchID + `"}}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200, "admin": 403}},
	"GET /recalls/:id":           {"/recalls/" + recallID, "", answers{"nobody": 404, "bureau": 200}},
	"GET /recalls/:id/holdings":  {"/recalls/" + recallID + "/holdings", "", answers{"nobody": 404, "bureau": 200}},
	"GET /recalls/:id/tally":     {"/recalls/" + recallID + "/tally", "", answers{"nobody": 404, "bureau": 200}},
	"GET /recalls/:id/captured":  {"/recalls/" + recallID + "/captured", "", answers{"nobody": 404, "bureau": 200}},
	"POST /recalls/:id/notices":  {"/recalls/" + recallID + "/notices", "", answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200, "admin": 403}},
	"POST /recalls/:id/widen":    {"/recalls/" + recallID + "/widen", `{"id":"01JZ00000000000000000000W1","reason":"x","batches":["` + batchID + `"]}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200, "admin": 403}},
	"POST /recalls/:id/narrow":   {"/recalls/" + recallID + "/narrow", `{"id":"01JZ00000000000000000000W1","reason":"x","batches":["` + batchID + `"]}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200, "admin": 403}},
	"POST /recalls/:id/progress": {"/recalls/" + recallID + "/progress", `{"id":"01JZ00000000000000000000W1","batch":"` + batchID + `"}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 200, "admin": 403}},
	"POST /recalls/:id/close":    {"/recalls/" + recallID + "/close", `{"id":"01JZ00000000000000000000W1","reason":"x"}`, answers{"nobody": 404, "bureau": 200, "inspector": 403, "farmer": 403, "manager": 403, "admin": 403}},

	"GET /tenants/:id/rolls":  {"/tenants/oyster/rolls", "", answers{"nobody": 404, "bureau": 200}},
	"POST /tenants/:id/rolls": {"/tenants/oyster/rolls", `{"id":"01JZ00000000000000000000R9","codes":10}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /rolls/:id":          {"/rolls/" + rollID, "", answers{"nobody": 404, "bureau": 200}},
	"POST /rolls/:id/steps":   {"/rolls/" + rollID + "/steps", `{"id":"01JZ00000000000000000000T9","kind":"void","first":1,"last":2,"reason":"x"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /rolls/:id/labels":   {"/rolls/" + rollID + "/labels?format=svg&stock=70x37&specimen=true", "", answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"GET /rolls/:id/codes":    {"/rolls/" + rollID + "/codes", "", answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"GET /units/:id":          {"/units/" + unitCode, "", answers{"nobody": 404, "bureau": 200}},
	"GET /batches/:id/units":  {"/batches/" + batchID + "/units", "", answers{"nobody": 404, "bureau": 200}},
	"POST /batches/:id/units": {"/batches/" + batchID + "/units", `{"id":"01JZ00000000000000000000T9","first":"` + unitCode + `","last":"` + unitCode + `"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},

	"GET /tenants/:id/gtins":                       {"/tenants/oyster/gtins", "", answers{"nobody": 404, "bureau": 200}},
	"POST /tenants/:id/gtins":                      {"/tenants/oyster/gtins", `{"gtin":"09506000134352","product":"oyster"}`, answers{"nobody": 404, "bureau": 403, "admin": 201}},
	"GET /gtins/:id/links":                         {"/gtins/09506000134352/links", "", answers{"nobody": 404, "bureau": 200}},
	"POST /gtins/:id/links":                        {"/gtins/09506000134352/links", `{"id":"01JZ00000000000000000000G1","type":"pip","href":"https://a.cn/","title":"a"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /gtins/:id/scan":                          {"/gtins/09506000134352/scan", "", answers{"nobody": 404, "bureau": 200}},
	"PUT /gtins/:id/links/:link":                   {"/gtins/09506000134352/links/01JZ00000000000000000000G1", `{"type":"pip","href":"https://a.cn/","title":"a"}`, answers{"nobody": 404, "bureau": 403, "manager": 404}},
	"DELETE /gtins/:id/links/:link":                {"/gtins/09506000134352/links/01JZ00000000000000000000G1", "", answers{"nobody": 404, "bureau": 403, "manager": 204}},
	"GET /tenants/:id/company-prefixes":            {"/tenants/oyster/company-prefixes", "", answers{"nobody": 404, "bureau": 200}},
	"POST /tenants/:id/company-prefixes":           {"/tenants/oyster/company-prefixes", `{"prefix":"690123456"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"DELETE /tenants/:id/company-prefixes/:prefix": {"/tenants/oyster/company-prefixes/690123456", "", answers{"nobody": 404, "bureau": 403, "manager": 204}},
	"GET /tenants/:id/programs":                    {"/tenants/oyster/programs", "", answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"POST /tenants/:id/programs":                   {"/tenants/oyster/programs", `{"name":"ERP","writes":true,"days":365}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"DELETE /tenants/:id/programs/:program":        {"/tenants/oyster/programs/01JZ00000000000000000000P1", "", answers{"nobody": 404, "bureau": 403, "manager": 204}},
	"GET /tenants/:id/recall-hook":                 {"/tenants/oyster/recall-hook", "", answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"PUT /tenants/:id/recall-hook":                 {"/tenants/oyster/recall-hook", `{"url":"https://example.cn/x"}`, answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"DELETE /tenants/:id/recall-hook":              {"/tenants/oyster/recall-hook", "", answers{"nobody": 404, "bureau": 403, "manager": 204}},

	"GET /models":             {"/models", "", answers{"nobody": 200}},
	"GET /models/:id":         {"/models/pond", "", answers{"nobody": 200}},
	"PUT /models/:id":         {"/models/pond", `{"name":{"zh":"塘"},"format":"json"}`, answers{"nobody": 403, "admin": 200}},
	"GET /models/:id/changes": {"/models/pond/changes", "", answers{"nobody": 403, "admin": 200}},

	"GET /devices":                 {"/devices", "", answers{"nobody": 200}},
	"GET /devices/labels":          {"/devices/labels?id=do-1", "", answers{"nobody": 404, "bureau": 200}},
	"POST /devices/import":         {"/devices/import", csvFile, answers{"nobody": 403, "manager-tea": 400, "manager": 201}},
	"POST /devices/:id/claim-code": {"/devices/pond-x/claim-code", `{}`, answers{"nobody": 403, "admin": 201}},

	"GET /devices/:id":           {"/devices/do-1", "", answers{"nobody": 404, "bureau": 200}},
	"POST /devices":              {"/devices", `{"model":"pond","count":1}`, answers{"nobody": 403, "admin": 201}},
	"GET /devices/:id/claim":     {"/devices/pond-x/claim", "", answers{"nobody": 403, "stranger": 200, "bureau-tea": 403, "farmer": 200}},
	"POST /devices/:id/claim":    {"/devices/pond-x/claim", `{"code":"0000000000000","site":"raft-1"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},
	"POST /devices/:id/state":    {"/devices/do-1/state", `{"state":"suspended"}`, answers{"nobody": 404, "bureau": 403, "manager": 204}},
	"POST /devices/:id/secret":   {"/devices/do-1/secret", `{}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"DELETE /devices/:id/secret": {"/devices/do-1/secret", "", answers{"nobody": 404, "bureau": 403, "manager": 204}},
	"GET /devices/:id/events":    {"/devices/do-1/events", "", answers{"nobody": 404, "bureau": 200}},

	"GET /devices/:id/aliases":    {"/devices/do-1/aliases", "", answers{"nobody": 404, "bureau": 200}},
	"POST /devices/:id/aliases":   {"/devices/do-1/aliases", `{"alias":"ac1f09fffe000001"}`, answers{"nobody": 404, "bureau": 403, "admin": 201}},
	"DELETE /devices/:id/aliases": {"/devices/do-1/aliases?alias=eui", "", answers{"nobody": 404, "bureau": 403, "admin": 404}},

	"GET /devices/:id/calibrations":   {"/devices/do-1/calibrations", "", answers{"nobody": 404, "bureau": 200}},
	"POST /devices/:id/calibrations":  {"/devices/do-1/calibrations", `{"channel":"t","slope":1}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /devices/:id/installations":  {"/devices/do-1/installations", "", answers{"nobody": 404, "bureau": 200}},
	"POST /devices/:id/installations": {"/devices/do-1/installations", `{"site":"raft-1"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},

	"GET /devices/:id/commands":             {"/devices/do-1/commands", "", answers{"nobody": 404, "bureau": 200}},
	"POST /devices/:id/commands":            {"/devices/do-1/commands", `{"name":"aerator","value":"on"}`, answers{"nobody": 404, "bureau": 403, "farmer": 202}},
	"DELETE /devices/:id/commands/:command": {"/devices/do-1/commands/c1", "", answers{"nobody": 404, "bureau": 403, "farmer": 204}},

	"GET /alerts": {"/alerts", "", answers{"nobody": 200}},
	"GET /live":   {"/live?site=raft-1&device=do-1", "", answers{"nobody": 404, "bureau": 200}},

	"GET /products":              {"/products", "", answers{"nobody": 200}},
	"GET /shipments":             {"/shipments", "", answers{"nobody": 200}},
	"POST /shipments":            {"/shipments", `{"tenant":"oyster","id":"01JZ0000000000000000000SH2"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},
	"GET /shipments/:id":         {"/shipments/" + shipmentID, "", answers{"nobody": 404, "bureau": 200}},
	"GET /shipments/:id/courses": {"/shipments/" + shipmentID + "/courses", "", answers{"nobody": 404, "bureau": 200}},
	"POST /shipments/:id/close":  {"/shipments/" + shipmentID + "/close", `{}`, answers{"nobody": 404, "bureau": 403, "farmer": 200}},

	"GET /batches":            {"/batches", "", answers{"nobody": 200}},
	"POST /batches":           {"/batches", `{"site":"raft-1","product":"oysters","lot":"l","quantity":1,"unit":"kg","began":"2026-06-01T00:00:00Z","harvest":"2026-06-30T00:00:00Z"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},
	"POST /batches/:id/close": {"/batches/" + batchID + "/close", "", answers{"nobody": 404, "bureau": 403, "farmer": 200}},

	"GET /batches/:id":                       {"/batches/" + batchID, "", answers{"nobody": 404, "bureau": 200}},
	"GET /labels/stocks":                     {"/labels/stocks", "", answers{"nobody": 200}},
	"GET /batches/:id/labels":                {"/batches/" + batchID + "/labels?format=svg&stock=70x37", "", answers{"nobody": 404, "bureau": 409}},
	"GET /batches/:id/genealogy":             {"/batches/" + batchID + "/genealogy", "", answers{"nobody": 404, "bureau": 200}},
	"GET /batches/:id/genealogy.svg":         {"/batches/" + batchID + "/genealogy.svg", "", answers{"nobody": 404, "bureau": 200}},
	"GET /batches/:id/addresses":             {"/batches/" + batchID + "/addresses", "", answers{"nobody": 404, "bureau": 200}},
	"GET /batches/:id/digital-link":          {"/batches/" + batchID + "/digital-link", "", answers{"nobody": 404, "bureau": 200}},
	"GET /batches/:id/digital-link.svg":      {"/batches/" + batchID + "/digital-link.svg", "", answers{"nobody": 404, "bureau": 200}},
	"GET /movements":                         {"/movements", "", answers{"nobody": 200}},
	"POST /movements":                        {"/movements", `{"tenant":"oyster","id":"01JZ00000000000000000000M9","kind":"loss"}`, answers{"nobody": 404, "bureau": 403, "farmer": 201}},
	"DELETE /movements/:id/buyer":            {"/movements/" + saleID + "/buyer", "", answers{"nobody": 404, "bureau": 403, "farmer": 403, "manager": 204}},
	"GET /batches/:id/reports":               {"/batches/" + batchID + "/reports", "", answers{"nobody": 404, "bureau": 200}},
	"POST /batches/:id/reports":              {"/batches/" + batchID + "/reports", `{"id":"01JZ00000000000000000000R2","number":"W","sampled":"2026-06-30","reported":"2026-06-30","items":[{"name":"铅","result":"未检出"}]}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"POST /batches/:id/report-files":         {"/batches/" + batchID + "/report-files", "<html>", answers{"nobody": 404, "bureau": 403, "manager": 400}},
	"GET /batches/:id/samples":               {"/batches/" + batchID + "/samples", "", answers{"nobody": 404, "bureau": 200}},
	"POST /batches/:id/samples":              {"/batches/" + batchID + "/samples", `{"id":"01JZ00000000000000000000S2","laboratory":"lab","number":"S-2"}`, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"GET /reports":                           {"/reports", "", answers{"nobody": 200}},
	"GET /reports/:id":                       {"/reports/" + reportID, "", answers{"nobody": 404, "bureau": 200}},
	"GET /reports/:id/file":                  {"/reports/" + reportID + "/file", "", answers{"nobody": 404}},
	"POST /reports/:id/void":                 {"/reports/" + reportID + "/void", `{"reason":"样品弄混"}`, answers{"nobody": 404, "bureau": 403, "manager": 204}},
	"GET /samples":                           {"/samples", "", answers{"nobody": 200}},
	"GET /laboratories":                      {"/laboratories", "", answers{"nobody": 200}},
	"GET /batches/:id/certificates":          {"/batches/" + batchID + "/certificates", "", answers{"nobody": 404, "bureau": 200}},
	"POST /batches/:id/certificates":         {"/batches/" + batchID + "/certificates", issueBody, answers{"nobody": 404, "bureau": 403, "manager": 201}},
	"POST /batches/:id/certificates/preview": {"/batches/" + batchID + "/certificates/preview", issueBody, answers{"nobody": 404, "bureau": 403, "manager": 200}},
	"GET /certificates":                      {"/certificates", "", answers{"nobody": 200}},
	"GET /certificates/due":                  {"/certificates/due", "", answers{"nobody": 200}},
	"GET /certificates/:id":                  {"/certificates/" + certificateID, "", answers{"nobody": 404, "bureau": 200}},
	"GET /certificates/:id/print":            {"/certificates/" + certificateID + "/print", "", answers{"nobody": 404, "bureau": 200}},
	"POST /certificates/:id/void":            {"/certificates/" + certificateID + "/void", `{"reason":"写错"}`, answers{"nobody": 404, "bureau": 403, "manager": 204}},

	"POST /history/backfills":  {"/history/backfills?device=do-1", "time,t\n2026-07-01 08:00:00,5\n", answers{"nobody": 404, "bureau": 403, "manager": 202}},
	"POST /history/replays":    {"/history/replays", `{"devices":["do-1"],"quarantine_only":true}`, answers{"nobody": 404, "bureau": 403, "manager": 202}},
	"GET /history/jobs":        {"/history/jobs", "", answers{"nobody": 403, "manager-tea": 200, "manager": 200}},
	"GET /history/jobs/:id":    {"/history/jobs/" + jobID, "", answers{"nobody": 404, "farmer": 403, "manager": 200}},
	"DELETE /history/jobs/:id": {"/history/jobs/" + jobID, "", answers{"nobody": 404, "farmer": 403, "manager": 204}},
	"GET /mappings":            {"/mappings", "", answers{"nobody": 403, "admin": 200}},
	"POST /mappings":           {"/mappings", `{"name":"station","doc":"channels: [{channel: a, path: a}]"}`, answers{"nobody": 403, "admin": 201}},
	"POST /mappings/try":       {"/mappings/try", `{"doc":"","sample":""}`, answers{"nobody": 403, "admin": 200}},
	"GET /mappings/:id":        {"/mappings/absent", "", answers{"nobody": 403, "admin": 404}},
	"DELETE /mappings/:id":     {"/mappings/absent", "", answers{"nobody": 403, "admin": 404}},

	"POST /audits":            {"/audits", "", answers{"nobody": 403, "admin": 202}},
	"GET /audits":             {"/audits", "", answers{"nobody": 403, "bureau-tea": 200, "farmer": 403, "admin": 200}},
	"GET /retentions":         {"/retentions", "", answers{"nobody": 403, "admin": 200}},
	"GET /retentions/preview": {"/retentions/preview", "", answers{"nobody": 403, "admin": 200}},
	"PUT /retentions":         {"/retentions", `{"tenant":"oyster","keep_raw_days":90}`, answers{"nobody": 403, "admin": 200}},
	"DELETE /retentions":      {"/retentions?tenant=oyster", "", answers{"nobody": 403, "admin": 200}},

	"GET /journal":    {"/journal", "", answers{"nobody": 403, "admin": 200}},
	"GET /quarantine": {"/quarantine?device=do-1", "", answers{"nobody": 404, "bureau": 403, "manager": 200}},
}

// Every route answers everybody as the table says. Whoever may not read learns
// nothing, and whoever may not act changes nothing.
func TestAccess(t *testing.T) {
	for route, tt := range access {
		method, _, _ := strings.Cut(route, " ")
		t.Run(route, func(t *testing.T) {
			var w *world // that nobody has touched
			var base string
			for _, p := range people {
				if w == nil {
					w = newWorld()
					base, _ = serve(t, w)
				}
				t.Run("as "+p.login, func(t *testing.T) {
					got := client{t, base, p.login}.do(method, tt.path, tt.body)
					wrote := w.writes() > 0
					if wrote || method != http.MethodGet && got.status < 400 {
						w = nil
					}
					if want := tt.want.of(t, p.login); got.status != want {
						t.Fatalf("status %d, want %d: %s", got.status, want, got.body)
					}
					if got.status >= 400 && wrote {
						t.Error("something was written or sent")
					}
					if p.foreign {
						tellsNothing(t, tt.body, got.body)
					}
				})
			}
		})
	}
}

// tellsNothing fails the test if an answer tells more of the oyster farm than was asked.
func tellsNothing(t *testing.T, asked, answer string) {
	t.Helper()
	for _, m := range []string{"raft-1", "do-1", "蚝排", "lot-77", batchID, opID, overrideID, packageID} {
		if strings.Contains(answer, m) && !strings.Contains(asked, m) {
			t.Errorf("the answer tells of %s: %s", m, answer)
		}
	}
}

// A route that nobody thought about has no place here.
func TestAccessKnowsEveryRoute(t *testing.T) {
	routes := handler(t, newWorld(), &api.Hub{}).(*gin.Engine).Routes()
	var served []string
	for _, r := range routes {
		name := r.Method + " " + strings.TrimPrefix(r.Path, "/api/v1")
		served = append(served, name)
		if _, ok := access[name]; !ok {
			t.Errorf("route %s is not in the table", name)
		}
	}
	for name := range access {
		if !slices.Contains(served, name) {
			t.Errorf("the table holds %s, which is no route", name)
		}
	}
}

// What exists and may not be read looks exactly like what does not exist.
func TestNoOracle(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, "stranger"}
	for real, absent := range map[string]string{
		"POST /sites/raft-1/overrides":                      "POST /sites/raft-9/overrides",
		"GET /complaints/" + complaintID:                    "GET /complaints/01JZ0000000000000000000CM9",
		"POST /scan-alarms/" + scanAlarmID + "/acknowledge": "POST /scan-alarms/01JZ0000000000000000000SA9/acknowledge",
		"POST /overrides/" + overrideID + "/decision":       "POST /overrides/01JZ00000000000000000000V9/decision",

		"GET /shipments/" + shipmentID:              "GET /shipments/01JZ0000000000000000000SH9",
		"GET /shipments/" + shipmentID + "/courses": "GET /shipments/01JZ0000000000000000000SH9/courses",
		"POST /shipments/" + shipmentID + "/close":  "POST /shipments/01JZ0000000000000000000SH9/close",

		"GET /packages/" + packageID:                 "GET /packages/01JZ00000000000000000000P9",
		"DELETE /packages/" + packageID:              "DELETE /packages/01JZ00000000000000000000P9",
		"POST /packages/" + packageID + "/handover":  "POST /packages/01JZ00000000000000000000P9/handover",
		"GET /packages/" + packageID + "/files/json": "GET /packages/01JZ00000000000000000000P9/files/json",

		"GET /rolls/" + rollID:                   "GET /rolls/01JZ0000000000000000000RZ9",
		"GET /rolls/" + rollID + "/codes":        "GET /rolls/01JZ0000000000000000000RZ9/codes",
		"POST /rolls/" + rollID + "/steps":       "POST /rolls/01JZ0000000000000000000RZ9/steps",
		"GET /units/" + unitCode:                 "GET /units/0000000000000",
		"GET /sites/raft-1":                      "GET /sites/raft-9",
		"GET /sites/raft-1/series":               "GET /sites/raft-9/series",
		"GET /sites/raft-1/operations":           "GET /sites/raft-9/operations",
		"POST /sites/raft-1/operations":          "POST /sites/raft-9/operations",
		"GET /devices/do-1":                      "GET /devices/do-9",
		"GET /devices/labels?id=do-1":            "GET /devices/labels?id=do-9",
		"GET /devices/do-1/claim":                "GET /devices/do-9/claim",
		"DELETE /devices/do-1/commands/c1":       "DELETE /devices/do-9/commands/c1",
		"GET /devices/shelf":                     "GET /devices/do-9",
		"GET /devices/do-1/commands":             "GET /devices/do-9/commands",
		"POST /devices/do-1/commands":            "POST /devices/do-9/commands",
		"GET /devices/do-1/calibrations":         "GET /devices/do-9/calibrations",
		"POST /devices/do-1/calibrations":        "POST /devices/do-9/calibrations",
		"POST /devices/do-1/installations":       "POST /devices/do-9/installations",
		"GET /live?site=raft-1":                  "GET /live?site=raft-9",
		"GET /live?device=do-1":                  "GET /live?device=do-9",
		"POST /batches/" + batchID + "/close":    "POST /batches/01JZ0000000000000000000BA9/close",
		"GET /batches/" + batchID:                "GET /batches/01JZ0000000000000000000BA9",
		"GET /batches/" + batchID + "/genealogy": "GET /batches/01JZ0000000000000000000BA9/genealogy",
		"GET /batches/" + batchID + "/labels":    "GET /batches/01JZ0000000000000000000BA9/labels",
		"DELETE /movements/" + saleID + "/buyer": "DELETE /movements/01JZ0000000000000000000SA9/buyer",
		"GET /quarantine?device=do-1":            "GET /quarantine?device=do-9",
		"POST /history/backfills?device=do-1":    "POST /history/backfills?device=do-9",
		"GET /history/jobs/" + jobID:             "GET /history/jobs/01JZ00000000000000000000J9",
		"DELETE /history/jobs/" + jobID:          "DELETE /history/jobs/01JZ00000000000000000000J9",
		"GET /sites/%2e%2e%2f":                   "GET /nothing/here",
	} {
		ask := func(s string) string {
			method, path, _ := strings.Cut(s, " ")
			body := ""
			if method == http.MethodPost && !strings.HasSuffix(path, "close") {
				body = `{"no":"sense"}`
			}
			a := c.do(method, path, body)
			return fmt.Sprint(a.status, a.header.Get("Content-Type"), a.body)
		}
		if a, b := ask(real), ask(absent); a != b {
			t.Errorf("%s\n%s\nis told from %s\n%s", real, a, absent, b)
		}
	}
}

// Without a session even the routes there are cannot be told from others.
func TestUnknownPathsNeedASession(t *testing.T) {
	base, _ := serve(t, newWorld())
	for _, path := range []string{"/nothing", "/sites/", "/", "/session/x"} {
		if a := (client{t, base, ""}).do("GET", path, ""); a.status != 401 {
			t.Errorf("GET %s without a session: %d", path, a.status)
		}
		if a := (client{t, base, "farmer"}).do("GET", path, ""); a.status != 404 {
			t.Errorf("GET %s with a session: %d", path, a.status)
		}
	}
	if a := (client{t, base, "farmer"}).do("PUT", "/sites", ""); a.status != 405 {
		t.Errorf("PUT /sites: %d, want 405", a.status)
	}
	if a := (client{t, base, "forged"}).do("GET", "/sites", ""); a.status != 401 {
		t.Errorf("a forged token: %d, want 401", a.status)
	}
}

// Lists hold what one may read, and nothing else, even if a store returned more.
func TestListsAreScoped(t *testing.T) {
	for _, leaky := range []bool{false, true} {
		w := newWorld()
		w.leaky = leaky
		base, _ := serve(t, w)
		for login, want := range map[string][2]bool{ // sees the raft, sees the garden
			"admin": {true, true}, "bureau": {true, false}, "bureau-tea": {false, true},
			"farmer": {true, false}, "stranger": {false, true}, "nobody": {false, false},
		} {
			c := client{t, base, login}
			got := c.do("GET", "/sites", "").body
			if raft, garden := strings.Contains(got, "raft-1"), strings.Contains(got, "garden-1"); raft != want[0] || garden != want[1] {
				t.Errorf("leaky %v: %s sees raft %v, garden %v; want %v", leaky, login, raft, garden, want)
			}
			for path, mark := range map[string]string{"/alerts": "oxygen", "/batches": "lot-77", "/devices": "do-1", "/overrides": overrideID, "/late-uses": opID} {
				if got := strings.Contains(c.do("GET", path, "").body, mark); got != want[0] {
					t.Errorf("leaky %v: %s sees %s in %s: %v", leaky, login, mark, path, got)
				}
			}
		}
	}
}

func TestQuarantineOfEverybody(t *testing.T) {
	base, _ := serve(t, newWorld())
	for login, want := range map[string]int{"admin": 200, "manager": 403, "farmer": 403, "bureau": 403} {
		if a := (client{t, base, login}).do("GET", "/quarantine", ""); a.status != want {
			t.Errorf("%s: %d, want %d", login, a.status, want)
		}
	}
	a := client{t, base, "admin"}.do("GET", "/quarantine?device=ghost", "")
	want(t, "frames of a device that nobody registered", `{"frames":[{"seq":4,"at":"2026-07-01T04:00:00Z","device":"ghost","reason":"unknown device","received":"2026-07-01T04:00:00Z","content_type":"","payload_base64":null}]}`, a.body)
	a = client{t, base, "admin"}.do("GET", "/quarantine?limit=1", "")
	want(t, "one frame", `{"frames":[{"seq":3,"at":"2026-07-01T04:00:00Z","device":"do-1","reason":"json at byte 0","received":"2026-07-01T04:00:00Z","content_type":"text/plain","payload_base64":"/wA="}],"next":"MTAwMDAwMDAwMDAwMDAwMDAwMDAz"}`, a.body)
	a = client{t, base, "admin"}.do("GET", "/quarantine?after=MTAwMDAwMDAwMDAwMDAwMDAwMDA0", "")
	want(t, "after the last", `{"frames":[]}`, a.body)
}

// A browser that another site drives gets nowhere; one of ours and programs do.
func TestCrossOrigin(t *testing.T) {
	for name, tt := range map[string]struct {
		header []string
		want   int
	}{
		"another site":        {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a sibling":           {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"an older browser":    {[]string{"Origin", "https://evil.example"}, 403},
		"our own page":        {[]string{"Sec-Fetch-Site", "same-origin"}, 202},
		"a program":           {nil, 202},
		"a form of old":       {[]string{"Content-Type", "text/plain"}, 415},
		"a form":              {[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"JSON with a charset": {[]string{"Content-Type", "application/json; charset=utf-8"}, 202},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			base, _ := serve(t, w)
			a := client{t, base, "farmer"}.do("POST", "/devices/do-1/commands", `{"name":"aerator","value":"on"}`, tt.header...)
			if a.status != tt.want {
				t.Fatalf("status %d, want %d: %s", a.status, tt.want, a.body)
			}
			if (w.writes() > 0) != (tt.want == 202) {
				t.Errorf("%d writes", w.writes())
			}
		})
	}
}
