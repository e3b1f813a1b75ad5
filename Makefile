# Targets for people who change pipelined. `make help` lists them.

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.PHONY: test
test: ## all tests, as the README says
	go test ./...

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
	go test ./internal/diag ./internal/field ./internal/definition ./engine/program ./triggers/... -update

.PHONY: fuzz
fuzz: ## every fuzz target for half a minute
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; go test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime 30s || exit 1; done; done

.PHONY: bench
bench: ## every scenario against its baseline, with a table in Markdown
	go run ./bench

.PHONY: bench-quick
bench-quick: ## the same in under three minutes
	go run ./bench -seconds 3 -rounds 1

.PHONY: build
build: ## bin/pipelined
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/pipelined ./cmd/pipelined
