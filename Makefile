# Two commands on a fresh machine: `make demo` and `make test`. Each makes the .venv that it needs.
#
# PIP_ARGS adds arguments to every pip install, e.g. for a CPU-only torch:
#   make demo PIP_ARGS="--extra-index-url <index of CPU builds>"
# PYTHON chooses the interpreter (≥ 3.11) that makes .venv.
# SHUFFLE: the seed of an order of tests; FUZZ_SECONDS: of each target of `make fuzz`.
# PYTEST_ARGS adds arguments to every run of pytest.
# TEST_PROCESSES: how many processes share the tests, `auto`: one per core, at most eight; 0: none beside pytest's own.

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
TEST_PROCESSES ?= auto
SHUFFLE ?= $(shell date +%Y%m%d)
FUZZ_SECONDS ?= 60
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
INSTALL := $(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable
PYTEST := $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --maxprocesses 8 --dist worksteal $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-all test-shuffled coverage fuzz mutation lint format bench tables wheel wheels clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[dev]'
	touch $@

install: $(READY)  ## make .venv with everything, pinned by constraints.txt

demo: $(READY)  ## train, score, draw and tabulate on the embedded synthetic set (some minutes)
	$(BIN)/radar experiment=demo

# several processes share the cores; threads of their own would wait for each other
test test-slow test-all test-shuffled coverage mutation: export OMP_NUM_THREADS := 1
test test-slow test-all test-shuffled coverage mutation: export OMP_WAIT_POLICY := passive

test: $(READY)  ## the tests, without the slow ones
	$(PYTEST)

test-slow: $(READY)  ## the slow tests: whole runs, signals, two processes, the wheel, real images where they are present
	$(PYTEST) -m slow

test-all: $(READY)  ## all tests
	$(PYTEST) -m 'slow or not slow'

test-shuffled: $(READY)  ## the tests in another order every day, or in that of SHUFFLE=SEED
	$(PYTEST) --shuffle $(SHUFFLE)

coverage: $(READY)  ## which branches of radar/ the tests without the slow ones take, into outputs/coverage; fails below 90 %
	$(INSTALL) '.[coverage]'
	mkdir -p outputs
	COVERAGE_FILE=outputs/.coverage $(PYTEST) --cov=radar --cov-branch --cov-report=term:skip-covered --cov-report=html:outputs/coverage --cov-report=json:outputs/coverage.json
	$(BIN)/python -m scripts.covered outputs/coverage.json --to outputs/branches.json

fuzz: $(READY)  ## bytes that nobody wrote, for FUZZ_SECONDS each, to what reads foreign files
	$(INSTALL) '.[fuzz]'
	$(BIN)/python -m scripts.fuzz --seconds $(FUZZ_SECONDS)

mutation: $(READY)  ## change scoring, metrics and keys line by line, and see that a test fails (hours)
	$(INSTALL) '.[mutation]'
	$(BIN)/mutmut run
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m scripts.mutants --to outputs/mutants.json

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## let ruff format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## speed of this machine beside diffusers and MONAI, into outputs/benchmark.json (about five minutes)
	$(INSTALL) '.[bench]'
	$(BIN)/python -m scripts.benchmark

tables: $(READY)  ## every table and figure quoted in README and docs, from the committed records
	$(BIN)/python -m scripts.pages

wheel: $(READY)  ## build the wheels of radar and of its runtime into dist/
	$(BIN)/python -m build --wheel
	$(BIN)/python -m build --wheel --outdir dist radar/runtime

wheels: $(READY)  ## a folder of all wheels that radar and its runtime need: wheels/ installs them without internet
	$(BIN)/python -m pip wheel --quiet $(PIP_ARGS) --constraint constraints.txt --wheel-dir wheels '.[export,inspect]' './radar/runtime[onnx,openvino,tiff]'

clean:  ## remove .venv, build products and caches; outputs/ stays
	rm -rf $(VENV) build dist wheels .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
