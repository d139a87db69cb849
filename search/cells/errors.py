"""What can be wrong with a cell that somebody wrote, stored or named."""


class CellError(ValueError):
    """A cell cannot be used: the message names the value, the rule it breaks and, where there is one, the remedy."""


class GraphError(CellError):
    """A graph breaks a rule of its form: the message names the node and the rule."""


class FormulaError(CellError):
    """A formula cannot be read: the message names the line and what was expected."""


class RecipeError(CellError):
    """A recipe cannot be read, or a cell cannot be written as one: the message names the node and the rule."""


class UnknownCellError(CellError):
    """A name is no cell of the library."""
