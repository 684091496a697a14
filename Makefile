# make demo       train, evaluate and report PDE-Refiner on Kolmogorov flow, from nothing
# make test       style, then all tests (make test-fast: the fast ones)
# make oracles    pdekit next to independent implementations, in an environment of their own
# make docs       the site, in docs/_build/html
# make lint       style and types only (make format: correct the style, wrap the prose)
# make coverage   the fast tests, with the share of lines that they run
# make bench      speed and accuracy next to peers; wants a quiet machine
# make pins       write the constraints files again from the environments as they are
# make clean      remove what is built (make distclean: the environments too); data and runs are kept
#
# PYTHON=python3.12 make test   chooses the interpreter of a new environment.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test

PYTHON ?= python3
BIN := .venv/bin
ORACLES := .venv-oracles/bin
INSTALLED := .venv/installed
COMMA := ,
INSTALLED_DOCS := .venv/installed-docs
INSTALLED_ORACLES := .venv-oracles/installed

# Tests are many small tensors: one thread each, and one process for each core. Files run in the order of tests/conftest.py.
# Python keeps its bytecode: without it each of two processes takes twice as long to collect the tests.
WORKERS ?= 2
PYTEST := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

BENCHMARKS := $(filter-out benchmarks/interleaved.py benchmarks/solver_peers.py,$(wildcard benchmarks/*.py))
PIP_INSTALL := pip --disable-pip-version-check install --quiet

# $(call environment,FOLDER,CONSTRAINTS,EXTRA): a stamp is written only when every step went well.
# torch comes first, by itself and pinned, so that whatever asks for torch later finds it in place: unpinned, a newer one
# would replace it, on Linux with gigabytes of CUDA libraries. A pin like torch==2.13.0 takes any build of that version, so
# pip's own settings choose between CPU and CUDA. Without build isolation the pinned setuptools builds what has no wheel.
define environment
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
		f"expected Python 3.11 or newer, found {v[0]}.{v[1]} ($(PYTHON)); choose another: make PYTHON=python3.12")'
	rm -f $(1)/installed*
	$(1)/bin/python -m pip --version >/dev/null 2>&1 || { rm -rf $(1); $(PYTHON) -m venv $(1); }
	@echo 'setting up $(1): torch first, then all of $(2) (minutes the first time)'
	$(1)/bin/python -m $(PIP_INSTALL) $$(grep -E '^(torch|setuptools)==' $(2))
	$(1)/bin/python -m $(PIP_INSTALL) --no-build-isolation -c $(2) -e '.[$(3)]'
	touch $@
endef

.PHONY: demo test test-fast coverage oracles docs lint format bench pins clean distclean

$(INSTALLED): pyproject.toml constraints.txt
	$(call environment,.venv,constraints.txt,dev$(COMMA)fem)

$(INSTALLED_DOCS): $(INSTALLED)
	$(BIN)/python -m $(PIP_INSTALL) --no-build-isolation -c constraints.txt -e '.[docs]'
	touch $@

# azula without its requirements: its torchvision from PyPI does not load next to a CPU build of torch
$(INSTALLED_ORACLES): pyproject.toml constraints-oracles.txt
	$(call environment,.venv-oracles,constraints-oracles.txt,oracles$(COMMA)fem)
	$(ORACLES)/python -m $(PIP_INSTALL) --no-deps -c constraints-oracles.txt azula || { rm -f $@; exit 1; }

demo: $(INSTALLED)
	$(BIN)/python -m pdekit.train model=pde_refiner data=kolmogorov

test: lint
	$(PYTEST) $(PARALLEL) -m "not oracle and not network"

test-fast: lint
	$(PYTEST) $(PARALLEL)

coverage: $(INSTALLED)
	$(PYTEST) $(PARALLEL) --cov=pdekit --cov-report=term:skip-covered

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python docs/wrap.py README.md docs/*.md

oracles: $(INSTALLED_ORACLES)
	OMP_NUM_THREADS=1 $(ORACLES)/python -m pytest tests/oracles -m oracle
	OMP_NUM_THREADS=1 $(ORACLES)/python -m pytest tests/test_benchmarks.py -m slow

docs: $(INSTALLED_DOCS)
	$(BIN)/python -m sphinx -E -W --keep-going -b html docs docs/_build/html

# the environment of the oracles has the peers; BENCH=--quick takes less time
bench: $(INSTALLED_ORACLES)
	for script in $(BENCHMARKS); do echo "== $$script"; $(ORACLES)/python $$script $(BENCH); done

pins: $(INSTALLED_DOCS) $(INSTALLED_ORACLES)
	for name in "" -oracles; do \
		{ sed '/^[^#]/,$$d' constraints$$name.txt; \
		.venv$$name/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//'; } \
		> constraints$$name.new && mv constraints$$name.new constraints$$name.txt; done

clean:
	rm -rf build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find pdekit tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv .venv-oracles
