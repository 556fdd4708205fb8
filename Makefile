# Two commands matter: `make nightly` and `make test`. Both set up everything in .venv on their first call.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install nightly test lint types contracts test-fast test-slow mlflow worker stop clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

install: $(STAMP) ## Make the virtual environment (every other target does it when needed)

nightly: $(STAMP) ## Run one night on the simulated market; options: ARGS="--agent stocks --force"
	$(BIN)/wealtharena nightly $(ARGS)

test: lint types contracts test-fast test-slow ## Run every check and test

lint: $(STAMP) ## Style and formatting (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Static types (mypy, strict)
	$(BIN)/mypy

contracts: $(STAMP) ## Import contracts (import-linter)
	$(BIN)/lint-imports

test-fast: $(STAMP) ## Fast tests
	$(BIN)/pytest -m "not slow"

test-slow: $(STAMP) ## Whole nights, servers and workers
	$(BIN)/pytest -m slow

mlflow: $(STAMP) ## Show MLflow at http://127.0.0.1:5000 (Ctrl-C ends it)
	$(BIN)/wealtharena mlflow

worker: $(STAMP) ## Serve the deployments: a Prefect worker in the foreground
	$(BIN)/wealtharena worker

stop: $(STAMP) ## End the Prefect server that a night left running
	$(BIN)/wealtharena stop

clean: ## Remove the virtual environment and caches; data/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
