"""Names that a class of an exported module may not have: those that the module has already."""

import ast

import pytest

from search.cells.errors import CellError
from search.cells.export.equinox import export_equinox
from search.cells.export.module import export_module
from search.cells.export.names import check_class_name
from search.cells.library import LIBRARY
from tests.test_search.test_cells.test_export.unusual import FORMULAS, STARTED


def names_of(text: str) -> set[str]:
    """Return the names that a module defines or imports, outside its functions and classes."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign):
            found |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.slow
def test_no_name_of_a_generated_module_can_be_that_of_its_class() -> None:
    formulas = [cell.formula for cell in list(LIBRARY.values())[::6]] + [*FORMULAS.values(), STARTED]
    taken = set()
    for formula in formulas:
        taken |= names_of(export_module(formula, "cell", name="Reader").text)
        taken |= names_of(export_equinox(formula, "cell", name="Reader"))
    own = {name for name in taken if name.startswith("Reader")}
    assert {"Linear", "drawn", "between", "orthogonal", "np", "Tensor", "jnp"} <= taken
    for name in sorted(taken - own):
        with pytest.raises(CellError, match="give another name"):
            check_class_name(name)
