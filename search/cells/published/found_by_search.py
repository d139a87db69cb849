"""Cells found by architecture search.

`z` weights the new value in MUT1 to MUT3.
"""

from search.cells.published.entry import NamedCell
from search.cells.published.lstm import JOZEFOWICZ_2015

CELLS = (
    NamedCell(
        "mut1",
        "the study's first mutant",
        """\
z = sigmoid(linear(x))
r = sigmoid(linear(x) + linear(h))
n = tanh(linear(r * h) + tanh(x))
h' = z * n + (1 - z) * h""",
        title="MUT1",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "mut2",
        "the study's second mutant",
        """\
z = sigmoid(linear(x) + linear(h))
r = sigmoid(x + linear(h))
n = tanh(linear(r * h) + linear(x))
h' = z * n + (1 - z) * h""",
        title="MUT2",
        reference=JOZEFOWICZ_2015,
    ),
    NamedCell(
        "mut3",
        "the study's third mutant",
        """\
z = sigmoid(linear(x) + linear(tanh(h)))
r = sigmoid(linear(x) + linear(h))
n = tanh(linear(r * h) + linear(x))
h' = z * n + (1 - z) * h""",
        title="MUT3",
        reference=JOZEFOWICZ_2015,
    ),
)
"""Cells of the family."""
