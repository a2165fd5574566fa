# Everything is set up in .venv on the way; Debian with Python 3.11 or newer is enough.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
JOBS ?= 2

.PHONY: demo test lint check bench clean

demo: $(READY)
	$(VENV)/bin/safe-lightning demo

test: $(READY) servers
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

check: lint test

bench: $(READY)
	$(VENV)/bin/python bench/startup.py
	$(VENV)/bin/python bench/passthrough.py
	$(VENV)/bin/python bench/stream.py
	$(VENV)/bin/python bench/explain.py

# The tests talk to a real MySQL-protocol server; they start it themselves, it only has to be installed.
.PHONY: servers
servers:
	@command -v mariadbd >/dev/null || ls /usr/sbin/mariadbd >/dev/null 2>&1 || sh scripts/install-servers

$(READY): pyproject.toml setup.py $(wildcard safe_lightning/conflicts/kernel/*.[ch])
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || sh scripts/install-venv $(PYTHON) $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
