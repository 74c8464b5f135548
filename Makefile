# Go 1.26 and Node 20 are all that is needed beforehand.
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFILES = $(shell git ls-files '*.go')

.PHONY: demo test build web lint fmt fuzz soak bench screenshots testdeps clean

demo: build ## build everything and run it with simulated farms
	./bin/tianhai demo

build: web ## bin/tianhai, static, with the web faces inside
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/tianhai ./cmd/tianhai

web: dashboards/web/dist/.built

dashboards/web/dist/.built: dashboards/web/node_modules/.package-lock.json $(shell git ls-files dashboards/web i18n/*.json)
	cd dashboards/web && npm run build
	touch $@

dashboards/web/node_modules/.package-lock.json: dashboards/web/package-lock.json
	cd dashboards/web && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

test: testdeps web ## everything
	@test -z "$$(gofmt -l $(GOFILES))" || { gofmt -l $(GOFILES); echo 'not formatted: run make fmt'; exit 1; }
	cd dashboards/web && npm run typecheck && npm test && npm run budget
	go vet ./...
	$(LINT) run
	go test -race -shuffle=on -timeout 25m ./...
	go test -run 'TestManyHistories|TestWholeHistories|Test(SQLite|Postgres)/chain_histories|TestLongJobs' ./cmd/internal/store ./trace/label/press

testdeps: ## install what the tests need beyond Go and Node, or say what is missing
	@scripts/testdeps

lint:
	$(LINT) run

fmt:
	$(LINT) fmt

fuzz: ## ten seconds for every fuzz test
	scripts/fuzz 10s

soak: ## a million damaged frames through the real program; ten minutes
	go test -count=1 -v -timeout 60m -run TestMutatedFrames ./cmd/tianhai -mutated 1000000

# Telegraf is measured beside Tianhai, and is no part of it.
BENCH_PEERS ?= $(HOME)/.cache/tianhai-bench

$(BENCH_PEERS)/telegraf:
	GOBIN=$(BENCH_PEERS) go install -tags "custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.json,serializers.influx" github.com/influxdata/telegraf/cmd/telegraf@v1.37.2

bench: build $(BENCH_PEERS)/telegraf ## throughput and cost beside Telegraf behind Mosquitto; prints a table
	PATH="$(BENCH_PEERS):$$PATH" go test -run '^$$' -bench . -benchtime 1x -timeout 90m ./cmd/tianhai ./cmd/internal/store ./trace/label/press

screenshots: build ## docs/screenshots from a running demo
	go test -run TestScreenshots -count=1 ./cmd/tianhai -screenshots ../../docs/screenshots

clean:
	rm -rf bin dashboards/web/dist/* dashboards/web/node_modules
