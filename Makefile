PYTHON ?= python3
PROMPT ?=
EXAMPLES ?= 1000
LINES ?= 1000
SECONDS ?= 3600
BIN := .venv/bin
SAM := .venv-sam/bin/sam
COMPILE := .venv-lock/bin/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links
EVERYWHERE := --universal --python-version 3.11
ON_LAMBDA := --python-platform aarch64-manylinux2014 --only-binary :all:
RUNTIMES := python3.13 python3.14
SAM_VERSION := 1.170.0
ENVIRONMENT ?= default
export CHROMIUM ?= /usr/bin/chromium
# /opt and /var/task are read-only: without bytecode, each cold start compiles what it imports. Layers compile theirs
COMPILE_FUNCTIONS = for folder in $(BUILD)/*Function; do \
  $$TARGET_PYTHON -m compileall -q --invalidation-mode unchecked-hash -s $$folder -p /var/task $$folder; done
BUILD := .aws-sam/build
bench: BUILD := .aws-sam/bench/build
NO_COLD_START = "Cold starts were not measured: they need the Python of the functions."
MACHINE := $(if $(filter x86_64 amd64,$(shell uname -m)),x86_64,arm64)

.DEFAULT_GOAL := help
.PHONY: help install run look local test test-console test-deploy test-traces deploy fuzz fuzz-documents coverage fault-matrix prices lint format openapi bench bench-batch bench-load bench-scale bench-waiting build sam-build sam-local validate check-template lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: .venv/installed  ## Install the project and the upcall command into .venv

.venv/installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Upcall needs Python 3.11 or newer: make PYTHON=/path/to/python3.13"; exit 1; }
	@echo "Installing into .venv (once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@touch $@

run: install  ## Run PROMPT (default: summarise a sample page) on the local stack
	@UPCALL_STACK= $(BIN)/upcall run $${PROMPT:+"$$PROMPT"}; status=$$?; echo "Look at it: make look" >&2; exit $$status
run: override export PROMPT := $(value PROMPT)

look: install  ## Show the console with a few runs in it, on the local stack
	@UPCALL_STACK= OPENAI_API_KEY= OPENAI_BASE_URL= $(BIN)/upcall console --samples

local: install  ## Start the local stack and keep it running
	@$(BIN)/upcall local

test: install  ## Run all tests, offline
	@$(BIN)/python -m pytest

test-console: install .venv-console/installed $(CHROMIUM)  ## Test the pages of the console in Chromium; PICTURES=1 writes the pictures of the docs
	@PYTHONPATH=.venv-console $(BIN)/python -m pytest -n 0 tests/console

test-deploy: install $(SAM) .venv-engine/installed  ## Deploy to an emulator of AWS, and run every command of the guides and every kind of run there
	@$(BIN)/python -m pytest -n 0 -x -v tests/deployment

test-traces: install .venv-traces/installed  ## Send traces of runs on a local stack to a collector of OpenTelemetry
	@$(BIN)/python -m pytest -n 0 tests/tracing

fuzz: install  ## Fuzz every entry point with EXAMPLES random inputs (default: 1000), and try all wrong responses of a server
	@UPCALL_FUZZ=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz tests/integration/run_apis/test_hostile_servers.py

fuzz-documents: install  ## Read hostile documents for SECONDS (default: an hour), within the memory of a function
	@UPCALL_FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest -n 0 -s tests/fuzz/test_hostile_documents.py

coverage: install  ## Run all tests and report the lines they do not cover; takes 1.5 times as long
	@$(BIN)/python -m pytest --cov

fault-matrix: install  ## Write the failure modes of a run into docs/ and test each of them
	@PYTHONPATH=tests $(BIN)/python -m support.fault_matrix docs/fault-matrix.md
	@$(BIN)/python -m pytest tests/integration/workflow/test_fault_matrix.py \
	  tests/integration/workflow/test_functions_killed_at_every_request.py

lint: install  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## Format the code and fix its style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: install  ## Write the OpenAPI description of the API into docs/
	@$(BIN)/python -m local.openapi docs/openapi.json

bench: install $(SAM)  ## Measure cold starts (with the functions' Python) and text extraction
	@set -e; variables=$$($(PYTHON) -m cli.build_variables default); export $$variables ARCHITECTURE=$(MACHINE); \
	  if [ -z "$$TARGET_PYTHON" ]; then echo $(NO_COLD_START); exit; fi; \
	  $(SAM) build --build-dir $(BUILD) --cache-dir .aws-sam/bench/cache \
	    --parameter-overrides Architecture=$(MACHINE) Runtime=$$RUNTIME; \
	  $(COMPILE_FUNCTIONS); \
	  $(BIN)/python -m bench.cold_start $(BUILD) $$TARGET_PYTHON docs/cold-start.svg
	@$(BIN)/python bench/extraction.py

bench-load: install  ## Load test with 1,000 runs, 50 concurrent, and injected faults, on a local stack
	@$(BIN)/upcall bench load --runs 1000 --concurrency 50 --plot docs/load.svg

bench-batch: install  ## Run a batch of LINES (default: 1000) inputs with faults, and restart the local stack in the middle
	@$(BIN)/python -m bench.batch_restart $(LINES)

bench-scale: install  ## Simulate up to a million runs a day under AWS's and OpenAI's quotas; CHECK=1 compares with load tests
	@$(BIN)/python -m bench.scale $(if $(CHECK),--check,--update)

bench-waiting: install .venv-durable/installed  ## Measure the delay and the cost of waiting; QUICK=1 takes two minutes, all takes ten
	@$(BIN)/python -m bench.waiting --durable .venv-durable/bin/python $(if $(QUICK),--quick,--plot docs/waiting.svg)

deploy: build  ## Build and deploy ENVIRONMENT of samconfig.toml (default: default)
	@$(SAM) deploy --config-env $(ENVIRONMENT)

build: $(SAM)  ## Build ENVIRONMENT of samconfig.toml for deployment
	@set -e; variables=$$($(PYTHON) -m cli.build_variables $(ENVIRONMENT)); export $$variables; \
	  $(SAM) build --config-env $(ENVIRONMENT) --cache-dir .aws-sam/cache/$${TARGET_PYTHON:+with-bytecode}; \
	  if [ "$$TARGET_PYTHON" ]; then $(COMPILE_FUNCTIONS); fi

sam-build: install $(SAM)  ## Build for `sam local`, for the architecture of this machine
	@ARCHITECTURE=$(MACHINE) $(SAM) build --build-dir .aws-sam/local/build --cache-dir .aws-sam/local/cache \
	  --parameter-overrides Architecture=$(MACHINE)
	@$(BIN)/python -m local.sam.adapt_template .aws-sam/local/build/template.yaml $(MACHINE)

sam-local: sam-build  ## Invoke every function and call the API in containers, with SAM local
	@$(BIN)/python -m local.sam.run_samples

validate: $(SAM)  ## Validate the templates with SAM and cfn-lint
	$(SAM) validate --lint
	$(SAM) validate --lint --template monitoring.yaml
	$(SAM) validate --lint --template console.yaml

check-template: install .venv-checks/installed  ## Check the transformed templates with cfn-lint, checkov and cdk-nag
	@mkdir -p .aws-sam
	@$(BIN)/python -m local.transform_template .aws-sam/transformed.json
	@.venv-checks/bin/python checks/template.py .aws-sam/transformed.json monitoring.yaml console.yaml

prices: .venv-prices/installed  ## Write the prices of OpenAI's models, as genai-prices knows them, into src/upcall/
	@.venv-prices/bin/python local/model_prices.py src/upcall/model_prices.json

.venv-prices/installed: local/model_prices.requirements.txt
	@echo "Installing genai-prices into .venv-prices (once)"
	@$(PYTHON) -m venv .venv-prices
	@.venv-prices/bin/python -m pip install -qq --disable-pip-version-check -r local/model_prices.requirements.txt
	@touch $@

.venv-console/installed: tests/console/requirements.txt
	@echo "Installing Playwright into .venv-console (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --upgrade --target .venv-console \
	  -r tests/console/requirements.txt
	@touch $@

$(CHROMIUM):
	@command -v apt-get > /dev/null || \
	  { echo "The tests of the console need Chromium: make test-console CHROMIUM=/path/to/chromium"; exit 1; }
	@if [ "$$(id -u)" != 0 ] && ! command -v sudo > /dev/null; then \
	  echo "Chromium is missing, and installing it needs root: apt-get install chromium"; exit 1; fi
	@echo "Installing Debian's chromium, which takes a minute"
	@sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); $$sudo apt-get -qq update && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium > /dev/null

.venv-engine/installed: tests/deployment/requirements.txt
	@echo "Installing an emulator of AWS into .venv-engine (once)"
	@$(PYTHON) -m venv .venv-engine
	@.venv-engine/bin/python -m pip install -qq --disable-pip-version-check -r tests/deployment/requirements.txt
	@touch $@

.venv-traces/installed: tests/tracing/requirements.txt
	@echo "Installing a collector of OpenTelemetry into .venv-traces (once)"
	@$(PYTHON) -m venv .venv-traces
	@.venv-traces/bin/python -m pip install -qq --disable-pip-version-check -r tests/tracing/requirements.txt
	@touch $@

.venv-durable/installed: bench/waiting/requirements.txt
	@echo "Installing the SDK of durable functions into .venv-durable (once)"
	@$(PYTHON) -m venv .venv-durable
	@.venv-durable/bin/python -m pip install -qq --disable-pip-version-check -r bench/waiting/requirements.txt
	@touch $@

.venv-checks/installed: checks/requirements.txt
	@echo "Installing the template checkers into .venv-checks (once)"
	@$(PYTHON) -m venv .venv-checks
	@.venv-checks/bin/python -m pip install -qq --disable-pip-version-check -r checks/requirements.txt
	@touch $@

$(SAM):
	@echo "Installing the SAM CLI into .venv-sam (once)"
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python -m pip install -qq --disable-pip-version-check aws-sam-cli==$(SAM_VERSION)

lock:  ## Update the pinned requirements
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install -qq uv
	@$(COMPILE) $(EVERYWHERE) $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	@set -e; for layer in layers/*; do for runtime in $(RUNTIMES); do \
	  rm -f $$layer/requirements-$$runtime.txt; \
	  $(COMPILE) $(ON_LAMBDA) --python-version $${runtime#python} -c requirements-dev.txt $$layer/requirements.in \
	    -o $$layer/requirements-$$runtime.txt; done; done
	@$(COMPILE) $(EVERYWHERE) tests/deployment/requirements.in -o tests/deployment/requirements.txt
	@$(COMPILE) $(EVERYWHERE) tests/tracing/requirements.in -o tests/tracing/requirements.txt
	@$(COMPILE) $(EVERYWHERE) -c requirements-dev.txt tests/console/requirements.in -o tests/console/requirements.txt
	@$(COMPILE) $(EVERYWHERE) -c requirements-dev.txt bench/waiting/requirements.in -o bench/waiting/requirements.txt
	@rm -r .venv-lock

clean:  ## Remove generated files, except for the runs in .upcall
	rm -rf .venv .venv-sam .venv-checks .venv-console .venv-engine .venv-traces .venv-durable .venv-prices .aws-sam .mypy_cache .pytest_cache .ruff_cache .coverage* *.egg-info
	find . -name __pycache__ -not -path './.venv*' -exec rm -rf {} +
