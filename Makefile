PYTHON ?= python3
PROMPT ?=
EXAMPLES ?= 1000
BIN := .venv/bin
SAM := .venv-sam/bin/sam
COMPILE := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
  --no-annotate --no-emit-index-url --no-emit-find-links
SAM_VERSION := 1.170.0
MACHINE := $(if $(filter x86_64 amd64,$(shell uname -m)),x86_64,arm64)

.DEFAULT_GOAL := help
.PHONY: help install run local test fuzz coverage fault-matrix lint format openapi bench bench-load build sam-build sam-local validate check-template lock clean

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: .venv/installed  ## Make .venv, with the upcall command in it

.venv/installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Upcall needs Python 3.11 or newer: make PYTHON=/path/to/python3.13"; exit 1; }
	@echo "Installing into .venv (once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@touch $@

run: install  ## Run PROMPT (default: summarise a sample page) on the laptop cloud
	@UPCALL_STACK= $(BIN)/upcall run $${PROMPT:+"$$PROMPT"}
run: override export PROMPT := $(value PROMPT)

local: install  ## Keep the laptop cloud up
	@$(BIN)/upcall local

test: install  ## Run all tests, offline
	@$(BIN)/python -m pytest

fuzz: install  ## Ask every entrance EXAMPLES times (default: 1000) what nobody should ask, each time otherwise
	@UPCALL_FUZZ=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz

coverage: install  ## Run all tests and say what they do not reach; takes half as long again
	@$(BIN)/python -m pytest --cov

fault-matrix: install  ## Go through all that may befall a run; print it as a table, write it into docs/
	@$(BIN)/python -m pytest tests/workflow/test_fault_matrix.py tests/workflow/test_killed.py -k "not test_the_page"
	@PYTHONPATH=tests $(BIN)/python -m support.fault_matrix docs/fault-matrix.md

lint: install  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: install  ## Write the description of the API into docs/
	@$(BIN)/python -m local.openapi docs/openapi.json

bench: install  ## Measure, as ratios within one run
	@$(BIN)/python bench/cold_import.py docs/cold-import.svg
	@$(BIN)/python bench/extraction.py

bench-load: install  ## Bear 1,000 runs, 50 at once, in bad weather, on a laptop cloud of its own
	@$(BIN)/upcall bench load --runs 1000 --concurrency 50 --plot docs/load.svg

build: $(SAM)  ## Build what is deployed, for ARCHITECTURE (default: arm64)
	$(SAM) build $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))

# `sam local` takes what to run on from the built template, where that is the default of a parameter.
sam-build: $(SAM)  ## Build for `sam local`, which runs on this machine
	@ARCHITECTURE=$(MACHINE) $(SAM) build --build-dir .aws-sam/local/build --cache-dir .aws-sam/local/cache \
	  --parameter-overrides Architecture=$(MACHINE)
	@sed -i.before '/^  Architecture:/,/Default:/s/Default: .*/Default: $(MACHINE)/' .aws-sam/local/build/template.yaml
	@rm .aws-sam/local/build/template.yaml.before

sam-local: install sam-build  ## Invoke every function in its container, and call the API, with SAM local
	@$(BIN)/python -m local.sam.run_samples

validate: $(SAM)  ## Check the template
	$(SAM) validate --lint

check-template: install .venv-checks/installed  ## Check the transformed template: cfn-lint, checkov, cdk-nag
	@mkdir -p .aws-sam
	@$(BIN)/python -m local.transform_template .aws-sam/transformed.json
	@.venv-checks/bin/python checks/template.py .aws-sam/transformed.json

.venv-checks/installed: checks/requirements.txt
	@echo "Installing the checkers of templates into .venv-checks (once)"
	@$(PYTHON) -m venv .venv-checks
	@.venv-checks/bin/python -m pip install -qq --disable-pip-version-check -r checks/requirements.txt
	@touch $@

$(SAM):
	@echo "Installing the SAM CLI into .venv-sam (once)"
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python -m pip install -qq --disable-pip-version-check aws-sam-cli==$(SAM_VERSION)

lock:  ## Write the pinned requirements anew
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install -qq uv
	@$(COMPILE) $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	@for layer in runtime extraction; do \
	  rm -f layers/$$layer/requirements.txt; \
	  $(COMPILE) -c requirements-dev.txt layers/$$layer/requirements.in -o layers/$$layer/requirements.txt; done
	@rm -r .venv-lock

clean:  ## Remove what was made, save the runs in .upcall
	rm -rf .venv .venv-sam .venv-checks .aws-sam .mypy_cache .pytest_cache .ruff_cache .coverage* *.egg-info
	find . -name __pycache__ -not -path './.venv*' -exec rm -rf {} +
