# Everything a user or developer does, by name.  `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= bench
FUZZ_SECONDS ?= 180
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
# What the house's own gate holds against tests/baseline.json.
GATE := runs/gate
GUARDED := --data demo --codecs spc@7.5+3.75,rvq@7.5 \
  --metrics stoi,estoi,pesq-wb,pesq-nb,mcd,visqol,si-sdr,mel-distance
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Model files that lie beside the repository are used where nothing else is said.
ifneq ($(wildcard ../shared/lyra),)
export CODECBENCH_WEIGHTS ?= ../shared
endif

.DEFAULT_GOAL := help
.PHONY: help bench test test-slow test-network perf train-perf vocoder-race fuzz parity docs gate baseline release-check verify-hub

help:  ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# torch comes first and alone, so that the pinned CPU build is chosen before another package asks for one.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) --editable '.[all]'
	touch $@

$(VENV)/.dev: $(VENV)/.bench
	$(PIP) --editable '.[all,dev]'
	touch $@

bench: $(VENV)/.bench  ## install, run the benchmark on the demo set, write the report
	$(BIN)/codecbench run --data demo --codecs pcm,spc,rvq,lyra,opus,codec2 --workers $(WORKERS) --out $(OUT)
	$(BIN)/codecbench report $(OUT) --to $(OUT)/report --ours spc

test: $(VENV)/.dev  ## install the development extras, check and test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -m 'not slow and not network' -n 2

test-slow: $(VENV)/.dev  ## the slow tests: full-size models, long chaos and fuzz runs
	$(BIN)/pytest -m slow

test-network: $(VENV)/.dev  ## the tests that need the internet
	$(BIN)/pytest -m network

perf: $(VENV)/.bench  ## two workers against one, the runner's own share, metrics against plain libraries
	$(BIN)/python scripts/perf_metrics.py
	$(BIN)/python scripts/perf.py

train-perf: $(VENV)/.bench  ## audio seconds trained per second, for each stage
	$(BIN)/python scripts/train_perf.py

vocoder-race: $(VENV)/.bench  ## the three generators, trained for the same short time on one core
	$(BIN)/python scripts/vocoder_race.py

fuzz: $(VENV)/.bench  ## damage every format that is read, for FUZZ_SECONDS in all, and see that nothing falls
	$(BIN)/python scripts/fuzz.py --seconds $(FUZZ_SECONDS)

parity: $(VENV)/.bench  ## original EnCodec and DAC packages against their transformers classes
	$(BIN)/python scripts/parity.py

release-check: $(VENV)/.bench  ## sdist and wheel, installed into empty environments and used there
	$(BIN)/python scripts/release_check.py --constraint constraints.txt

verify-hub: $(VENV)/.bench  ## fetch the hub's codecs, run them on LibriSpeech, hold them against papers (VERIFY="--limit 40")
	$(BIN)/python scripts/verify_hub.py $(VERIFY)

docs: $(VENV)/.bench  ## write the generated pages of docs/
	$(BIN)/python scripts/write_docs.py

gate: $(VENV)/.bench  ## hold the tree's checkpoints and metrics against the released baseline, in 3 minutes
	$(BIN)/codecbench run $(GUARDED) --workers $(WORKERS) --audio all --overwrite --strict --out $(GATE)
	$(BIN)/codecbench gate tests/baseline.json $(GATE) --page $(GATE).html

baseline: $(VENV)/.bench  ## write that baseline anew, at a release
	$(BIN)/codecbench run $(GUARDED) --workers $(WORKERS) --overwrite --strict --out $(GATE)
	$(BIN)/codecbench gate --save tests/baseline.json $(GATE)
