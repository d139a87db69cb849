"""LSTM variants with an exponential input gate and a normaliser.

They keep a weighted sum n and the sum d of its weights, both of which can overflow, and output n / d. Written with the
average q = n / d and the logarithm l = log d, they need neither exponentials nor a division. With the logarithms a of
the new weight and b of the factor of the old ones, and s = b + l - a:

    q' = sigmoid(s) * q + (1 - sigmoid(s)) * z
    l' = a + softplus(s)

A zero state l = 0 stands for a normaliser that starts at d = 1.
"""

from search.cells.published.entry import NamedCell, Reference

BECK_2024 = Reference(
    key="beck2024",
    authors=(
        "Maximilian Beck",
        "Korbinian Pöppel",
        "Markus Spanring",
        "Andreas Auer",
        "Oleksandra Prudnikova",
        "Michael Kopp",
        "Günter Klambauer",
        "Johannes Brandstetter",
        "Sepp Hochreiter",
    ),
    title="xLSTM: Extended Long Short-Term Memory",
    year=2024,
    arxiv="2405.04517",
)
MAGINNIS_2017 = Reference(
    key="maginnis2017",
    authors=("Brendan Maginnis", "Pierre H. Richemond"),
    title="Efficiently applying attention to sequential data with the Recurrent Discounted Attention unit",
    year=2017,
    arxiv="1705.08480",
)
OSTMEYER_2017 = Reference(
    key="ostmeyer2017",
    authors=("Jared Ostmeyer", "Lindsay Cowell"),
    title="Machine Learning on Sequential Data Using a Recurrent Weighted Average",
    year=2017,
    arxiv="1703.01253",
)

_XLSTM = "authors' code: https://github.com/NX-AI/xlstm@032a6fb8ee19 xlstm/blocks/slstm"
_STATES = "q is the paper's c / n, and l the logarithm of its n, so three states stand for four."
_ZERO = "The normaliser starts at 1, as if a zero had been written; the authors' code starts it at 0."
_CLAMPS = "The clamps in the code of xlstm and of flashrnn change nothing: their values are within bounds without them."

CELLS = (
    NamedCell(
        name="slstm",
        title="sLSTM with one head, sigmoid forget gate",
        reference=BECK_2024,
        summary="exponential input gate with a normaliser: the cell is an average of what was written",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = linear(x) + linear(h, bias=False)
f = linear(x, bias=linspace(3, 6)) + linear(h, bias=False)
o = sigmoid(linear(x) + linear(h, bias=False))
s = l - softplus(-f) - i
q' = sigmoid(s) * q + (1 - sigmoid(s)) * z
l' = i + softplus(s)
h' = o * q'""",
        verified=f"{_XLSTM}/src/vanilla/slstm.py",
        remarks=(
            _STATES,
            _ZERO,
            _CLAMPS,
            "The forget gate's bias starts as with the code's option small_init; its default is a power law.",
        ),
    ),
    NamedCell(
        name="slstm-heads",
        title="sLSTM with four heads, sigmoid forget gate",
        reference=BECK_2024,
        summary="sLSTM with block-diagonal matrices, the recurrent ones zero at the start",
        formula="""\
z = tanh(linear(x, groups=4) + linear(h, groups=4, random=0, bias=False))
i = linear(x, groups=4) + linear(h, groups=4, random=0, bias=False)
f = linear(x, groups=4, bias=linspace(3, 6)) + linear(h, groups=4, random=0, bias=False)
o = sigmoid(linear(x, groups=4) + linear(h, groups=4, random=0, bias=False))
s = l - softplus(-f) - i
q' = sigmoid(s) * q + (1 - sigmoid(s)) * z
l' = i + softplus(s)
h' = o * q'""",
        verified=f"{_XLSTM}/layer.py and cell.py",
        remarks=(
            _STATES,
            _ZERO,
            _CLAMPS,
            "The layer's convolution before the gates and its norm behind each head are left out.",
            "The code's option small_init spaces the forget gate's bias from 3 to 6 in each head, here over all units.",
        ),
    ),
    NamedCell(
        name="slstm-exp",
        title="sLSTM with exponential forget gate",
        reference=BECK_2024,
        summary="sLSTM with one head whose forget gate is exponential like the input gate",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
f = linear(x) + linear(h, bias=False)
i = linear(x) + linear(h, bias=False)
o = sigmoid(linear(x) + linear(h, bias=False))
s = l + f - i
q' = sigmoid(s) * q + (1 - sigmoid(s)) * z
l' = i + softplus(s)
h' = o * q'""",
        verified="second source: https://github.com/winkelee/Minimal-Exponential-Recurrent-Cells@54e1ae53e0ff"
        " custom_models_for_lm.py, sLSTMCell",
        remarks=(
            _STATES,
            "The normaliser starts at 1, as in the second source.",
        ),
    ),
    NamedCell(
        name="rwa",
        title="Recurrent weighted average (RWA)",
        reference=OSTMEYER_2017,
        summary="the output is an average of all values so far, with exponential weights and nothing forgotten",
        formula="""\
u = linear(x)
g = linear(x) + linear(h, bias=False)
a = linear(x, bias=False) + linear(h, bias=False)
s = l - a
q' = sigmoid(s) * q + (1 - sigmoid(s)) * u * tanh(g)
l' = a + softplus(s)
h' = tanh(q')""",
        verified="authors' code: https://github.com/jostmey/rwa@41d73d0bd9ff mnist/rwa_model/train.py",
        remarks=(
            "q is the paper's n / d, and l the logarithm of its d.",
            _ZERO,
            "The code learns the output before the first step; here it is zero.",
        ),
    ),
    NamedCell(
        name="rda",
        title="Recurrent discounted attention unit (RDA)",
        reference=MAGINNIS_2017,
        summary="the recurrent weighted average with a forget gate",
        formula="""\
u = linear(x)
g = linear(x) + linear(h, bias=False)
a = linear(x) + linear(h, bias=False)
f = linear(x) + linear(h, bias=False)
s = l - softplus(-f) - a
q' = sigmoid(s) * q + (1 - sigmoid(s)) * u * tanh(g)
l' = a + softplus(s)
h' = tanh(q')""",
        verified="second source: https://github.com/indiejoseph/tf-rda-cell@03f9bc85f95f rda_cell.py",
        remarks=(
            "q is the paper's n / d, and l the logarithm of its d.",
            "The normaliser starts at 1, as if a zero had been written; the second source starts it at 0.",
        ),
    ),
)
"""Cells of the family."""
