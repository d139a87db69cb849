"""Cells that multiply projections of the input and of the state."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.single_gate import COLLINS_2016

SUTSKEVER_2011 = Reference(
    key="sutskever2011",
    authors=("Ilya Sutskever", "James Martens", "Geoffrey E. Hinton"),
    title="Generating Text with Recurrent Neural Networks",
    year=2011,
    venue="ICML 2011",
    url="https://icml.cc/2011/papers/524_icmlpaper.pdf",
)

WU_2016 = Reference(
    key="wu2016mi",
    authors=("Yuhuai Wu", "Saizheng Zhang", "Ying Zhang", "Yoshua Bengio", "Ruslan Salakhutdinov"),
    title="On Multiplicative Integration with Recurrent Neural Networks",
    year=2016,
    arxiv="1606.06630",
    venue="NIPS 2016",
)

KRAUSE_2016 = Reference(
    key="krause2016",
    authors=("Ben Krause", "Liang Lu", "Iain Murray", "Steve Renals"),
    title="Multiplicative LSTM for sequence modelling",
    year=2016,
    arxiv="1609.07959",
)

MELIS_2019 = Reference(
    key="melis2019",
    authors=("Gábor Melis", "Tomáš Kočiský", "Phil Blunsom"),
    title="Mogrifier LSTM",
    year=2019,
    arxiv="1909.01792",
    venue="ICLR 2020",
)

_LIBRARY = "second source: https://github.com/MartinuzziFrancesco/RecurrentLayers.jl/blob/ffed8987b3dd/src"
_INTEGRATION = (
    "second source: https://github.com/BrianPugh/tensorflow_with_latest_papers/blob/90bc40e7a00e/"
    "multiplicative_integration_modern.py"
)
_STARTS = (
    "The vectors start at 1, 0.5, 0.5 and 0, the means of the second source; the paper's differ from task to task."
)


def _integrated(gate: str, function: str, state: str = "h") -> str:
    """Return the lines of a value that is the multiplicative integration of x and a state."""
    return f"""\
w{gate} = linear(x, bias=False)
u{gate} = linear({state}, bias=False)
{gate} = {function}(param(1) * w{gate} * u{gate} + param(0.5) * u{gate} + param(0.5) * w{gate} + param(0))
"""


CELLS = (
    NamedCell(
        "mrnn",
        "the state's projection times the input's in place of the state",
        """\
