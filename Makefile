# Two commands: `make search` and `make test`. Both set up .venv in the checkout on first use, and reuse it after.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: search test check exact fuzz clean

search: $(VENV)/.ready
	$(BIN)/gatesearch search

test: $(VENV)/.ready
	$(BIN)/pytest -n 2

# Lint, format, types and import rules.
check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every fast path against the slow one over 1,000 random mutants, where `make test` takes some of them: two minutes.
exact: $(VENV)/.ready
	GATESEARCH_TEST_MUTANTS=1000 $(BIN)/pytest -n 2 tests/test_kernels tests/test_search/test_training/test_stepper.py

# 100,000 inputs of every kind; goes on where it was interrupted.
fuzz: $(VENV)/.ready
	$(BIN)/python -m tests.fuzz --inputs 100000 --state fuzz-failures.json

# The checkout goes onto Python's path (editable_mode=compat), so that `import results` finds the package and not a folder
# results/ of runs in the working directory, which setuptools' other way of doing it would lose to.
# torch first and by pip: with a CPU build at hand pip takes that one, and what follows is satisfied by it.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gatesearch needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'torch>=2.13,<2.14'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
