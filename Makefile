# Everything runs in .venv, which the first target that needs it makes. `make help` lists the targets.
#
# PYTHON=/path/to/python3.12 chooses the interpreter; by default it is the newest of 3.11 to 3.14
# that is found and can make a virtual environment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# Not $(BIN)/heapscope and the like: their first line would name the folder the tree was in when
# it was installed. From here `-m` finds the tree itself.
RUN := $(BIN)/python -m
PIP := $(RUN) pip --disable-pip-version-check --quiet
PYTEST_OPTIONS ?=
BENCHMARK_OPTIONS ?=
FUZZ_OPTIONS ?= --seconds 60

.PHONY: help report dist test-wheel test test-oldest lint types docs pictures format fuzz audit lock benchmark samples notebooks ratios system-packages clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

report: $(VENV)/.installed ## Set up, then build/report.html of the sample dumps, and its verdict
	@mkdir -p build
	$(RUN) heapscope report sample_dumps/leak-*.hprof.gz -o build/report.html --force

# hatchling puts no time of its own into archives, and sorts: the same tree gives the same bytes.
dist: $(VENV)/.installed-dev ## Build the source distribution and the wheel into dist/; the same bytes each time
	@rm -rf dist
	@$(RUN) heapscope.kernel_build --portable
	$(RUN) build --no-isolation --sdist --wheel --outdir dist . >/dev/null
	@rm -f heapscope/_machine_code/*-linux.o
	@sha256sum dist/*

test-wheel: dist ## Install the wheel into a clean environment outside of the tree, and run it
	@.ci/test-wheel

test: $(VENV)/.installed-dev system-packages ## Set up, then all tests
	$(RUN) pytest --numprocesses=auto --dist=loadscope $(PYTEST_OPTIONS)

fuzz: $(VENV)/.installed-dev ## Fuzz every parser for a minute; FUZZ_OPTIONS="hprof --seconds 1800" for longer
	@mkdir -p build/fuzz
	$(RUN) tests.fuzz $(FUZZ_OPTIONS)

test-oldest: .venv-oldest/.installed ## The unit tests with the oldest versions that pyproject.toml allows, on Python 3.11
	.venv-oldest/bin/python -m pytest tests/unit -q $(PYTEST_OPTIONS)

lock: $(VENV)/.installed-dev ## requirements-dev.lock: what is installed in .venv now
	@(echo "# Versions that 'make test' passed with, on one platform. Use: PIP_CONSTRAINT=requirements-dev.lock make test"; \
	  $(PIP) freeze --exclude-editable | grep -v '^pip==\|^setuptools==\|^atheris==' | sort --ignore-case) > requirements-dev.lock

audit: $(VENV)/.installed-dev ## Known vulnerabilities of what requirements-dev.lock names (asks the advisory database: needs the network)
	@$(RUN) venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --quiet --disable-pip-version-check install 'pip-audit>=2.7'
	$(VENV)/audit/bin/pip-audit --no-deps --disable-pip --requirement requirements-dev.lock

lint: $(VENV)/.installed-dev ## ruff: rules and format
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: $(VENV)/.installed-dev ## mypy --strict
	$(RUN) mypy

# The site's tools end in 2027 and say so at each start; it is built from Markdown that others read as well.
docs: $(VENV)/.installed-docs ## Build the documentation into build/site, and check every link in it
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet
	$(RUN) docs._site.links build/site

pictures: $(VENV)/.installed-dev $(VENV)/.installed-notebook system-packages ## Make every picture of the documentation again
	$(RUN) docs._site.pictures

format: $(VENV)/.installed-dev ## Let ruff rewrite the files
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

benchmark: $(VENV)/.installed-dev system-packages ## Ratios against peers, on a dump of 2 GB that is made once
	$(RUN) benchmarks.run $(BENCHMARK_OPTIONS)

ratios: $(VENV)/.installed-dev ## Compiled loops against cat, with a wide margin
	$(RUN) pytest -q -p no:xdist benchmarks/test_kernels.py

samples: $(VENV)/.installed-dev system-packages ## Make sample_dumps/ again (needs a JDK and downloads Hadoop's jars)
	$(BIN)/python sample_dumps/make_samples.py

notebooks: $(VENV)/.installed-notebook ## Open the notebooks in JupyterLab
	$(RUN) jupyter lab notebooks

system-packages: ## Look for javac and Chromium; install them where that is allowed
	@.ci/system-packages

clean: ## Remove what was built; sample_dumps stay
	rm -rf $(VENV) .venv-oldest build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so that whatever is interrupted is done again.
$(BIN)/python:
	@PYTHON="$(PYTHON)" .ci/make-venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing heapscope and what it needs into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

.venv-oldest/.installed: pyproject.toml .ci/oldest-versions
	@PYTHON="$(or $(OLDEST_PYTHON),python3.11)" .ci/make-venv .venv-oldest
	@echo "installing the oldest versions that are allowed into .venv-oldest ..."
	@.venv-oldest/bin/python .ci/oldest-versions test > .venv-oldest/constraints.txt
	@.venv-oldest/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[test]' --constraint .venv-oldest/constraints.txt
	@touch $@

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	@echo "installing heapscope with its $* tools into $(VENV) ..."
	@$(PIP) install --editable '.[$*]'
	@touch $@ $(VENV)/.installed