m = linear(x, bias=False) * linear(h, bias=False)
h' = tanh(linear(x) + linear(m, bias=False))""",
        title="Multiplicative recurrent network (mRNN)",
        reference=SUTSKEVER_2011,
        verified=f"{_LIBRARY}/wrappers/multiplicative.jl",
        remarks=("The factors may have another size than the state in the paper; here they have the same.",),
    ),
    NamedCell(
        "mi-rnn-simple",
        "the input's projection times the state's, plus a bias",
        "h' = tanh(linear(x, bias=False) * linear(h, bias=False) + param(0))",
        title="Recurrent network with multiplicative integration (MI-RNN), simple form",
        reference=WU_2016,
        verified="second source: https://vitalab.github.io/article/2018/09/14/rnn-multiplicative-integration.html",
    ),
    NamedCell(
        "mi-rnn",
        "product and sum of the input's and the state's projections, weighted by vectors",
        _integrated("n", "tanh") + "h' = n",
        title="Recurrent network with multiplicative integration (MI-RNN)",
        reference=WU_2016,
        verified=_INTEGRATION,
        remarks=(_STARTS,),
    ),
    NamedCell(
        "mi-gru",
        "a GRU whose sums are multiplicative integrations",
        _integrated("r", "sigmoid")
        + _integrated("z", "sigmoid")
        + _integrated("n", "tanh", "r * h")
        + "h' = z * h + (1 - z) * n",
        title="GRU with multiplicative integration (MI-GRU)",
        reference=WU_2016,
        verified=_INTEGRATION,
        remarks=(
            _STARTS,
            "The second source leaves the reset gate out of the candidate; here the gate is where the GRU has it.",
        ),
    ),
    NamedCell(
        "mi-lstm",
        "an LSTM whose sums are multiplicative integrations",
        _integrated("i", "sigmoid")
        + _integrated("f", "sigmoid")
        + _integrated("g", "tanh")
        + _integrated("o", "sigmoid")
        + "c' = f * c + i * g\nh' = o * tanh(c')",
        title="LSTM with multiplicative integration (MI-LSTM)",
        reference=WU_2016,
        verified=_INTEGRATION,
        remarks=(_STARTS, "The second source adds a constant of 1 to the forget gate by default."),
    ),
    NamedCell(
        "mlstm",
        "an LSTM with the multiplicative recurrent network's factor in place of its output",
        """\
m = linear(x, bias=False) * linear(h, bias=False)
a = tanh(linear(x) + linear(m, bias=False))
i = sigmoid(linear(x) + linear(m, bias=False))
f = sigmoid(linear(x, bias=1) + linear(m, bias=False))
o = sigmoid(linear(x) + linear(m, bias=False))
c' = i * a + f * c
h' = o * tanh(c')""",
        title="Multiplicative LSTM (mLSTM)",
        reference=KRAUSE_2016,
        verified="authors' code: https://github.com/benkrause/mLSTM/blob/fe32a001b307/chainer/mLSTMWN.py",
        remarks=("The authors' code has weight normalisation, which is left out.",),
    ),
    NamedCell(
        "mlstm-2016",
        "the multiplicative LSTM without tanh on the candidate, its output gate inside tanh",
        """\
m = linear(x, bias=False) * linear(h, bias=False)
a = linear(x, bias=False) + linear(m, bias=False)
i = sigmoid(linear(x) + linear(m, bias=False))
f = sigmoid(linear(x) + linear(m, bias=False))
o = sigmoid(linear(x) + linear(m, bias=False))
c' = i * a + f * c
h' = tanh(o * c' + param(0))""",
        title="Multiplicative LSTM (mLSTM), first experiments",
        reference=KRAUSE_2016,
        verified="authors' code: https://github.com/benkrause/mLSTM/blob/fe32a001b307/matlab/mLSTMdynamic.m",
        remarks=("The authors' code of the first experiments, in MATLAB, differs from their later code.",),
    ),
    NamedCell(
        "mogrifier-lstm",
        "an LSTM whose input and output gate each other in five rounds before the step",
        """\
x1 = 2 * sigmoid(linear(h)) * x
h1 = 2 * sigmoid(linear(x1)) * h
x2 = 2 * sigmoid(linear(h1)) * x1
h2 = 2 * sigmoid(linear(x2)) * h1
x3 = 2 * sigmoid(linear(h2)) * x2
i = sigmoid(linear(x3) + linear(h2, bias=False))
f = sigmoid(linear(x3) + linear(h2, bias=False))
j = tanh(linear(x3) + linear(h2, bias=False))
o = sigmoid(linear(x3) + linear(h2, bias=False))
c' = f * c + i * j
h' = o * tanh(c')""",
        title="Mogrifier LSTM, five rounds",
        reference=MELIS_2019,
        verified="authors' code: https://github.com/deepmind/lamb/blob/254a0b0e330c/lamb/tiled_lstm.py",
        remarks=(
            "The rounds' matrices are full here; the paper also has products of two narrow matrices.",
            "The authors' code caps the input gate at 1 - f by default, which is left out.",
        ),
    ),
    NamedCell(
        "intersection-rnn",
        "coupled gates over time and over depth: the output mixes in the input",
        """\
gh = sigmoid(linear(x, bias=1) + linear(c, bias=False))
n = tanh(linear(x) + linear(c, bias=False))
gy = sigmoid(linear(x, bias=1) + linear(c, bias=False))
y = relu(linear(x) + linear(c, bias=False))
c' = gh * c + (1 - gh) * n
h' = gy * x + (1 - gy) * y""",
        title="Intersection recurrent network (+RNN)",
        reference=COLLINS_2016,
        verified=(
            "second source: https://github.com/tensorflow/tensorflow/blob/000474bf24f8/tensorflow/contrib/rnn/"
            "python/ops/rnn_cell.py"
        ),
        remarks=(
            "The state `c` is the paper's h, and the output h is the paper's y.",
            "RecurrentLayers.jl weights y by 1 - gh instead of 1 - gy.",
        ),
    ),
)
"""Cells of the family."""
