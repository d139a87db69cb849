"""Cells whose gates share their matrices with the new value, or have none: SGRN, ATR, LRN, Delta-RNN, FastGRNN."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.plain import KUSUPATI_2018, ZYARAH_2025
from search.cells.published.single_gate_light import RECURRENT_LAYERS

ORORBIA_2017 = Reference(
    key="ororbia2017",
    authors=("Alexander G. Ororbia II", "Tomas Mikolov", "David Reitter"),
    title="Learning Simpler Language Models with the Differential State Framework",
    year=2017,
    arxiv="1703.08864",
    venue="Neural Computation 29(12)",
)

ZHANG_2018 = Reference(
    key="zhang2018",
    authors=("Biao Zhang", "Deyi Xiong", "Jinsong Su", "Qian Lin", "Huiji Zhang"),
    title="Simplifying Neural Machine Translation with Addition-Subtraction Twin-Gated Recurrent Networks",
    year=2018,
    arxiv="1810.12546",
    doi="10.18653/v1/D18-1459",
    venue="EMNLP 2018",
)

ZHANG_2019 = Reference(
    key="zhang2019",
    authors=("Biao Zhang", "Rico Sennrich"),
    title="A Lightweight Recurrent Network for Sequence Modeling",
    year=2019,
    arxiv="1905.13324",
    venue="ACL 2019",
)

ZU_2020 = Reference(
    key="zu2020",
    authors=("Xiangrong Zu", "Kai Wei"),
    title="A Simple Gated Recurrent Network for Detection of Power Quality Disturbances",
    year=2020,
    doi="10.1049/gtd2.12056",
    venue="IET Generation, Transmission & Distribution 15(4)",
)

_ATR = "authors' code: https://github.com/bzhangGo/ATR@4283f69 README.md, lm/pytorch-lm/rnn/atr.py"
_LRN = "authors' code: https://github.com/bzhangGo/lrn@26e6f6f README.md, lm/code/rnn.py"
_DELTA = "authors' code: https://github.com/ago109/Delta-RNN-Theano@c86a339 src/DeltaRNNLayer.py"

CELLS = (
    NamedCell(
        "sgrn",
        "the gate reads the product that it gates",
        """\
p = linear(x, bias=False)
f = sigmoid(p + linear(h))
h' = tanh((1 - f) * p + f * h)""",
        title="Simple gated recurrent network (SGRN)",
        reference=ZU_2020,
        verified=f"second source: {RECURRENT_LAYERS}/sgrn_cell.jl (documentation)",
        remarks=(
            "The library's code adds a bias to the input's product as well.",
            "The paper's equations were not seen.",
        ),
    ),
    NamedCell(
        "atr",
        "input and forget gate are sigmoids of the sum and the difference of the same two products",
        """\
p = linear(x)
q = linear(h)
i = sigmoid(p + q)
f = sigmoid(p - q)
h' = i * p + f * h""",
        title="Addition-subtraction twin-gated recurrent unit (ATR)",
        reference=ZHANG_2018,
        verified=_ATR,
        remarks=("The README corrects the forget gate of the paper, which has a misprint.",),
    ),
    NamedCell(
        "atr-tanh",
        "the twin-gated unit with tanh on the new state",
        """\
p = linear(x)
q = linear(h)
i = sigmoid(p + q)
f = sigmoid(p - q)
h' = tanh(i * p + f * h)""",
        title="Addition-subtraction twin-gated recurrent unit (ATR) with tanh",
        reference=ZHANG_2018,
        verified=f"{_ATR} (optional designs); https://github.com/bzhangGo/lrn@26e6f6f lm/code/rnn.py",
        remarks=("The authors compare their later LRN with this form.",),
    ),
    NamedCell(
        "lrn",
        "gates that read the state itself, no matrix of the state at all",
        """\
i = sigmoid(linear(x) + h)
f = sigmoid(linear(x) - h)
h' = tanh(i * linear(x) + f * h)""",
        title="Lightweight recurrent network (LRN)",
        reference=ZHANG_2019,
        verified=_LRN,
    ),
    NamedCell(
        "lrn-identity",
        "the lightweight recurrent network without its tanh",
        """\
i = sigmoid(linear(x) + h)
f = sigmoid(linear(x) - h)
h' = i * linear(x) + f * h""",
        title="Lightweight recurrent network (LRN) with the identity as activation",
        reference=ZHANG_2019,
        verified=_LRN,
    ),
    NamedCell(
        "delta-rnn",
        "one product of the input serves new value and gate, and multiplies that of the state",
        """\
w = linear(x, bias=False)
v = linear(h, bias=False)
z = tanh(param(1) * v * w + param(1) * v + param(1) * w + param(0))
r = sigmoid(w + param(0))
h' = (1 - r) * z + r * h""",
        title="Delta-RNN",
        reference=ORORBIA_2017,
        verified=_DELTA,
        remarks=("The factor of the product started at 2 for the Penn Treebank in the paper.",),
    ),
    NamedCell(
        "delta-rnn-layer-norm",
        "the Delta-RNN with layer norm on both products",
        """\
w = norm(linear(x, bias=False))
v = norm(linear(h, bias=False))
z = tanh(v * w + v + w)
r = sigmoid(w + param(0))
h' = (1 - r) * z + r * h""",
        title="Layer-normalised Delta-RNN",
        reference=ORORBIA_2017,
        verified=f"{_DELTA} (useLN)",
    ),
    NamedCell(
        "fastgrnn",
        "gate and new value share their matrices",
        """\
p = linear(x, bias=False) + linear(h, bias=False)
z = sigmoid(p + param(1))
n = tanh(p + param(1))
h' = (sigmoid(param(1)) * (1 - z) + sigmoid(param(-4))) * n + z * h""",
        title="FastGRNN",
        reference=KUSUPATI_2018,
        verified="authors' code: https://github.com/microsoft/EdgeML@81025fc pytorch/edgeml_pytorch/graph/rnn.py",
        remarks=(
            "The two weights of the new value are scalars in the paper and vectors here.",
            "Low rank, sparsity and quantisation of the matrices are left out.",
        ),
    ),
    NamedCell(
        "miru-1",
        "the GRU with a number for its update gate",
        """\
r = sigmoid(linear(x) + linear(h, bias=False))
n = tanh(linear(x) + linear(r * h, bias=False))
h' = 0.5 * h + 0.5 * n""",
        title="Minion recurrent unit 1 (MiRU-1)",
        reference=ZYARAH_2025,
        verified="second source: https://github.com/MartinuzziFrancesco/torchrecurrent@1cec4cb cells/miru_cell.py",
        remarks=(
            "The number is a setting in the paper, chosen for each task; 0.5 is the library's default.",
            "RecurrentLayers.jl has tanh on the reset gate in the code and the sigmoid in its documentation.",
            "The paper's equations were not seen.",
        ),
    ),
)
"""Cells of the family."""
