# Verbs. `make demo` and `make test` set up by themselves what they need on Debian or Ubuntu with Go and Docker.

VERSION    ?= $(shell git -c safe.directory='$(CURDIR)' describe --tags --always --dirty 2>/dev/null || echo unknown)
TESTFLAGS  ?=
FUZZTIME   ?= 30s
BENCHFLAGS ?=
PLATFORMS  := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

# The same sources and the same Go give the same bytes, wherever they lie.
GOBUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"

# The lab needs root for its namespaces. Tests and tools are compiled by the user, and only run by root; they run in
# e2e/, from whose module they build the stand-in.
ifneq ($(shell id -u),0)
ROOT   := sudo env "PATH=$$PATH"
ASROOT := -exec "sudo env 'PATH=$$PATH'"
endif

SCRIPTS := install.sh .ci/run .ci/need .ci/golangci-lint .ci/install_test.sh $(wildcard e2e/*.sh)

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
export PATH := $(PATH):/usr/local/go/bin

.PHONY: help build install demo test unit race cover e2e faults lint vet shell docs docs-check tidy-check fuzz bench lab lab-down release clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: .need-go ## Build the plugin: bin/docker-ucp
	$(GOBUILD) -o bin/docker-ucp .

install: .need-go ## Install the plugin where docker finds it: for you, or for everybody as root
	./install.sh

demo: build bin/lab .setup ## Show a whole backup on this machine: lab, backup, verify, gpg, tar, clean up
	cd e2e && $(ROOT) ./demo.sh

test: .setup vet tidy-check docs-check lint shell race e2e ## Run every test and check

unit: .need-go ## Run the tests of the plugin's own packages
	go test $(TESTFLAGS) ./...

race: .need-cc ## Run them with the race detector
	CGO_ENABLED=1 go test -race $(TESTFLAGS) ./...

cover: .need-go ## Run them and say how much of the code they reach
	go test -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

e2e: build .setup ## Run the scenarios against real engines, both versions
	cd e2e && go test -p 1 -count 1 -timeout 90m $(ASROOT) $(TESTFLAGS) ./...

faults: build .setup ## Play every fault in every phase of a backup on both engines; prints a table, takes an hour
	rm -f bin/faults.txt
	cd e2e && go test -count 1 -timeout 240m $(ASROOT) $(TESTFLAGS) -run 'Fault|Leader|Secrets' ./scenarios \
		-faults all -faults-table '$(CURDIR)/bin/faults.txt'; status=$$?; cat ../bin/faults.txt; exit $$status

vet: .need-go ## Run go vet for every platform
	go vet ./...
	GOOS=darwin go vet ./...
	GOOS=windows go vet ./...
	cd e2e && go vet ./...

lint: .need-go ## Run the linters of .golangci.yml
	.ci/golangci-lint run ./...
	cd e2e && ../.ci/golangci-lint run --config ../.golangci.yml ./...

shell: .need-go ## Check the shell scripts and test install.sh
	.ci/need shellcheck=shellcheck
	shellcheck $(SCRIPTS)
	shellcheck --shell sh --exclude SC2002 $(wildcard e2e/*/*.sh) # cat takes all of /proc/mounts before it changes
	.ci/install_test.sh

docs: .need-go ## Generate docs/reference from the commands
	go run ./docs/generate

docs-check: docs ## Fail when docs/reference is not current
	@changed=$$(git -c safe.directory='$(CURDIR)' status --porcelain -- docs/reference) && \
	if [ -n "$$changed" ]; then echo "$$changed"; echo "docs/reference was not current: commit what 'make docs' made"; exit 1; fi

tidy-check: .need-go ## Fail when go.mod or go.sum is not current
	go mod tidy -diff
	cd e2e && go mod tidy -diff

fuzz: .need-go ## Fuzz every target for FUZZTIME (30s)
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

bench: build .setup ## Measure this plugin beside the vendor's way; figures, no verdict
	cd e2e && go build -trimpath -o ../bin/bench ./bench
	cd e2e && $(ROOT) ../bin/bench -plugin ../bin/docker-ucp $(BENCHFLAGS)
	go test -run '^$$' -bench Beside -benchtime 3x -timeout 30m ./internal/seal

lab: build bin/lab .setup ## Start engines with a stand-in UCP and leave them running
	cd e2e && $(ROOT) ../bin/lab up

lab-down: bin/lab ## End what make lab started
	cd e2e && $(ROOT) ../bin/lab down

release: .need-go ## Build every platform, with checksums: dist/
	rm -rf dist
	$(foreach platform,$(PLATFORMS),$(call release_one,$(subst /, ,$(platform))))
	cp install.sh dist/
	cd dist && sha256sum docker-ucp-* > SHA256SUMS && cat SHA256SUMS

# One line of the recipe above: $(1) is system and processor.
define release_one
GOFLAGS= GOAMD64=v1 GOARM64=v8.0 GOOS=$(word 1,$(1)) GOARCH=$(word 2,$(1)) $(GOBUILD) \
	-o dist/docker-ucp-$(word 1,$(1))-$(word 2,$(1))$(if $(filter windows,$(1)),.exe) .

endef

clean: ## Remove what the verbs above built
	rm -rf bin dist coverage.out

.PHONY: bin/lab .need-go .need-cc .setup
bin/lab: .need-go
	cd e2e && go build -trimpath -o ../bin/lab ./cmd/lab

.need-go:
	@command -v go >/dev/null || { echo "there is no Go: get it from https://go.dev/dl"; exit 1; }

# The race detector needs a C compiler.
.need-cc: .need-go
	@.ci/need gcc=gcc,libc6-dev

.setup:
	@e2e/setup.sh
