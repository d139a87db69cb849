"""Gated linear recurrences of 2016 and 2017: strongly typed, quasi-recurrent and simple recurrent units, GILR."""

from search.cells.published.entry import NamedCell, Reference, SharedName
from search.cells.published.linear_minimal import FENG_2024

BALDUZZI_2016 = Reference(
    key="balduzzi2016",
    authors=("David Balduzzi", "Muhammad Ghifary"),
    title="Strongly-Typed Recurrent Neural Networks",
    year=2016,
    arxiv="1602.02218",
    venue="ICML 2016",
)

BRADBURY_2016 = Reference(
    key="bradbury2016",
    authors=("James Bradbury", "Stephen Merity", "Caiming Xiong", "Richard Socher"),
    title="Quasi-Recurrent Neural Networks",
    year=2016,
    arxiv="1611.01576",
    venue="ICLR 2017",
)

LEI_2017 = Reference(
    key="lei2017",
    authors=("Tao Lei", "Yu Zhang", "Sida I. Wang", "Hui Dai", "Yoav Artzi"),
    title="Simple Recurrent Units for Highly Parallelizable Recurrence",
    year=2017,
    arxiv="1709.02755",
    venue="EMNLP 2018",
)

MARTIN_2017 = Reference(
    key="martin2017",
    authors=("Eric Martin", "Chris Cundy"),
    title="Parallelizing Linear Recurrent Neural Nets Over Sequence Length",
    year=2017,
    arxiv="1709.04057",
    venue="ICLR 2018",
)

_TYPED = (
    "second source: https://github.com/MartinuzziFrancesco/RecurrentLayers.jl/blob/ffed8987b3dd/src/cells/trnn_cell.jl"
)
_QRNN = "authors' code: https://github.com/salesforce/pytorch-qrnn/blob/1634991a8270/torchqrnn/qrnn.py"
_GILR = "authors' code: https://github.com/eamartin/parallelizing_linear_rnns/blob/da10de347013/layers.py"
_SRU = "authors' code: https://github.com/asappresearch/sru/blob/9ddc8da12f06/sru"

