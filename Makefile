# Needs Python 3.11+, make and a package index; everything else is set up here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests that share a control plane share a process (tests/conftest.py); four of them, because much of their time is waiting.
PYTEST_FLAGS ?= -n 4 --dist loadgroup --no-loadscope-reorder

.PHONY: help setup controlplane promtool demo test check lint format unit slow bench digest lock clean

help: ## show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11+ is needed; name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.installed ## set up the virtual environment

controlplane: setup ## find or build the control plane's binaries
	@PYTHONPATH=deploy/local $(BIN)/python -m controlplane build

demo: setup ## play the story on a local control plane (KEEP=1 leaves it running)
	@PYTHONPATH=deploy/local $(BIN)/python -m demo $(if $(KEEP),--keep)

test: check ## run everything that CI runs

promtool: setup ## find or build promtool, for the tests of alerts and dashboard
	@PYTHONPATH=deploy/local $(BIN)/python -m promtool

check: lint controlplane promtool ## lint, types, import contracts and all tests
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: setup
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

unit: setup ## run the unit tests only, in seconds
	@$(BIN)/python -m pytest tests/unit

slow: setup controlplane promtool ## run tests on a machine that stands still most of the time (TESTS=tests/cluster)
	@$(BIN)/python tests/standstill.py $(BIN)/python -m pytest $(PYTEST_FLAGS) -o timeout=3600 $(TESTS)

bench: setup ## measure against a bare client, in ten minutes (PART=latency alone, FULL=1 all, ROUNDS=, REPEATS=)
	@PYTHONPATH=deploy/local $(BIN)/python -m bench $(PART) $(if $(FULL),--full) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(REPEATS),--repeats $(REPEATS))

digest: setup ## write the CRDs of the cluster's kinds, and the digest of crds/ and deploy/base/admission/, after every change there
	@PYTHONPATH=deploy/local $(BIN)/python -m crds && PYTHONPATH=deploy/local $(BIN)/python -m digest

lock: setup ## pin the development dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --upgrade -o requirements-dev.txt

clean: ## remove what was set up in this folder
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: chaos
chaos: setup controlplane ## attack the real system for minutes (SEED=, SCHEDULES=200, ONLY= replays one schedule)
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(if $(SCHEDULES),--schedules $(SCHEDULES)) $(if $(ONLY),--only $(ONLY))
