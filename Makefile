# Every target makes the environment that it needs; nothing has to be installed beforehand but Python.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test check bench fuzz corpus comfyui test-comfyui clean

demo: $(VENV)/.demo ## the main job, through the node classes and through a ComfyUI where one is found
	$(BIN)/python scripts/demo.py $(ARGS)

test: $(VENV)/.dev ## everything that needs no ComfyUI
	$(BIN)/python -m pytest

check: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

comfyui: ## an installed ComfyUI with this pack linked in; ARGS="--port 8189 --cpu"
	$(PYTHON) scripts/comfyui.py $(ARGS)

test-comfyui: $(VENV)/.dev ## a real server for each ComfyUI in COMFYUI_PATH, or ~/ComfyUI*
	$(BIN)/python -m pytest tests/comfyui

bench: $(VENV)/.dev ## ratios against peers, in one run
	$(BIN)/python benchmarks/run.py

fuzz: $(VENV)/.fuzz ## a coverage-guided fuzzer on the reader; RUNS=1000000
	$(BIN)/python scripts/fuzz.py -runs=$(or $(RUNS),100000)

corpus: $(VENV)/.dev ## make tests/corpus/invalid again
	$(BIN)/python scripts/make_corpus.py

clean:
	rm -rf $(VENV) demo build *.egg-info

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.demo: $(VENV)/.run
	$(PIP) --editable '.[torch]'
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	$(PIP) --editable '.[dev,fuzz]'
	touch $@
