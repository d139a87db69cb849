"""Named cells: the baselines of Jozefowicz et al. 2015, its three winners, and the variants that its claims concern.

Sources: Jozefowicz et al. 2015, sections 2 and 4 (LSTM, its variants, MUT1 to MUT3); Cho et al. 2014 (GRU).
`gru-after` is the GRU of deep-learning libraries, with the reset gate after the matrix product. The paper prints tanh
for the LSTM's output gate, while public code of one of its authors has sigmoid: `lstm` has sigmoid, `lstm-tanh-o` the
printed form. `z` weights the old state in the GRU and the new value in MUT1 to MUT3.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property

from search.cells.errors import UnknownCellError
from search.cells.graph import GateGraph
from search.cells.notation.display import format_display
from search.cells.notation.formula import parse_formula
from search.cells.text import quoted, short_id, shorten


@dataclass(frozen=True)
class NamedCell:
    """A cell with a name: its formula in its authors' names, and a summary of what distinguishes it."""

    name: str
    summary: str
    formula: str

    @cached_property
    def graph(self) -> GateGraph:
        """Canonical graph of the formula."""
        return parse_formula(self.formula).canonical()


_LSTM = """\
i = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
o = sigmoid(linear(x) + linear(h))
c' = f * c + i * g
h' = o * tanh(c')"""


def _lstm(*changes: tuple[str, str]) -> str:
    """Return the LSTM's formula with each old text replaced by a new one; empty lines are dropped."""
    text = _LSTM
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return "\n".join(line for line in text.splitlines() if line)


def _without(gate: str) -> str:
    """Return the LSTM's formula without one of the gates i, f and o."""
    return _lstm((f"{gate} = sigmoid(linear(x) + linear(h))\n", ""), (f"{gate} * ", ""))


_CELLS = (
    NamedCell("tanh", "the plain recurrent network", "h' = tanh(linear(x) + linear(h))"),
    NamedCell("lstm", "long short-term memory, sigmoid on all three gates", _LSTM),
    NamedCell(
        "lstm-tanh-o",
        "the LSTM as the study prints it: tanh on the output gate",
        _lstm(("o = sigmoid(", "o = tanh(")),
    ),
    NamedCell("lstm-f", "the LSTM without a forget gate", _without("f")),
    NamedCell("lstm-i", "the LSTM without an input gate", _without("i")),
    NamedCell("lstm-o", "the LSTM without an output gate", _without("o")),
    NamedCell(
        "lstm-b",
        "the LSTM with 1 added to the forget gate's bias",
        _lstm(("f = sigmoid(linear(x)", "f = sigmoid(linear(x, bias=1)")),
    ),
    NamedCell(
        "lstm-ob",
        "the LSTM with 1 added to the output gate's bias",
        _lstm(("o = sigmoid(linear(x)", "o = sigmoid(linear(x, bias=1)")),
    ),
    NamedCell(
        "gru",
        "the gated recurrent unit, reset gate before the matrix product",
        """\
r = sigmoid(linear(x) + linear(h))
z = sigmoid(linear(x) + linear(h))
n = tanh(linear(x) + linear(r * h))
h' = z * h + (1 - z) * n""",
    ),
    NamedCell(
        "gru-after",
        "the GRU of torch.nn.GRU, reset gate after the matrix product",
        """\
r = sigmoid(linear(x) + linear(h))
z = sigmoid(linear(x) + linear(h))
n = tanh(linear(x) + r * linear(h))
h' = z * h + (1 - z) * n""",
    ),
    NamedCell(
        "mut1",
        "the study's first mutant",
        """\
z = sigmoid(linear(x))
r = sigmoid(linear(x) + linear(h))
n = tanh(linear(r * h) + tanh(x))
h' = z * n + (1 - z) * h""",
    ),
    NamedCell(
        "mut2",
        "the study's second mutant",
        """\
z = sigmoid(linear(x) + linear(h))
r = sigmoid(x + linear(h))
n = tanh(linear(r * h) + linear(x))
h' = z * n + (1 - z) * h""",
    ),
    NamedCell(
        "mut3",
        "the study's third mutant",
        """\
z = sigmoid(linear(x) + linear(tanh(h)))
r = sigmoid(linear(x) + linear(h))
n = tanh(linear(r * h) + linear(x))
h' = z * n + (1 - z) * h""",
    ),
)

LIBRARY: dict[str, NamedCell] = {cell.name: cell for cell in _CELLS}
"""Named cells by name, in the order of tables."""

REFERENCE = "gru"
"""Name of the cell that scores are ratios to."""

SEEDS = ("lstm", "gru")
"""Names of the cells that a search starts from (Jozefowicz et al. 2015, section 3.2)."""


def named_cell(name: str) -> NamedCell:
    """Return the named cell. Raises `UnknownCellError`, listing similar names, if there is none."""
    if name not in LIBRARY:
        near = get_close_matches(shorten(name), LIBRARY, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the named cells are {', '.join(LIBRARY)}"
        raise UnknownCellError(f"{quoted(name)} is not a named cell; {hint}")
    return LIBRARY[name]


def name_of(cell_id: str) -> str | None:
    """Return the library's name of the cell with this id, or None if it has none."""
    return _names().get(cell_id)


def label_of(cell_id: str, name: str | None = None) -> str:
    """Return the label of a cell in tables and messages: the given name, the library's name, or the shortened id."""
    return name or name_of(cell_id) or short_id(cell_id)


def display_formula(graph: GateGraph) -> str:
    """Return a cell's formula for people: the authors' text of a named cell, else `format_display` of the graph.

    Parsing the text gives a graph with the same id. Raises `GraphError` as `GateGraph.canonical` does.
    """
    name = name_of(graph.id)
    return LIBRARY[name].formula if name else format_display(graph)


@cache
def _names() -> dict[str, str]:
    """Return the names of the library's cells by id."""
    return {cell.graph.id: cell.name for cell in _CELLS}
