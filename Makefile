# The two commands: make demo, make test. Both make .venv first when it is missing.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
AUDIT := build/audit

.PHONY: help demo test lint types unit soak docs example corpus performance picture security constraints clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/'

demo: $(READY) ## a project from the template in demo/, three experiments, the comparison, and where to look
	@$(BIN)/python pipeline/demo.py

test: lint types unit docs ## everything that CI checks: lint, types, tests, docs

lint: $(READY) ## style and errors, by ruff; dangers, by bandit
	@echo "== lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src template/src pipeline benchmarks

types: $(READY) ## types, by mypy in strict mode
	@echo "== types"
	@$(BIN)/mypy

unit: $(READY) ## the tests, without those marked soak (about a quarter of an hour on two cores)
	@echo "== tests"
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not soak" --durations 5

soak: $(READY) ## a hundred runs killed at a random moment, each run again and compared (about an hour)
	@$(BIN)/python -m pytest -n 2 -m soak

docs: $(READY) ## is the reference of commands what --help says?
	@echo "== docs"
	@$(BIN)/python docs/generate.py --check

example: $(READY) ## run this repository's own pipeline: the examples under reports/
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro example checked showcase

corpus: $(READY) ## ask verify about a hundred runs that are not what they seem: reports/verify-corpus.md
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro --single-item verify-corpus

performance: $(READY) ## measure how fast it is, beside its peers: reports/performance.md (half a quiet hour)
	@$(BIN)/python benchmarks/peers.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro --force --single-item performance

picture: $(READY) ## the README's picture of the example's report; needs Chromium
	@$(BIN)/python pipeline/picture.py

security: $(READY) $(AUDIT)/bin/pip-audit ## known vulnerabilities of what constraints.txt pins; needs the network
	@$(BIN)/python pipeline/audit.py $(AUDIT)/bin/pip-audit

constraints: $(READY) ## write constraints.txt from what is installed
	@$(BIN)/python pipeline/constraints.py

clean: ## remove what was made here: .venv, demo, build
	rm -rf .venv demo build

# Of its own, so that what it needs is not among what is audited.
$(AUDIT)/bin/pip-audit:
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --disable-pip-version-check --quiet pip-audit==2.10.1

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing what constraints.txt says (PyTorch is large: this takes minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-color -e '.[all,dev]' -c constraints.txt \
		| awk -v end="$$([ -t 1 ] && printf '\r' || printf '\n')" -v every="$$([ -t 1 ] && echo 1 || echo 25)" \
			'/^Collecting/ && ++n % every == 0 {printf "  %3d packages, now %-40.40s%s", n, $$2, end; fflush()} \
			/^Installing/ {printf "  %3d packages, writing them %-32s%s", n, "", end; fflush()} END {print ""}'
	@touch $@
