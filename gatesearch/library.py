"""Cells of the public API: named ones, formulas, files; their drawings and PyTorch modules."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from search.cells.drawing.picture import draw_formula
from search.cells.errors import CellError, UnknownCellError
from search.cells.export.module import export_module
from search.cells.files import cell_of_file, is_file_name, is_formula
from search.cells.graph import GateGraph
from search.cells.ids import is_id, printed_id
from search.cells.library import LIBRARY, display_formula, label_of, named_cell
from search.cells.notation.formula import parse_formula

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: a graph of gates, with the formula that people read. A notebook shows its drawing.

    `name`: name in the library or of the file, None for a formula. `formula`: one assignment a line; `linear` is a
    matrix and a bias of its own, `param` a learned vector, `norm` a layer norm, and a prime marks the new value of a
    state. Isomorphic cells have the same `id`, g and 16 hex digits, and compare equal.

    >>> import gatesearch
    >>> gru = gatesearch.cell("gru")
    >>> gru.states
    1
    >>> gru == gatesearch.cell(gru.formula)
    True
    """

    name: str | None = field(compare=False)
    formula: str = field(compare=False, repr=False)
    graph: GateGraph = field(compare=False, repr=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", printed_id(self.graph.id))

    @property
    def states(self) -> int:
        """Number of states that are carried from step to step, the visible output h included."""
        return self.graph.states

    def __str__(self) -> str:
        return self.formula

    def _repr_svg_(self) -> str:
        return draw_formula(self.formula, label_of(self.graph.id, self.name))

    def source(self) -> str:
        """Return the source of a stand-alone PyTorch module of the cell: Python text that imports only PyTorch.

        >>> import gatesearch
        >>> "class GRU(nn.Module):" in gatesearch.cell("gru").source()
        True
        """
        return export_module(self.formula, label_of(self.graph.id, self.name)).text

    def module(
        self,
        units: int,
        layers: int = 1,
        *,
        input_size: int | None = None,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> nn.Module:
        """Return the cell as a PyTorch module that is called as `torch.nn.LSTM` is.

        Its class is the one that `gatesearch export` writes, so their state dicts fit each other. Parameters are drawn
        from PyTorch's global generator.

        Args:
            units: size of a state (H).
            layers: number of layers.
            input_size: features of the input (I); by default `units`.
            bias: whether matrices have biases, and layer norms offsets; learned vectors stay without.
            batch_first: whether the input is (B, T, I) instead of (T, B, I).
            dropout: dropout probability between layers.
            bidirectional: whether each layer also goes from the end to the start; outputs then have 2 H.
            device: device of the parameters.
            dtype: type of the parameters.

        Returns:
            A module that maps an input (T, B, I), a packed sequence, or (T, I) without a batch to the outputs of the
            last layer, (T, B, H), and the states after the last step: h_n (layers, B, H) for a cell with one state,
            else a tuple (h_n, c_n, ...).

        Raises:
            ValueError: a size, or the number of layers, is less than 1; the cell reads x itself (mut1 does), and
                `input_size` is not `units`; or the cell has block-diagonal matrices, and a size is no multiple of the
                number of blocks.

        >>> import gatesearch, torch
        >>> lstm = gatesearch.cell("lstm").module(units=32, layers=2, input_size=10)
        >>> output, (h, c) = lstm(torch.zeros(7, 4, 10))
        >>> output.shape, h.shape
        (torch.Size([7, 4, 32]), torch.Size([2, 4, 32]))
        """
        from gatesearch.modules import module_class

        for name, size in (("units", units), ("layers", layers)):
            if size < 1:  # the module's own names are those of torch.nn.LSTM
                raise ValueError(f"{name} is {size}; it must be at least 1")
        return module_class(self.graph)(
            units if input_size is None else input_size,
            units,
            layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )


def cells() -> dict[str, Cell]:
    """Return the cells of the library by name.

    >>> import gatesearch
    >>> {"lstm", "gru", "mut1"} <= set(gatesearch.cells())
    True
    """
    return {name: Cell(name, known.formula, known.graph) for name, known in LIBRARY.items()}


def cell(source: Cell | str | Path) -> Cell:
    """Return a cell by its name in the library, its formula, or a file that has a formula or a recipe.

    A `Path`, or a text that ends in .cell or .json, is a file; any other text with `=` is a formula, one with a slash a
    file, and one without either a name. `"cells.json#7"` is one of several recipes in a file, by its index or name.
    The frame `load(RUN).cells` has the formulas of a run's cells.

    Args:
        source: name, formula, or file; a cell is returned as it is.

    Raises:
        CellError (a ValueError): unknown name, invalid formula, a file that cannot be read, or a source of another
            type. The message is one line.

    >>> import gatesearch
    >>> print(gatesearch.cell("tanh"))
    h' = tanh(linear(x) + linear(h))
    >>> gatesearch.cell("z = sigmoid(linear(x)); h' = z * h + (1 - z) * x").states
    1
    """
    if isinstance(source, Cell):
        return source
    if not isinstance(source, (str, Path)):
        raise CellError(f"{source!r} is no cell; give a name, a formula, or a file")
    if isinstance(source, str) and is_formula(source):
        graph = parse_formula(source).canonical()
        return Cell(None, source.strip(), graph)
    if isinstance(source, Path) or is_file_name(source):
        file = cell_of_file(source)
        graph, formula = file.read()
        return Cell(file.label, formula.strip() if formula is not None else display_formula(graph), graph.canonical())
    try:
        known = named_cell(source)
    except UnknownCellError as error:
        if not is_id(source):
            raise
        raise UnknownCellError(f"{error}; for a cell of a run, give its formula in load(RUN).cells") from None
    return Cell(source, known.formula, known.graph)
