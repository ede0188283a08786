# make demo: what a user has (.venv, the base package).  make test: what a developer has (.venv-dev).
PYTHON ?= python3
# pip's own cache and settings must not need a home directory
export HOME := $(or $(HOME),$(CURDIR)/.home)
PIP = -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: demo test check docs coverage python clean

demo: .venv/ready
	.venv/bin/timbretree tag examples/ode_to_joy.ogg --explain
	.venv/bin/timbretree tag examples/ode_to_joy.ogg --explain --format html --out demo-out --force
	@echo "Open demo-out/ode_to_joy.ogg.html in a browser for the timeline and the attention."

test: .venv-dev/ready
	.venv-dev/bin/python -m pytest -n logical --dist loadfile  # a process a core, a file each at a time

check: .venv-dev/ready
	.venv-dev/bin/ruff check .
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/mypy

# the theme's word on another program's future is no news of ours
docs: .venv-dev/ready
	NO_MKDOCS_2_WARNING=1 .venv-dev/bin/mkdocs build --strict

coverage: .venv-dev/ready
	rm -rf build/coverage
	.venv-dev/bin/python -m coverage run -m pytest -n logical --dist loadfile
	.venv-dev/bin/python -m coverage combine --quiet
	.venv-dev/bin/python -m coverage json --quiet -o build/coverage/report.json
	.venv-dev/bin/python benchmarks/untested.py

.venv/ready: pyproject.toml constraints.txt $(shell find src -type f -not -name '*.pyc') | python
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) .
	touch $@

.venv-dev/ready: pyproject.toml constraints.txt | python
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/python $(PIP) -e ".[train,render,formats,parquet,tags,cluster,serve,hub,docs,dev]"
	touch $@

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "timbretree needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "this Python can't make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }

clean:
	rm -rf .venv .venv-dev .home demo-out site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
