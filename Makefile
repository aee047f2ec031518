# Nhịp. Needs make and Python 3.11 or newer; everything else comes with the locked dependencies.

PYTHON ?= python3
# Test processes that run side by side.
WORKERS ?= 2
# Makes `make lock` choose the newest versions within the bounds: make lock UPGRADE=--upgrade
UPGRADE ?=
# Further arguments for pytest, as in `make test ARGS="-k governance"`.
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate \
	--custom-compile-command 'make lock'
CHECKED := core plugins admin_api tests bench

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench faults audit lock hooks clean distclean

help: ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make the virtual environment with the locked dependencies.

demo: setup ## Show Nhịp at work, from an order to a message.
	$(BIN)/nhip demo

test: setup ## Run every test, on SQLite and on PostgreSQL.
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal $(ARGS)

lint: setup ## Check style, types and the direction of imports.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup ## Put the code into the shape that `make lint` expects.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Measure, each benchmark against a baseline that it runs itself.
	$(BIN)/python -m bench

faults: setup ## Run the fault tests at full load.
	$(BIN)/pytest -m 'full or not full' tests/faults $(ARGS)

audit: setup ## Look up the locked dependencies in an advisory service (needs the network).
	$(BIN)/pip-audit --requirement requirements-dev.lock --require-hashes --disable-pip --strict

lock: setup ## Bring the lock files up to pyproject.toml (UPGRADE=--upgrade chooses the newest versions).
	$(COMPILE) $(UPGRADE) pyproject.toml --output-file requirements.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock

hooks: setup ## Run the checks before every commit.
	$(BIN)/pre-commit install

clean: ## Remove caches and built files.
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the virtual environment as well.
	rm -rf $(VENV)

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { \
		echo "Python was not found under the name $(PYTHON). Name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Nhịp needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version)." >&2; \
		echo "Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.dependencies: requirements-dev.lock | $(BIN)/python
	@echo "Installing the locked dependencies into $(VENV)"
	@$(PIP_INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.dependencies pyproject.toml
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
