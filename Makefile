# Needs Python 3.11 or newer, and make. Everything else is put into .venv/, and nowhere else.
# Another Python: make PYTHON=/path/to/python3.12 demo

REPORT ?= demo-report
BIN := .venv/bin
export PYTHON

# The theme's advertisement stays out of the build log.
export NO_MKDOCS_2_WARNING := 1
# Tests run side by side and benchmarks on one core: threads of the linear algebra would only wait for each other.
export OPENBLAS_NUM_THREADS := 1
# Settings of the surrounding shell that would reach into .venv/
unexport PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test slow mutants explore oldest lint format types docs bench constraints clean core dev peers

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 14

demo: core ## real registry counts, protected; writes demo-report/report.html
	$(BIN)/pets demo --output $(REPORT)
	@echo "The report is ready: open $(abspath $(REPORT))/report.html in a browser."

test: dev lint types ## everything a change must pass: lint, types, tests with coverage
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term

slow: dev ## the long tests: distributions, crashes, attacks
	$(BIN)/python -m pytest -m slow

mutants: dev ## plant each privacy bug of the catalogue and see that the tests find it (some ten minutes)
	$(BIN)/python -m pytest -m "slow or not slow" tests/mutants

explore: dev ## let hypothesis look for new counter-examples, and draw true randomness
	HYPOTHESIS_PROFILE=explore PETS_TEST_RANDOMNESS=fresh $(BIN)/python -m pytest -n 2 tests

oldest: dev ## the tests on the oldest dependencies that pyproject.toml allows
	$(BIN)/python scripts/oldest.py

lint: dev ## style, format and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: dev ## rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: dev ## mypy --strict
	$(BIN)/mypy

docs: dev ## the documentation, into site/
	$(BIN)/mkdocs build --strict
	@echo "The documentation is ready: open $(abspath site)/index.html in a browser."

bench: peers ## the figures quoted in README and docs (hours)
	$(BIN)/python -m benchmarks peers --make
	$(BIN)/python -m benchmarks --full
	@for script in benchmarks/[a-z]*.py; do \
		echo "== $$script"; $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; \
	done

constraints: ## pin anew the versions that make installs
	sh scripts/constraints.sh

clean: ## remove everything that make has made
	rm -rf .venv $(REPORT) site dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find pets tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

core dev:
	@sh scripts/environment.sh $@

peers:
	@sh scripts/environment.sh bench
