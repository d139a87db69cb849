# `make search` and `make test` need nothing before them. They set up .venv in the checkout on first use, and reuse it after.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLOOR := .venv-floor
FAST := -m "not slow and not exact"
# Python keeps the bytecode of the project and of its tests, which every process would otherwise compile anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: search test quick check exact fuzz floor clean

search: $(VENV)/.ready
	$(BIN)/gatesearch search

# Every test but those marked slow, which `.ci/run` runs as well, and those marked exact, which `make exact` runs.
test: $(VENV)/.ready
	$(BIN)/pytest -n 2 $(FAST)

# The tests for every save, in less than a minute. They leave out what `make test` leaves out, whole command lines and
# searches, kernels, workers, benchmarks, exported modules, the report, the dashboard, the documentation, published
# runs, the fuzzer, Ray, and the longest modules of the rest.
quick: $(VENV)/.ready
	$(BIN)/pytest -n 2 -m "not slow and not exact and not ray" $(addprefix tests/,$(QUICK)) $(addprefix --ignore=tests/,$(NOT_QUICK))

QUICK := test_tasks test_results test_search
NOT_QUICK := $(addprefix test_search/test_,cli engine kernels workers bench cells/test_export cells/test_mutation.py) \
	test_search/test_training/test_stepper.py test_results/test_dashboard test_results/test_report test_tasks/test_chorales.py

# Lint, format, types and import rules.
check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every fast path against the slow one over 1,000 random mutants, and every id over 10,000, where `make test` takes some
# of them; and the tests marked exact, which see in full what others see in small.
exact: $(VENV)/.ready
	$(BIN)/pytest -n 2 -m exact
	GATESEARCH_TEST_MUTANTS=1000 $(BIN)/pytest -n 2 $(addprefix tests/test_search/test_,cells kernels training/test_stepper.py)

# 100,000 inputs of every kind. An interrupted run continues where it was.
fuzz: $(VENV)/.ready
	$(BIN)/python -m tests.fuzz --inputs 100000 --state fuzz-failures.json

# Tests on the lowest declared versions of the light dependencies, in an environment of their own. They leave out what
# trains for long, and what needs the development tools: exported code, TensorBoard and MLflow.
floor: $(FLOOR)/.ready
	$(FLOOR)/bin/pytest -n 2 -m "not slow and not exact and not ray" -k "not tensorboard" tests/test_tasks tests/test_results \
		$(addprefix tests/test_search/test_,cells cli core profiles strategies) \
		--ignore=tests/test_search/test_cells/test_export --ignore=tests/test_results/test_trackers

$(FLOOR)/.ready: pyproject.toml .ci/floors.py $(VENV)/.ready
	rm -rf $(FLOOR)
	$(PYTHON) -m venv $(FLOOR)
	$(BIN)/python .ci/floors.py > $(FLOOR)/floors.txt
	$(FLOOR)/bin/python -m pip install --quiet --disable-pip-version-check 'torch>=2.13,<2.14'
	$(FLOOR)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(FLOOR)/floors.txt \
		--config-settings editable_mode=compat --editable '.[test]'
	touch $@

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
	rm -rf $(VENV) $(FLOOR) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
