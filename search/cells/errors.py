"""Errors of cells that are written, stored or looked up by name."""


class CellError(ValueError):
    """A cell cannot be used. The message states the value, the rule it breaks and, if there is one, the remedy."""


class GraphError(CellError):
    """A graph breaks a structural rule. The message names the node and the rule."""


class FormulaError(CellError):
    """A formula cannot be parsed. The message names the line and the expected form."""


class RecipeError(CellError):
    """A recipe cannot be parsed, or a cell cannot be written as a recipe. The message names the node and the rule."""


class UnknownCellError(CellError):
    """A name is not in the library of named cells."""
