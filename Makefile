# Every target creates the environment that it needs; only Python has to be installed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test test-alone check bench fuzz attack corpus comfyui test-comfyui test-packs test-browser web-lint web-test clean

demo: $(VENV)/.demo ## save and reproduce an image, through the node classes and through a ComfyUI if one is found
	$(BIN)/python scripts/demo.py $(ARGS)

test: $(VENV)/.dev web-test ## all tests that need no ComfyUI
	$(BIN)/python -m pytest

test-alone: $(VENV)/.dev ## each test file in a process of its own, so that none relies on another
	@set -e; for file in tests/unit/test_*.py tests/nodes/test_*.py; do \
		echo "$$file"; $(BIN)/python -m pytest -q "$$file"; \
	done

check: $(VENV)/.dev web-lint ## ruff, mypy, eslint and tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

web-lint: SCRIPTS = lint types
web-test: SCRIPTS = test
web-lint web-test: ## eslint and tsc, or vitest, on web/, if Node is found
	@if node -e '[a, b] = process.versions.node.split("."); process.exit(100 * a + +b < 2019 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory node_modules/.installed && \
		for script in $(SCRIPTS); do npm run --silent $$script || exit 1; done; \
	else \
		echo "NOT CHECKED: web/ with $@, which needs npm and Node 20.19 or later"; \
	fi

comfyui: ## an installed ComfyUI with this pack linked in; ARGS="--port 8189 --cpu"
	$(PYTHON) scripts/comfyui.py $(ARGS)

test-comfyui: $(VENV)/.dev ## the tests in a real server of each ComfyUI in COMFYUI_PATH, or ~/ComfyUI*
	$(BIN)/python -m pytest tests/comfyui

test-packs: $(VENV)/.dev ## the samplers of the node packs in GEN5_PACKS, or ~/gen5-packs; ARGS="--packs-table docs/packs.md"
	$(BIN)/python -m pytest tests/packs $(ARGS)

test-browser: $(VENV)/.browser ## the tests in Chromium with the newest ComfyUI, on two frontends; ARGS="--frontend 1.58.1 -k open"
	-$(BIN)/python scripts/comfyui_frontends.py
	$(BIN)/python -m pytest tests/browser $(ARGS)

bench: $(VENV)/.dev ## the tables of docs/measured.md
	$(BIN)/python benchmarks/run.py

fuzz: $(VENV)/.fuzz ## a coverage-guided fuzzer on the reader, on PNGs that carry a record, and on all readers at once; RUNS=1000000 TARGET=carrier
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory node_modules/.installed; fi
	set -e; for target in $(or $(TARGET),reader carrier differential); do \
		$(BIN)/python scripts/fuzz.py $$target -runs=$(or $(RUNS),100000); \
	done

attack: $(VENV)/.dev ## attacks on files, prompts and words, with what was seen; ARGS="scrub words" for some
	$(BIN)/python -m scripts.attack $(ARGS)

corpus: $(VENV)/.dev ## write tests/corpus/invalid again
	$(BIN)/python scripts/make_corpus.py

clean:
	rm -rf $(VENV) demo build node_modules *.egg-info

# package.json replaces esbuild and rollup by their WebAssembly builds, so that one lock file serves every platform.
node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund
	touch $@

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

$(VENV)/.browser: $(VENV)/.dev
	$(PIP) --editable '.[dev,browser]'
	touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	$(PIP) --editable '.[dev,fuzz]'
	touch $@
