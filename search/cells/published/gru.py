"""The GRU and its variants.

`z` weights the old state in the GRU itself. Authors of variants differ; each formula keeps its authors' convention.
"""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.lstm_composed import BA_2016
from search.cells.published.lstm_slim import GONNET_2019
from search.cells.published.plain import YANG_2019

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

DEY_2017 = Reference(
    key="dey2017",
    authors=("Rahul Dey", "Fathi M. Salem"),
    title="Gate-Variants of Gated Recurrent Unit (GRU) Neural Networks",
    year=2017,
    arxiv="1701.05923",
    venue="MWSCAS 2017",
)

_SALEM = (
    "second source: encyclopaedia article on the GRU, alternate forms, types 1 to 3; PyTorch code of a reproduction"
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
        verified="second source: https://github.com/lmnt-com/haste@ceba32e docs (1406.1078v3)",
        remarks=("The third version of the paper has this form, the first that of `gru-after`.",),
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
        verified="second source: torch.nn.GRU, compared in the tests",
    ),
    NamedCell(
        "gru-keras",
        "the GRU of Keras: reset gate after the product, orthogonal recurrent matrices at the start",
        """\
r = sigmoid(linear(x) + linear(h, random=orthogonal))
z = sigmoid(linear(x) + linear(h, random=orthogonal))
n = tanh(linear(x) + r * linear(h, random=orthogonal))
h' = z * h + (1 - z) * n""",
        title="GRU as Keras starts it",
        reference=CHO_2014,
        verified="second source: documentation of keras.layers.GRUCell (reset_after, recurrent_initializer)",
        remarks=("All biases start at 0 in Keras, at random here.",),
    ),
    NamedCell(
        "gru1",
        "the GRU whose gates do not see the input",
        """\
r = sigmoid(linear(h))
z = sigmoid(linear(h))
n = tanh(linear(x) + linear(r * h, bias=False))
h' = (1 - z) * h + z * n""",
        title="GRU1",
        reference=DEY_2017,
        verified=_SALEM,
    ),
    NamedCell(
        "gru2",
        "the GRU whose gates see the state alone, without a bias",
        """\
r = sigmoid(linear(h, bias=False))
z = sigmoid(linear(h, bias=False))
n = tanh(linear(x) + linear(r * h, bias=False))
h' = (1 - z) * h + z * n""",
        title="GRU2",
        reference=DEY_2017,
        verified=_SALEM,
    ),
    NamedCell(
        "gru3",
        "the GRU whose gates are learned constants",
        """\
r = sigmoid(param(0))
z = sigmoid(param(0))
n = tanh(linear(x) + linear(r * h, bias=False))
h' = (1 - z) * h + z * n""",
        title="GRU3",
        reference=DEY_2017,
        verified=_SALEM,
        remarks=("The start of the gates' biases was not found in a source; it is 0 here.",),
    ),
    NamedCell(
        "gru-layer-norm",
        "the GRU with layer norm on both gates and on both parts of the new value",
        """\
r = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
z = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
n = tanh(norm(linear(x, bias=False)) + r * norm(linear(h, bias=False)))
h' = (1 - z) * h + z * n""",
        title="Layer-normalised GRU",
        reference=BA_2016,
        verified="second source: https://github.com/tensorflow/tensorflow/pull/14578 (LayerNormBasicGRUCell)",
        remarks=(
            "The paper normalises input and state apart, and the two gates together; Haste all three parts together.",
        ),
    ),
    NamedCell(
        "gru-indy",
        "the GRU whose units see of the state only their own past, through learned factors",
        """\
r = sigmoid(linear(x, bias=1) + param(uniform(-1, 1)) * h)
z = sigmoid(linear(x, bias=1) + param(uniform(-1, 1)) * h)
n = tanh(linear(x) + param(uniform(-1, 1)) * r * h)
h' = z * h + (1 - z) * n""",
        title="IndyGRU",
        reference=GONNET_2019,
        verified="authors' code: tf.contrib.rnn.IndyGRUCell",
        remarks=("The paper is on the LSTM of the same kind; the GRU is published as code by its first author.",),
    ),
    NamedCell(
        "gru-leaky",
        "the GRU whose update gate lets the state move a fifth of the way at most",
        """\
r = sigmoid(linear(x, bias=1) + linear(h, bias=False))
u = sigmoid(linear(x, bias=1) + linear(h, bias=False))
n = tanh(linear(x) + linear(r * h, bias=False))
h' = (1 - 0.2 * u) * h + 0.2 * u * n""",
        title="Leaky GRU",
        reference=YANG_2019,
        verified="authors' code: https://github.com/gyyang/multitask@817e23d network.py (LeakyGRUCell)",
        remarks=(
            "The rate 0.2 is the time step of 20 ms over the time constant of 100 ms.",
            "The code adds noise to the candidate while it trains.",
        ),
    ),
)
"""Cells of the family."""