CELLS = (
    NamedCell(
        "t-rnn",
        "a forget gate and a candidate of the input alone, without tanh",
        """\
z = linear(x)
f = sigmoid(linear(x))
h' = f * h + (1 - f) * z""",
        title="Strongly-typed recurrent network (T-RNN)",
        reference=BALDUZZI_2016,
        verified=_TYPED,
        remarks=(
            "RecurrentLayers.jl applies tanh to the gate by default; its documentation has sigmoid.",
            "minGRU, in the form of a linear space, is this cell with its gate flipped.",
        ),
        same_as=(SharedName("min-gru", FENG_2024),),
    ),
    NamedCell(
        "t-gru",
        "gate, candidate and output from the last two inputs, without a state in them",
        """\
z = linear(x) + linear(p, bias=False)
f = sigmoid(linear(x) + linear(p, bias=False))
o = tanh(linear(x) + linear(p, bias=False))
h' = f * h + z * o
p' = x""",
        title="Strongly-typed gated recurrent unit (T-GRU)",
        reference=BALDUZZI_2016,
        verified=_TYPED,
        remarks=("The state `p` is the previous input.",),
    ),
    NamedCell(
        "t-lstm",
        "a T-RNN over the last two inputs with an output gate",
        """\
z = linear(x) + linear(p, bias=False)
f = sigmoid(linear(x) + linear(p, bias=False))
o = tanh(linear(x) + linear(p, bias=False))
c' = f * c + (1 - f) * z
h' = c' * o
p' = x""",
        title="Strongly-typed long short-term memory (T-LSTM)",
        reference=BALDUZZI_2016,
        verified=_TYPED,
        remarks=("The state `p` is the previous input.",),
    ),
    NamedCell(
        "gilr",
        "a forget gate and a tanh candidate of the input alone",
        """\
g = sigmoid(linear(x))
h' = g * h + (1 - g) * tanh(linear(x))""",
        title="Gated impulse linear recurrence (GILR)",
        reference=MARTIN_2017,
        verified=_GILR,
        remarks=("The candidate's function is a parameter of the authors' code; their LSTM uses tanh.",),
        same_as=(SharedName("QRNN with f-pooling and a window of 1", BRADBURY_2016),),
    ),
    NamedCell(
        "qrnn-f",
        "a quasi-recurrent layer of window 2 with a forget gate alone",
        """\
z = tanh(linear(x) + linear(p, bias=False))
f = sigmoid(linear(x) + linear(p, bias=False))
h' = f * h + (1 - f) * z
p' = x""",
        title="Quasi-recurrent network (QRNN), f-pooling, window 2",
        reference=BRADBURY_2016,
        verified=_QRNN,
        remarks=(
            "The state `p` is the previous input.",
            "The authors' code names 1 - f the forget gate.",
        ),
    ),
    NamedCell(
        "qrnn-fo",
        "a quasi-recurrent layer of window 2 with forget and output gates",
        """\
z = tanh(linear(x) + linear(p, bias=False))
f = sigmoid(linear(x) + linear(p, bias=False))
o = sigmoid(linear(x) + linear(p, bias=False))
c' = f * c + (1 - f) * z
h' = o * c'
p' = x""",
        title="Quasi-recurrent network (QRNN), fo-pooling, window 2",
        reference=BRADBURY_2016,
        verified=_QRNN,
        remarks=("The state `p` is the previous input.",),
    ),
    NamedCell(
        "qrnn-fo-1",
        "a quasi-recurrent layer of window 1 with forget and output gates",
        """\
z = tanh(linear(x))
f = sigmoid(linear(x))
o = sigmoid(linear(x))
c' = f * c + (1 - f) * z
h' = o * c'""",
        title="Quasi-recurrent network (QRNN), fo-pooling, window 1",
        reference=BRADBURY_2016,
        verified=_QRNN,
        remarks=("Window 1 with an output gate is the default of the authors' code.",),
    ),
    NamedCell(
        "qrnn-ifo",
        "a quasi-recurrent layer of window 2 with input, forget and output gates",
        """\
z = tanh(linear(x) + linear(p, bias=False))
f = sigmoid(linear(x) + linear(p, bias=False))
i = sigmoid(linear(x) + linear(p, bias=False))
o = sigmoid(linear(x) + linear(p, bias=False))
c' = f * c + i * z
h' = o * c'
p' = x""",
        title="Quasi-recurrent network (QRNN), ifo-pooling, window 2",
        reference=BRADBURY_2016,
        verified="second source: https://paperswithcode.com/method/qrnn",
        remarks=("The state `p` is the previous input.", "The authors' code has f- and fo-pooling alone."),
    ),
    NamedCell(
        "sru-v1",
        "a light recurrence with a highway connection, its gates from the input alone",
        """\
f = sigmoid(linear(x))
r = sigmoid(linear(x))
c' = f * c + (1 - f) * linear(x, bias=False)
h' = r * c' + (1 - r) * x""",
        title="Simple recurrent unit (SRU), version 1",
        reference=LEI_2017,
        verified=f"{_SRU}/csrc/sru_cpu_impl.cpp with v1=True",
        remarks=("Version 1 of the paper has the title Training RNNs as Fast as CNNs.",),
    ),
    NamedCell(
        "sru-v1-tanh",
        "SRU version 1 with tanh on the state, as in its first release",
        """\
f = sigmoid(linear(x))
r = sigmoid(linear(x))
c' = f * c + (1 - f) * linear(x, bias=False)
h' = r * tanh(c') + (1 - r) * x""",
        title="Simple recurrent unit (SRU), version 1 with tanh",
        reference=LEI_2017,
        verified="authors' code: https://github.com/asappresearch/sru/blob/147847f5b49c/cuda_functional.py",
        remarks=("tanh was the default of the first release and is deprecated in later ones.",),
    ),
    NamedCell(
        "sru",
        "a light recurrence with a highway connection, its gates seeing the state through vectors",
        """\
z = linear(x, bias=False)
f = sigmoid(linear(x) + param(uniform(-1.2247, 1.2247)) * c)
r = sigmoid(linear(x) + param(uniform(-1.2247, 1.2247)) * c)
c' = f * c + (1 - f) * z
h' = r * c' + (1 - r) * 1.7320508075688772 * x""",
        title="Simple recurrent unit (SRU)",
        reference=LEI_2017,
        verified=f"{_SRU}/csrc/sru_cpu_impl.cpp and modules.py",
        remarks=(
            "The factor of the input is the square root of 1 + 2 exp(b) for a highway bias b of 0, the default.",
            "The authors also scale the gates' matrices at the start by the square root of one half.",
        ),
    ),
    NamedCell(
        "gilr-lstm",
        "an LSTM whose gates see a linear recurrence of the input instead of its own output",
        """\
g = sigmoid(linear(x))
s' = g * s + (1 - g) * tanh(linear(x))
f = sigmoid(linear(s') + linear(x, bias=False))
i = sigmoid(linear(s') + linear(x, bias=False))
o = sigmoid(linear(s') + linear(x, bias=False))
z = tanh(linear(s') + linear(x, bias=False))
c' = f * c + i * z
h' = o * c'""",
        title="Linear surrogate LSTM (GILR-LSTM)",
        reference=MARTIN_2017,
        verified=_GILR,
    ),
)
"""Cells of the family."""
