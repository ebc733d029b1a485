# Everything a person types here; `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Start-up counts, and an environment may forbid Python to keep what it compiled.
COMPILE := $(BIN)/python -m compileall -q pv runtime kernels
SOURCES := pv runtime kernels tests benchmarks models docs

.DEFAULT_GOAL := help
.PHONY: help discharge test check bench defects oracles models format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip

$(VENV)/.formats: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[formats]'
	$(COMPILE)
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	$(COMPILE)
	touch $@

$(VENV)/.oracles: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev,oracles]'
	$(COMPILE)
	touch $@

discharge: $(VENV)/.formats ## run every bound check, record evidence, compare with the committed verdicts
	$(BIN)/pv discharge --force --against HEAD --allow-declined contracts
	$(BIN)/pv evidence verify
	$(BIN)/pv validate contracts

test: $(VENV)/.dev ## the default tests (under 5 minutes)
	$(BIN)/python -m pytest

check: $(VENV)/.oracles ## ruff and mypy --strict over everything
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

oracles: $(VENV)/.oracles ## compare with heavy outside implementations (transformers)
	$(BIN)/python -m pytest -m oracle

bench: $(VENV)/.dev ## ratios: against a peer, against the machine's own floor
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/dequantise.py
	$(BIN)/python benchmarks/digests.py
	$(BIN)/python benchmarks/opening.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/quantise.py

defects: $(VENV)/.dev ## plant known defects in working models, and count how many `apr bisect` names
	$(BIN)/python -m pv_runtime.defects

models: $(VENV)/.oracles ## train both models again and build the shipped pair (some fifteen minutes)
	OMP_WAIT_POLICY=PASSIVE PYTHONPATH=models $(BIN)/python -m recipe

format: $(VENV)/.oracles ## let ruff format and mend
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

clean: ## remove what can be made again
	rm -rf $(VENV) .pv .mypy_cache .ruff_cache .pytest_cache .hypothesis
