# make demo   set up, run the main job on an embedded data set, say what to open
# make test   set up, then lint, types, every test
PYTHON ?= python3
BIN := .venv/bin
PIP_VERSION := 26.3

.PHONY: help demo test lint format clean
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
	$(BIN)/sensitivenets demo --out sensitivenets-demo

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One thread a worker: two workers on two cores, and sums that do not depend on the machine.
test: lint
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --durations 10

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv dist build sensitivenets-demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
