# make demo, make test: each sets itself up first. Needs python3 (3.10 or newer) with venv, and nothing else.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint emulator clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .[dev,mca]
	touch $@

lint: $(VENV)/.ready
	$(BIN)/ruff check

test: lint
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

# An aarch64 machine in user-mode emulation, so that tests execute ARM code: Debian's packages, unpacked under the user's cache folder; no root.
emulator: $(VENV)/.ready
	$(BIN)/python -m spcompile.runtime.emulator

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
