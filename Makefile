# Every target does its own set-up: a private environment in .venv, made by uv (taken from PyPI if it is missing).
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := $(UV) run --frozen --all-extras
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# Compiled once, or every process that the tests start compiles what it imports.
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo engines test test-syncs test-rooms rooms-fast syncs-fast rooms-slow syncs-slow test-fast lint format types bench soak audit clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "Python 3.11 or later is needed, this is %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	@$(PYTHON) -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

setup: $(filter .tools/bin/uv,$(UV)) ## make the private environment from the lock
	@$(UV) sync --quiet --frozen --all-extras --python $(PYTHON)

demo: setup ## the main job: a sandbox project into DuckDB, and queries over it
	@$(RUN) wandb-warehouse demo
	@echo 'In this checkout the command is .venv/bin/wandb-warehouse (or: . .venv/bin/activate).'

test: setup lint ## everything CI runs: lint, types, tests; three parts at a time, since much of them is waiting
	@$(MAKE) --no-print-directory -j3 --output-sync=target rooms-fast syncs-fast rooms-slow syncs-slow

# Two halves, each in two parts; the long parts come first, so that what runs last is short.
SYNCS := tests/sync tests/real_client tests/operations tests/security tests/verification

test-syncs: syncs-fast syncs-slow

test-rooms: rooms-fast rooms-slow

rooms-fast: setup
	@$(RUN) pytest -q -p no:cacheprovider -m "not slow" tests $(SYNCS:%=--ignore=%)

syncs-fast: setup types
	@$(RUN) pytest -q -p no:cacheprovider -m "not slow" $(SYNCS)

rooms-slow: setup
	@$(RUN) pytest -q -p no:cacheprovider -m slow tests $(SYNCS:%=--ignore=%)

syncs-slow: setup
	@$(RUN) pytest -q -p no:cacheprovider -m slow $(SYNCS)

engines: setup ## operations and views in PostgreSQL and Spark (some minutes; brings pyspark in)
	@ENGINES=1 $(RUN) pytest -q -rs tests/engines

test-fast: setup ## the fast tests only
	@$(RUN) pytest -q -m "not slow"

lint: setup ## ruff: rules and format
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

format: setup ## mend what ruff can mend
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

types: setup ## mypy --strict
	@$(RUN) mypy

bench: setup ## measure everything against the official client (40 minutes); writes docs/benchmarks.md
	@$(RUN) python -m benchmarks.run

soak: setup ## the long proofs of what is promised (two hours); writes docs/reliability.md
	@$(RUN) python -m tests.soak.run

audit: setup ## known vulnerabilities of what the lock holds, and its bill of materials (dist/sbom.cdx.json)
	@mkdir -p dist
	@$(UV) export --quiet --frozen --all-extras --no-emit-project --output-file dist/requirements.txt >/dev/null
	@$(UV) tool run --quiet --from 'cyclonedx-bom==7.5.0' cyclonedx-py requirements dist/requirements.txt --output-file dist/sbom.cdx.json
	@echo 'audit: the bill of materials is dist/sbom.cdx.json'
	@$(UV) tool run --quiet 'pip-audit==2.10.1' --progress-spinner off --timeout 20 --require-hashes --disable-pip -r dist/requirements.txt > dist/audit.txt 2>&1; \
	code=$$?; if grep -qiE 'could not be audited|connection|timed out|HTTPError|ServiceError|Max retries' dist/audit.txt; \
	then echo 'audit: the vulnerability service cannot be reached from here, so nothing was looked up'; \
	else cat dist/audit.txt; exit $$code; fi

clean: ## remove what the targets above made
	rm -rf .venv .tools dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
