PYTHON ?= python3
PROMPT ?=
EXAMPLES ?= 1000
SECONDS ?= 3600
BIN := .venv/bin
SAM := .venv-sam/bin/sam
COMPILE := .venv-lock/bin/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links
EVERYWHERE := --universal --python-version 3.11
ON_LAMBDA := --python-platform aarch64-manylinux2014 --only-binary :all:
RUNTIMES := python3.13 python3.14
SAM_VERSION := 1.170.0
TARGET_PYTHON ?= python3.13
# /opt and /var/task are read-only: without bytecode, each cold start compiles what it imports
COMPILE_BUILD = set -e; for folder in .aws-sam/build/*/; do \
  case $$folder in *Layer/) prefix=/opt;; *) prefix=/var/task;; esac; \
  $(TARGET_PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash -s $${folder%/} -p $$prefix $$folder; done
NO_BYTECODE = "There is no $(TARGET_PYTHON), so the build has no bytecode, and each cold start takes longer."
BENCH_BUILD := .aws-sam/bench/build
BENCH_RUNTIME = $(shell $(TARGET_PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
BENCH_COLD_START = ARCHITECTURE=$(MACHINE) RUNTIME=$(BENCH_RUNTIME) $(SAM) build --build-dir $(BENCH_BUILD) \
  --cache-dir .aws-sam/bench/cache --parameter-overrides Architecture=$(MACHINE) Runtime=$(BENCH_RUNTIME) && \
  ( $(subst .aws-sam/build,$(BENCH_BUILD),$(COMPILE_BUILD)) ) && \
  $(BIN)/python -m bench.cold_start $(BENCH_BUILD) $(TARGET_PYTHON) docs/cold-start.svg
NO_COLD_START = "Cold starts were not measured: there is no $(TARGET_PYTHON). make bench TARGET_PYTHON=/path/to/it"
MACHINE := $(if $(filter x86_64 amd64,$(shell uname -m)),x86_64,arm64)

.DEFAULT_GOAL := help
.PHONY: help install run local test fuzz fuzz-documents coverage fault-matrix lint format openapi bench bench-load build sam-build sam-local validate check-template lock clean

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
	@UPCALL_STACK= $(BIN)/upcall run $${PROMPT:+"$$PROMPT"}
run: override export PROMPT := $(value PROMPT)

local: install  ## Start the local stack and keep it running
	@$(BIN)/upcall local

test: install  ## Run all tests, offline
	@$(BIN)/python -m pytest

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

bench: install $(SAM)  ## Measure cold starts (needs TARGET_PYTHON) and text extraction
	@if $(TARGET_PYTHON) -c "" 2>/dev/null; then $(BENCH_COLD_START); else echo $(NO_COLD_START); fi
	@$(BIN)/python bench/extraction.py

bench-load: install  ## Load test with 1,000 runs, 50 concurrent, and injected faults, on a local stack
	@$(BIN)/upcall bench load --runs 1000 --concurrency 50 --plot docs/load.svg

build: $(SAM)  ## Build for deployment, for ARCHITECTURE (default: arm64)
	$(SAM) build $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))
	@$(if $(shell $(TARGET_PYTHON) -c "print(1)" 2>/dev/null),$(COMPILE_BUILD),echo $(NO_BYTECODE))

sam-build: install $(SAM)  ## Build for `sam local`, for the architecture of this machine
	@ARCHITECTURE=$(MACHINE) $(SAM) build --build-dir .aws-sam/local/build --cache-dir .aws-sam/local/cache \
	  --parameter-overrides Architecture=$(MACHINE)
	@$(BIN)/python -m local.sam.adapt_template .aws-sam/local/build/template.yaml $(MACHINE)

sam-local: sam-build  ## Invoke every function and call the API in containers, with SAM local
	@$(BIN)/python -m local.sam.run_samples

validate: $(SAM)  ## Validate the templates with SAM and cfn-lint
	$(SAM) validate --lint
	$(SAM) validate --lint --template monitoring.yaml

check-template: install .venv-checks/installed  ## Check the transformed templates with cfn-lint, checkov and cdk-nag
	@mkdir -p .aws-sam
	@$(BIN)/python -m local.transform_template .aws-sam/transformed.json
	@.venv-checks/bin/python checks/template.py .aws-sam/transformed.json monitoring.yaml

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
	@rm -r .venv-lock

clean:  ## Remove generated files, except for the runs in .upcall
	rm -rf .venv .venv-sam .venv-checks .aws-sam .mypy_cache .pytest_cache .ruff_cache .coverage* *.egg-info
	find . -name __pycache__ -not -path './.venv*' -exec rm -rf {} +
