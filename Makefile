# perfcast: `make run` measures this machine and predicts; `make check` is for every edit, `make test` for every commit.
PYTHON ?= python3
# How many tests run side by side: three keep two processors busy, as tests wait a third of the time.
JOBS ?= 3
# What `make test-slow` looks for slow tests in.
SLOW ?= tests
# Where SLOW names tests of which none is to run alone, pytest ends with this status.
NONE_COLLECTED := 5
# How long `make run` measures; empty: until the protocol is complete.
BUDGET ?= 4m
VENV := .venv
BIN := $(VENV)/bin

# Tests start Python hundreds of times: let it keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev run default-predictor check test test-slow test-campaign lint benchmark lock clean

help:
	@echo "make run            measure this machine for $(BUDGET), fit predictors, write the report"
	@echo "make default-predictor  measure this machine, and make the default predictor of it"
	@echo "make setup          only install what perfcast needs, into $(VENV)"
	@echo "make check          linters and fast unit tests, in under 2 minutes"
	@echo "make test           linters and every test but the slow ones: 15 minutes on 2 cores"
	@echo "make test-slow      the tests that take minutes each, and many examples of those that draw their inputs"
	@echo "make test-campaign  measure all of this machine's models, and check what comes of it"
	@echo "make benchmark      overhead of measuring, against a process per model"
	@echo "make lock           resolve envs/*.in again into pinned, hash-checked requirements"

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/.runtime: envs/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "perfcast needs Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what perfcast needs (about 3.5 GB, minutes)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime envs/requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements-dev.txt
	@touch $@

run: setup
	@$(BIN)/snakemake --profile profiles/local $(if $(BUDGET),--config budget=$(BUDGET))
	@cat results/local/summary.txt

default-predictor: BUDGET :=
default-predictor: run
	@$(BIN)/python -m perfcast.default_predictor results/local
	@echo "perfcast predict now answers for this machine: perfcast/default_predictor"

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy perfcast
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint --config target=local

# A worker takes whole modules, in the order of the folders: the long ones of the system first.
PARALLEL := --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

check: lint
	$(BIN)/pytest $(PARALLEL) -m "not heavy and not alone and not slow" tests/unit

test: lint
	$(BIN)/pytest $(PARALLEL) -m "not alone and not slow and not campaign" tests/system tests/unit
	$(BIN)/pytest -m "alone and not slow" tests/unit/runner

test-slow: setup-dev
	$(BIN)/pytest $(PARALLEL) --hypothesis-profile thorough -m "(slow or examples) and not alone" $(SLOW)
	$(BIN)/pytest --hypothesis-profile thorough -m "slow and alone" $(SLOW) || [ $$? -eq $(NONE_COLLECTED) ]

test-campaign: setup-dev
	$(BIN)/pytest -m campaign

benchmark: setup
	$(BIN)/python benchmarks/overhead.py

lock: setup-dev
	cd envs && for name in requirements requirements-dev; do \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" --upgrade $$name.in -o $$name.txt || exit 1; done
	$(BIN)/python envs/lock_conda.py

clean:
	rm -rf $(VENV)
