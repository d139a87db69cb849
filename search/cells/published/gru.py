"""The GRU and its variants: two gates, one state.

`z` weights the old state.
"""

from search.cells.published.entry import NamedCell, Reference

CHO_2014 = Reference(
    key="cho2014",
    authors=(
        "Kyunghyun Cho",
        "Bart van Merrienboer",
        "Caglar Gulcehre",
        "Dzmitry Bahdanau",
        "Fethi Bougares",
        "Holger Schwenk",
        "Yoshua Bengio",
    ),
    title="Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation",
    year=2014,
    arxiv="1406.1078",
)

CELLS = (
    NamedCell(
        "gru",
        "the gated recurrent unit, reset gate before the matrix product",
        """\
r = sigmoid(linear(x) + linear(h))
z = sigmoid(linear(x) + linear(h))
n = tanh(linear(x) + linear(r * h))
h' = z * h + (1 - z) * n""",
        title="Gated recurrent unit (GRU)",
        reference=CHO_2014,
    ),
    NamedCell(
        "gru-after",
        "the GRU of torch.nn.GRU, reset gate after the matrix product",
        """\
r = sigmoid(linear(x) + linear(h))
z = sigmoid(linear(x) + linear(h))
n = tanh(linear(x) + r * linear(h))
h' = z * h + (1 - z) * n""",
        title="GRU with the reset gate after the product",
        reference=CHO_2014,
    ),
)
"""Cells of the family."""
