"""The import contracts of pyproject.toml hold, and each of them notices an import that it forbids.

The layers are written down here a second time: a layer that pyproject.toml forgets or misplaces fails a test.
"""

import os
import subprocess
import sys
from copy import deepcopy
from itertools import pairwise, permutations, product

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract

from tests.paths import ROOT

CONFIGURATION = read_configuration(str(ROOT / "pyproject.toml"))
PACKAGES = tuple(CONFIGURATION["session_options"]["root_packages"])
CONTRACTS = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
}

SEARCH = "search is layered"
RESULTS = "results are layered"
LAYERS = {
    SEARCH: (
        *(("cells", "core"), ("kernels",), ("training",), ("workers",), ("profiles",), ("strategies",)),
        *(("allocations",), ("engine",), ("bench",), ("compare",), ("cli",)),
    ),
    RESULTS: (
        *(("store",), ("scores",), ("tables",), ("trackers",), ("publication", "report"), ("dashboard",)),
        ("findings", "run"),
    ),
}
"""Layers from the lowest to the highest. Members of a layer import nothing from each other."""

FORBIDDEN = {
    "tasks import neither search, results nor torch": [
        *(("tasks", "search.cells"), ("tasks", "search.core"), ("tasks", "results.store"), ("tasks", "torch")),
    ],
    "results import only the cells of search": [
        ("results", "search.core"),
        ("results.report", "search.kernels"),
        ("results.findings", "search.training"),
    ],
    "kernels import only cells": [
        *(("search.kernels", "search.core"), ("search.kernels", "tasks"), ("search.kernels", "results.store")),
    ],
    "cells import neither torch nor other packages of the project": [
        *(("search.cells", "tasks"), ("search.cells", "results.store"), ("search.cells", "torch")),
    ],
    "nothing below imports the public API": [(package, "gatesearch") for package in ("search", "tasks", "results")],
}
"""Pairs of importer and imported package, by the contract that forbids them."""

CIRCLES = "there are no circles within packages"
COMMANDS = "no command imports another"


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """The imports between all modules of the checkout. Only copy it."""
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


@pytest.fixture
def graph(imports: grimp.ImportGraph) -> grimp.ImportGraph:
    """The same imports. A test may add some."""
    return deepcopy(imports)


def broken(name: str, graph: grimp.ImportGraph) -> bool:
    """Tell whether the contract of pyproject.toml with this name is broken in a graph."""
    (options,) = (options for options in CONFIGURATION["contracts_options"] if options["name"] == name)
    contract = CONTRACTS[options["type"]](name, CONFIGURATION["session_options"], options)
    return not contract.check(deepcopy(graph), verbose=False).kept  # a check takes ignored imports out of its graph


def some_module(graph: grimp.ImportGraph, package: str) -> str:
    """Return the first module of a package that is no package itself, or the name itself if it is a module."""
    if package in graph.modules and graph.is_module_squashed(package):
        return package  # of another distribution, such as torch
    below = sorted(graph.find_descendants(package)) if package in graph.modules else []
    return next((module for module in below if not graph.find_children(module)), package)


def with_import(graph: grimp.ImportGraph, importer: str, imported: str) -> grimp.ImportGraph:
    """Add an import of a module of one package from a module of another."""
    modules = some_module(graph, importer), some_module(graph, imported)
    assert modules[1] not in graph.find_modules_directly_imported_by(modules[0])
    graph.add_import(importer=modules[0], imported=modules[1])
    return graph


def without_imports(graph: grimp.ImportGraph) -> grimp.ImportGraph:
    """Return a graph with the same modules of the project and no imports."""
    bare = grimp.ImportGraph()
    for module in graph.modules:
        if module.split(".")[0] in PACKAGES:
            bare.add_module(module)
    return bare


def upward() -> list[tuple[str, str, str]]:
    """Return contract, importer and imported for each import within a layer or into the next one."""
    found = []
    for name, layers in LAYERS.items():
        container = "search" if name == SEARCH else "results"
        pairs = [pair for layer in layers for pair in permutations(layer, 2)]
        pairs += [pair for lower, upper in pairwise(layers) for pair in product(lower, upper)]
        found += [(name, f"{container}.{a}", f"{container}.{b}") for a, b in pairs]
    return found


def packages() -> list[str]:
    """Return the packages that have at least two modules or packages, in which a circle is possible."""
    found = grimp.build_graph(*PACKAGES, cache_dir=None)
    return sorted(module for module in found.modules if len(found.find_children(module)) >= 2)


def test_every_contract_holds() -> None:
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken." in done.stdout


def test_the_layers_are_all_there_is() -> None:
    for name, layers in LAYERS.items():
        folder = ROOT / ("search" if name == SEARCH else "results")
        modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
        assert modules == {member for layer in layers for member in layer}


@pytest.mark.parametrize(("name", "importer", "imported"), upward(), ids=str)
def test_an_import_from_a_higher_layer_is_noticed(
    name: str, importer: str, imported: str, graph: grimp.ImportGraph
) -> None:
    assert broken(name, with_import(graph, importer, imported))


@pytest.mark.parametrize(
    ("name", "importer", "imported"),
    [(name, *pair) for name, pairs in FORBIDDEN.items() for pair in pairs],
    ids=str,
)
def test_a_forbidden_import_is_noticed(name: str, importer: str, imported: str, graph: grimp.ImportGraph) -> None:
    assert not broken(name, graph)
    assert broken(name, with_import(graph, importer, imported))


def test_an_import_of_a_command_by_another_is_noticed(graph: grimp.ImportGraph) -> None:
    """Add it to a graph without imports, since commands import the same modules of other packages."""
    commands = sorted(graph.find_children("search.cli.commands"))
    bare = without_imports(graph)
    assert not broken(COMMANDS, bare)
    bare.add_import(importer=commands[-1], imported=commands[0])
    assert broken(COMMANDS, bare)


@pytest.mark.parametrize("package", packages())
def test_a_circle_within_a_package_is_noticed(package: str, graph: grimp.ImportGraph) -> None:
    """Remove all imports between the package's parts, which may be in a circle already, and add a circle of two."""
    first, second, *_ = sorted(graph.find_children(package))
    modules = [some_module(graph, part) for part in (first, second)]
    empty = without_imports(graph)
    assert not broken(CIRCLES, empty)
    empty.add_import(importer=modules[0], imported=modules[1])
    assert not broken(CIRCLES, empty)
    empty.add_import(importer=modules[1], imported=modules[0])
    assert broken(CIRCLES, empty)


@pytest.mark.parametrize(("name", "module"), [(SEARCH, "search.novel"), (RESULTS, "results.novel")])
def test_a_new_module_has_to_find_its_layer(name: str, module: str, graph: grimp.ImportGraph) -> None:
    graph.add_module(module)
    assert broken(name, graph)
