"""The LSTM and its variants.

The study prints tanh for the output gate, while public code of one of its authors has sigmoid: `lstm` has sigmoid,
`lstm-tanh-o` the printed form.
"""

from search.cells.published.entry import NamedCell, Reference

JOZEFOWICZ_2015 = Reference(
    key="jozefowicz2015",
    authors=("Rafal Jozefowicz", "Wojciech Zaremba", "Ilya Sutskever"),
    title="An Empirical Exploration of Recurrent Network Architectures",
    year=2015,
    venue="ICML 2015",
    url="https://proceedings.mlr.press/v37/jozefowicz15.html",
)
"""The study that this project rebuilds: sections 2 and 4 have the LSTM, its variants, and MUT1 to MUT3."""

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


CELLS = (
    NamedCell(
        "lstm",
        "long short-term memory, sigmoid on all three gates",
        _LSTM,
        title="Long short-term memory (LSTM)",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "lstm-tanh-o",
        "the LSTM as the study prints it: tanh on the output gate",
        _lstm(("o = sigmoid(", "o = tanh(")),
        title="LSTM with tanh on the output gate",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "lstm-f",
        "the LSTM without a forget gate",
        _without("f"),
        title="LSTM without a forget gate",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "lstm-i",
        "the LSTM without an input gate",
        _without("i"),
        title="LSTM without an input gate",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "lstm-o",
        "the LSTM without an output gate",
        _without("o"),
        title="LSTM without an output gate",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "lstm-b",
        "the LSTM with 1 added to the forget gate's bias",
        _lstm(("f = sigmoid(linear(x)", "f = sigmoid(linear(x, bias=1)")),
        title="LSTM with a forget-gate bias of 1",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "lstm-ob",
        "the LSTM with 1 added to the output gate's bias",
        _lstm(("o = sigmoid(linear(x)", "o = sigmoid(linear(x, bias=1)")),
        title="LSTM with an output-gate bias of 1",
        reference=JOZEFOWICZ_2015,
    ),
)
"""Cells of the family."""
