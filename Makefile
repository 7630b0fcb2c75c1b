# make demo   set up, run the main job on an embedded data set, say what to open
# make test   set up, then lint, types, every test that is not slow
# make slow   the slow ones: clusters, twenty seeds, pages typed on real data
# make docs   build the site into site/; a broken link is an error
# make dist   wheel and sdist, checked, installed and run by every supported Python that is found
PYTHON ?= python3
BIN := .venv/bin
PIP_VERSION := 26.3
PYTHONS ?= python3.11 python3.12 python3.13

.PHONY: help demo test slow lint docs dist format clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sensitivenets needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip==$(PIP_VERSION)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@

demo: .venv/.ready
	$(BIN)/sensitivenets demo --out sensitivenets-demo --overwrite

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One thread a worker: two workers on two cores, and sums that do not depend on the machine.
test: lint
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --durations 10

slow: .venv/.ready
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -m slow

docs: .venv/.ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist: .venv/.ready
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/*
	set -e; for python in $(PYTHONS); do \
	  $$python -c '' 2>/dev/null || { echo "$$python: not found, not tried"; continue; }; \
	  rm -rf dist/venv && $$python -m venv dist/venv; \
	  dist/venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	    "$$(ls dist/*.whl)[train,report,onnx]"; \
	  dist/venv/bin/sensitivenets demo --n-subjects 300 --out dist/demo-$$python; \
	  echo "$$python: installed, ran"; \
	done; rm -rf dist/venv

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv dist build site sensitivenets-demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
