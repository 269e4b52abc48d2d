# The verbs of this repository. Each does its own set-up, and does it once: see the stamp files in .venv.
# `run` needs Python 3.11 or newer and nothing else; `test` and `bench` also need node and npm for the storage emulator.

VENV := .venv
BIN := $(VENV)/bin
WORKER_VENV := .venv-worker
AZURITE := tools/azurite
PIP := -m pip -qq --disable-pip-version-check --no-input

MINUTES ?= 10

READY := $(VENV)/.ready
READY_RUN := $(VENV)/.ready-run
READY_DEV := $(VENV)/.ready-dev
READY_WORKER := $(WORKER_VENV)/.ready
READY_AZURITE := $(AZURITE)/node_modules/.ready

export PYTHON
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help run test check bench simulate crash-points mutations soak clean $(WORKER_VENV)

help:
	@echo "make run          start the app of function_app.py here, on one SQLite file (options: make run ARGS=...)"
	@echo "make test         all tests, the storage emulator's included (options: make test ARGS=...)"
	@echo "make check        lint, formatting, strict types, architecture"
	@echo "make bench        the benchmarks (options: make bench ARGS=...)"
	@echo "make crash-points every scenario, stopped at every storage call; a table (options: make crash-points ARGS=...)"
	@echo "make mutations    the engine broken on purpose, rule by rule: do tests notice? (options: make mutations ARGS=...)"
	@echo "make soak         minutes of load under kill -9 and storage restarts (options: make soak MINUTES=10 ARGS=...)"
	@echo "make simulate     whole hubs with everything going wrong, one run a seed (options: make simulate SEEDS=10000)"
	@echo "make clean        remove what set-up and tools have made; your data files stay"

run: $(READY_RUN)
	@exec $(BIN)/durable host $(ARGS)

test: $(READY_DEV) $(READY_AZURITE) $(READY_WORKER)
	@if [ -f $(READY_WORKER) ]; then export DURABLE_EXT_WORKER_PYTHON="$(CURDIR)/$(WORKER_VENV)/bin/python"; fi; \
	$(BIN)/python -m pytest -q -n logical --dist worksteal $(ARGS)

check: $(READY_DEV)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/pyright
	@$(BIN)/python -m pytest -q tests/architecture

bench: $(READY_DEV) $(READY_AZURITE)
	@$(BIN)/python -m benchmarks $(ARGS)

crash-points: $(READY_DEV)
	@$(BIN)/python -m tests.crash_points $(ARGS)

mutations: $(READY_DEV)
	@$(BIN)/python -m tests.mutations $(ARGS)

soak: $(READY_DEV) $(READY_AZURITE)
	@$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) $(ARGS)

SEEDS := 500
simulate: $(READY_DEV)
	@$(BIN)/python -m durable_ext.testing.simulation --seeds $(SEEDS) $(ARGS)

clean:
	@rm -rf $(VENV) $(WORKER_VENV) $(AZURITE)/node_modules .pytest_cache .ruff_cache build dist
	@find durable_ext tests examples benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv that is there and works is kept, whoever made it; a half-made one is made again.
$(READY):
	@if ! $(BIN)/python $(PIP) --version >/dev/null 2>&1; then \
		python=$$(tools/find-python) && echo "setting up $(VENV) with $$python" && "$$python" -m venv --clear $(VENV); \
	fi
	@touch $@

$(READY_RUN): pyproject.toml | $(READY)
	@$(BIN)/python $(PIP) install -e .
	@touch $@

$(READY_DEV): pyproject.toml | $(READY)
	@$(BIN)/python $(PIP) install -e '.[dev]'
	@touch $@ $(READY_RUN)

$(READY_AZURITE): $(AZURITE)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed for the storage emulator; install node and npm"; exit 1; }
	@cd $(AZURITE) && npm ci --loglevel=error --no-fund --no-audit --no-progress
	@touch $@

# The newest Functions worker is published for Python 3.13 and later. Without a 3.13 no file appears here, the line
# below is said again at each run, and the tests that need the worker do not run.
$(WORKER_VENV): $(READY_WORKER)
$(READY_WORKER): pyproject.toml
	@if python=$$(tools/find-python 3.13); then \
		echo "setting up $(WORKER_VENV) with $$python" && "$$python" -m venv --clear $(WORKER_VENV) \
		&& $(WORKER_VENV)/bin/python $(PIP) install -e '.[worker]' && touch $@; \
	else \
		echo "No Python 3.13 here: the tests against the real Functions worker are not run."; \
	fi
