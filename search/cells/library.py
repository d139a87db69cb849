"""The named cells: the study's baselines, its three winners, and the variants that its claims are about.

Sources: Jozefowicz et al. 2015, sections 2 and 4 (LSTM, its variants, MUT1 to MUT3); Cho et al. 2014 (GRU); the form of
the GRU that libraries ship, with the reset gate after the matrix product, is `gru-after`. The study prints tanh for the
LSTM's output gate, while public code of one of its authors has sigmoid: `lstm` has sigmoid, `lstm-tanh-o` the printed
form. `z` keeps the OLD state in the GRU and takes the NEW one in MUT1 to MUT3.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from search.cells.errors import UnknownCellError
from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula


@dataclass(frozen=True)
class NamedCell:
    """A cell with a name: its formula as its authors would write it, and what sets it apart."""

    name: str
    summary: str
    formula: str

    @cached_property
    def graph(self) -> GateGraph:
        """The canonical graph of the formula."""
        return parse_formula(self.formula).canonical()


_LSTM = """\
i = tanh(linear(x) + linear(h))
j = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x) + linear(h))
o = sigmoid(linear(x) + linear(h))
c' = c * f + i * j
h' = tanh(c') * o"""


def _lstm(old: str = "", new: str = "") -> str:
    assert old in _LSTM
    return "\n".join(line for line in _LSTM.replace(old, new, 1).splitlines() if line)


_CELLS = (
    NamedCell("tanh", "the plain recurrent network", "h' = tanh(linear(x) + linear(h))"),
    NamedCell("lstm", "long short-term memory, sigmoid on all three gates", _LSTM),
    NamedCell(
        "lstm-tanh-o",
        "the LSTM as the study prints it: tanh on the output gate",
        _lstm("o = sigmoid(", "o = tanh("),
    ),
    NamedCell(
        "lstm-f",
        "the LSTM without a forget gate",
        _lstm("f = sigmoid(linear(x) + linear(h))\n").replace("c * f", "c"),
    ),
    NamedCell(
        "lstm-i",
        "the LSTM without an input gate",
        _lstm("j = sigmoid(linear(x) + linear(h))\n").replace("i * j", "i"),
    ),
    NamedCell(
        "lstm-o",
        "the LSTM without an output gate",
        _lstm("o = sigmoid(linear(x) + linear(h))\n").replace(" * o", ""),
    ),
    NamedCell(
        "lstm-b",
        "the LSTM with 1 added to the forget gate's bias",
        _lstm("f = sigmoid(linear(x)", "f = sigmoid(linear(x, bias=1)"),
    ),
    NamedCell(
        "lstm-ob",
        "the LSTM with 1 added to the output gate's bias",
        _lstm("o = sigmoid(linear(x)", "o = sigmoid(linear(x, bias=1)"),
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
h' = tanh(linear(r * h) + tanh(x)) * z + h * (1 - z)""",
    ),
    NamedCell(
        "mut2",
        "the study's second mutant",
        """\
z = sigmoid(linear(x) + linear(h))
r = sigmoid(x + linear(h))
h' = tanh(linear(r * h) + linear(x)) * z + h * (1 - z)""",
    ),
    NamedCell(
        "mut3",
        "the study's third mutant",
        """\
z = sigmoid(linear(x) + linear(tanh(h)))
r = sigmoid(linear(x) + linear(h))
h' = tanh(linear(r * h) + linear(x)) * z + h * (1 - z)""",
    ),
)

LIBRARY: dict[str, NamedCell] = {cell.name: cell for cell in _CELLS}
"""The named cells by name, in the order in which tables show them."""

SEEDS = ("lstm", "gru")
"""The cells that a search starts from (Jozefowicz et al. 2015, section 3.2)."""


def named_cell(name: str) -> NamedCell:
    """The library's cell of that name. Raises `UnknownCellError`, with the names that come close."""
    if name not in LIBRARY:
        shown = name if len(name) <= 100 else f"{name[:97]}..."
        near = get_close_matches(shown, LIBRARY, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(LIBRARY)}"
        raise UnknownCellError(f"{shown!r} is no named cell; {hint}")
    return LIBRARY[name]


def name_of(cell_id: str) -> str | None:
    """The library's name of the cell with that id, if it has one."""
    return _names().get(cell_id)


def _names() -> dict[str, str]:
    if not _NAMES:
        _NAMES.update({cell.graph.id: cell.name for cell in _CELLS})
    return _NAMES


_NAMES: dict[str, str] = {}
