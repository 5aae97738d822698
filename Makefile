# make demo, make test: each sets itself up first. Needs python3 (3.10 or newer) with venv, and nothing else.
PYTHON ?= python3
WORKERS ?= 2
BUDGET ?= 2x
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint emulator hardware-tools clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .[dev,mca]
	touch $@

FASHION := examples/fashion_mnist

# A network trained on real images, compiled for the commonest 64-bit ARM board; its report is build/demo.spc/report.html.
demo: $(VENV)/.ready
	mkdir -p build
	$(BIN)/spcompile $(FASHION)/model.onnx --target arm --budget $(BUDGET) --calib $(FASHION)/calibration.npz --eval $(FASHION)/test.npz -o build/demo.spc --force

lint: $(VENV)/.ready
	$(BIN)/ruff check

# Workers take the cores; libraries that start a thread for each core once more would only wait for one another.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal

# An aarch64 machine in user-mode emulation, so that tests execute ARM code: Debian's packages, unpacked under the user's cache folder; no root.
emulator: $(VENV)/.ready
	$(BIN)/python -m spcompile.runtime.emulator_setup

# Verilator and yosys, with which tests run and synthesise generated hardware: Debian's packages; needs root.
hardware-tools:
	apt-get update && apt-get install --yes --no-install-recommends verilator yosys g++ make

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info
