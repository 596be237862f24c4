# One command for each thing a person does here. Needs GNU make and python3 with venv, nothing else.
# The first use of a command creates .venv and installs into it what that command needs; later
# uses install nothing, until pyproject.toml or constraints.txt changes.
#
#   make train                                             LeNet-5 on the bundled digits, NPL beside torch
#   make train ARGS="--data fashion-mnist --epochs 5"
#   make test                                              ARGS="-k bce" and the like go to pytest
#   make bench                                             ARGS go to python -m benchmarks
#   make lint        make docs        make clean

PYTHON ?= python3
ARGS   ?=

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: train test bench lint docs layout clean
.NOTPARALLEL:            # two installers in one environment would break it

train: $(VENV)/.has-examples
	$(BIN)/python examples/train_lenet.py --loss both $(ARGS)

test: $(VENV)/.has-test
	$(BIN)/python -m pytest -n 2 $(ARGS)

bench: $(VENV)/.has-test
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.has-lint $(VENV)/.has-torch layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/layout && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p npl

docs: $(VENV)/.has-docs layout
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The package as it is installed, npl with adapters inside, by links: for the tools that read sources
# (mypy, mkdocstrings) and so do not see what an editable install does at import.
layout:
	@rm -rf build/layout && mkdir -p build/layout/npl
	@ln -s $(CURDIR)/npl/* build/layout/npl/
	@ln -s $(CURDIR)/adapters build/layout/npl/adapters

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(VENV)/.has-X: the project is installed in the environment, editable, with its extra X.
$(VENV)/.has-%: pyproject.toml constraints.txt $(VENV)/.created
	$(PIP) --no-build-isolation -e ".[$*]"
	@touch $@

# setuptools comes first, at its pinned version, because the project is built without isolation.
$(VENV)/.created: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools
	@touch $@
