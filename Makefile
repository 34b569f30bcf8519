# Everything runs from a fresh clone: the first target that needs it makes .venv from constraints.txt.
# Another Python: `make setup PYTHON=python3.12`. An environment of your own: `make test VENV=/path/to/venv`.
# A torch build for your machine (CUDA, CPU only): install it into .venv before `make setup`; pip then keeps it.

PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.probgen-ready
JOBS   ?= 2
OUT    ?= build
DATA   ?= digits
DEVICE ?= cpu

export MPLBACKEND := Agg

# One thread a worker: on two cores this is faster than two threads in each of two workers.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist worksteal --timeout 600 -q

.PHONY: help setup test test-long coverage lint types docs examples browser demo bench wheel ci format clean

help:
	@echo "make test        the fast suite with all doctests (nine minutes on two quiet cores)"
	@echo "make test-long   everything: every law on every class, statistical and inductor tests"
	@echo "make demo        train a model of each family on the embedded digits, write one page that compares them"
	@echo "make demo DATA=fashion-mnist DEVICE=cuda    the same on 28x28 images, on an accelerator"
	@echo "make lint | types | docs | examples | browser | bench | wheel | coverage"
	@echo "make browser     looks at the built pages in Chromium (after make docs)"
	@echo "make ci          what has to pass: lint, types, test, docs, examples, browser, wheel"
	@echo "make format      ruff format and ruff check --fix"
	@echo "make clean       remove what was built (not .venv)"

setup: $(READY)

$(READY): constraints.txt setup.cfg pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q -c constraints.txt torch
	$(PY) -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

test: $(READY)
	$(PYTEST)

test-long: $(READY)
	PROBGEN_PROFILE=long $(PYTEST) --timeout 3000 -m "not gpu and not benchmark"

coverage: $(READY)
	$(PYTEST) --cov --cov-report=term --cov-report=json:$(OUT)/coverage.json
	$(PY) -m tests.repository.branches $(OUT)/coverage.json

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell
	$(VENV)/bin/lint-imports

types: $(READY)
	$(VENV)/bin/mypy

docs: $(READY)
	$(VENV)/bin/sphinx-build -W --keep-going -q -j $(JOBS) -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

examples: $(READY)
	@mkdir -p $(OUT)
	@ls examples/*.py | OMP_NUM_THREADS=1 xargs -P $(JOBS) -I SCRIPT sh -c \
		'$(PY) SCRIPT --smoke > "$(OUT)/$$(basename SCRIPT).log" 2>&1 && echo "SCRIPT --smoke" || { cat "$(OUT)/$$(basename SCRIPT).log"; exit 255; }'

# Chromium has to be there (`apt-get install chromium`; another place: CHROMIUM=/path); without it this says so and fails.
SEARCH := ELBO spline score flow_matching_schedule
browser: $(READY)
	@test -f docs/_build/html/index.html || { echo "docs/_build/html is not there: make docs first"; exit 1; }
	$(PY) -m pip install -q -c constraints.txt -e ".[browser]"
	$(PY) -m tests.browser docs/_build/html $(wildcard out/*.html) --jobs $(JOBS) --search $(SEARCH)
	$(PY) -m pytest -q -m slow tests/browser

demo: $(READY)
	$(PY) examples/demo.py --data $(DATA) --device $(DEVICE)

bench: $(READY)
	$(PY) -m pip install -q -c constraints.txt -e ".[bench]"
	$(PY) -m tests.benchmarks.continuous_flow_steps
	$(PY) -m tests.benchmarks.vae_steps
	$(PY) -m tests.benchmarks.adversarial_steps
	$(PY) -m tests.benchmarks.pixel_cnn_steps
	$(PY) -m tests.benchmarks.autoregressive_sites
	$(PY) -m tests.benchmarks.wave_net_steps
	$(PY) -m tests.benchmarks.pixel_sampling
	$(PY) -m tests.benchmarks.attention_sampling
	$(PY) -m tests.benchmarks

# The wheel, installed into a clean environment, has to pass its own doctests away from the source tree.
wheel: $(READY)
	rm -rf $(OUT)/wheel $(OUT)/clean $(OUT)/lib $(OUT)/bdist.*
	$(PY) -m build --wheel --no-isolation --outdir $(OUT)/wheel .
	$(PYTHON) -m venv $(OUT)/clean
	$(OUT)/clean/bin/python -m pip install -q -c constraints.txt torch
	wheel=$$(ls $(OUT)/wheel/*.whl) && $(OUT)/clean/bin/python -m pip install -q -c constraints.txt "$$wheel[testing,plot]" pytest-xdist scikit-learn
	cd $(OUT)/clean && OMP_NUM_THREADS=1 bin/python -m pytest --pyargs probgen --doctest-modules -n $(JOBS) -q -p no:cacheprovider \
		-o doctest_optionflags="NORMALIZE_WHITESPACE ELLIPSIS NUMBER"

ci: $(READY)
	@for step in lint types test docs examples browser wheel; do \
		start=$$(date +%s); $(MAKE) --no-print-directory $$step || exit 1; \
		echo "make $$step took $$(( $$(date +%s) - start )) s"; \
	done

format: $(READY)
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:
	rm -rf build dist *.egg-info docs/_build docs/_generated out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
