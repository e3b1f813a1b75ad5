# Targets for people who change pipelined. `make help` lists them.

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.PHONY: test
test: ## all tests, as the README says
	go test ./...
	PIPELINED_TEST_STORE=sqlite go test ./engine/...

.PHONY: race
race: ## all tests under the race detector
	go test -race ./...

.PHONY: check
check: ## what CI runs
	bash .ci/run

.PHONY: generate
generate: ## write docs/reference from the declarations
	go test ./internal/reference -run TestReferenceIsCurrent -update

.PHONY: golden
golden: ## rewrite golden files; review the diff
	go test $$(go list -test -f '{{$$p := .ImportPath}}{{range .Deps}}{{if eq . "pipelined/internal/golden"}}{{$$p}}{{end}}{{end}}' ./... | sed -n 's/\.test$$//p') -update

.PHONY: fuzz
fuzz: ## every fuzz target for half a minute
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; go test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime 30s || exit 1; done; done

N ?= 300
SEED ?= 0
.PHONY: crash
crash: ## kill the real binary N times and check that nothing is lost, doubled or out of order
	go test ./internal/crashtest -run '^TestCrash$$' -v -timeout 24h -kills $(N) -seed $(SEED)

SOAK ?= 10m
.PHONY: soak
soak: ## full load with kills, reloads and stops; prints memory and file sizes
	go test ./internal/crashtest -run '^TestSoak$$' -v -timeout 24h -soak $(SOAK) -seed $(SEED)

AGAINST ?=
.PHONY: bench
bench: ## every scenario against its baseline, with a table in Markdown; AGAINST=FILE against another pipelined instead
	go run ./bench $(if $(AGAINST),-against '$(AGAINST)') $(S)

.PHONY: bench-quick
bench-quick: ## the same in three minutes, smaller; S= for some scenarios: make bench-quick S="S1 S2"
	go run ./bench -quick $(if $(AGAINST),-against '$(AGAINST)') $(S)

.PHONY: profile
profile: ## profiles of the server under a scenario, in profile/: make profile S=S1
	go run ./bench -rounds 1 -profile profile $(or $(S),S1)
	go tool pprof -top -nodecount 40 profile/cpu.pprof

.PHONY: build
build: ## bin/pipelined
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/pipelined ./cmd/pipelined
