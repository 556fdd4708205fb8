# Two commands matter: `make nightly` and `make test`. Both set up everything in .venv on their first call.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.installed
ARGS ?=
FAULTS ?= mild

.DEFAULT_GOAL := help
.PHONY: help install nightly demo-live test lint types contracts test-fast test-slow bench mlflow worker stop clean

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

demo-live: $(STAMP) ## Run a live-style night against a stand-in for the vendors (demo data); options: FAULTS=storm ARGS="…"
	$(BIN)/python tests/doubles/demo_live.py --faults $(FAULTS) --run -- $(ARGS)

test: lint types contracts test-fast test-slow ## Run every check and test

lint: $(STAMP) ## Style and formatting (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Static types (mypy, strict)
	$(BIN)/mypy

# Peers live in an environment of their own that sees ours: some pin libraries that we have newer.
$(BENCH_STAMP): $(STAMP) tests/benchmarks/requirements-bench.txt
	test -x $(BENCH)/bin/python || $(BIN)/python -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/benchmarks/requirements-bench.txt
	echo "import site; site.addsitedir('$(CURDIR)/.venv/lib/python3.11/site-packages')" \
		> $(BENCH)/lib/python3.11/site-packages/wealtharena-bench.pth
	touch $@

bench: $(STAMP) ## Measure speed and memory against peers (installed in .venv-bench); prints tables of ratios
	-@$(MAKE) --no-print-directory $(BENCH_STAMP)
	@python=$(BIN)/python; test -e $(BENCH_STAMP) && python=$(BENCH)/bin/python; \
	for script in tests/benchmarks/bench_*.py; do $$python $$script || exit 1; done

contracts: $(STAMP) ## Import contracts (import-linter)
	$(BIN)/lint-imports

# tests/conftest.py says what shares a process, and what begins first.
SIDE_BY_SIDE := --dist loadscope --no-loadscope-reorder

test-fast: $(STAMP) ## Fast tests
	$(BIN)/pytest -m "not slow" -n 2 $(SIDE_BY_SIDE)

# Nights wait for servers and processes most of their time: more of them than cores.
test-slow: $(STAMP) ## Whole nights, servers and workers
	$(BIN)/pytest -m slow -n 4 $(SIDE_BY_SIDE)

mlflow: $(STAMP) ## Show MLflow at http://127.0.0.1:5000 (Ctrl-C ends it)
	$(BIN)/wealtharena mlflow

worker: $(STAMP) ## Serve the deployments: a Prefect worker in the foreground
	$(BIN)/wealtharena worker

stop: $(STAMP) ## End the Prefect server that a night left running
	$(BIN)/wealtharena stop

clean: ## Remove the virtual environment and caches; data/ stays
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
