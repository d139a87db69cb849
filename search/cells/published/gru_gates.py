"""GRU variants with fewer or other gates: light, simple, exponential and bistable ones, delays, deep transitions."""

from search.cells.published.entry import NamedCell, Reference, SharedName

GAO_2016 = Reference(
    key="gao2016",
    authors=("Yuan Gao", "Dorota Glowacka"),
    title="Deep Gate Recurrent Neural Network",
    year=2016,
    arxiv="1604.02910",
    venue="ACML 2016",
)

RAVANELLI_2017 = Reference(
    key="ravanelli2017",
    authors=("Mirco Ravanelli", "Philemon Brakel", "Maurizio Omologo", "Yoshua Bengio"),
    title="Improving Speech Recognition by Revising Gated Recurrent Units",
    year=2017,
    arxiv="1710.00641",
    venue="Interspeech 2017",
)

RAVANELLI_2018 = Reference(
    key="ravanelli2018",
    authors=("Mirco Ravanelli", "Philemon Brakel", "Maurizio Omologo", "Yoshua Bengio"),
    title="Light Gated Recurrent Units for Speech Recognition",
    year=2018,
    arxiv="1803.10225",
    doi="10.1109/TETCI.2017.2762739",
    venue="IEEE Transactions on Emerging Topics in Computational Intelligence 2(2)",
)

MENG_2018 = Reference(
    key="meng2018",
    authors=("Fandong Meng", "Jinchao Zhang"),
    title="DTMT: A Novel Deep Transition Architecture for Neural Machine Translation",
    year=2018,
    arxiv="1812.07807",
    venue="AAAI 2019",
)

CHAN_2020 = Reference(
    key="chan2020",
    authors=("Ka-Hou Chan", "Wei Ke", "Sio-Kei Im"),
    title="CARU: A Content-Adaptive Recurrent Unit for the Transition of Hidden State in NLP",
    year=2020,
    doi="10.1007/978-3-030-63830-6_58",
    venue="ICONIP 2020",
)

VECOVEN_2020 = Reference(
    key="vecoven2020",
    authors=("Nicolas Vecoven", "Damien Ernst", "Guillaume Drion"),
    title="A Bio-Inspired Bistable Recurrent Cell Allows for Long-Lasting Memory",
    year=2020,
    arxiv="2006.05252",
    doi="10.1371/journal.pone.0252676",
    venue="PLoS ONE 16(6)",
)

ERICHSON_2022 = Reference(
    key="erichson2022",
    authors=("N. Benjamin Erichson", "Soon Hoe Lim", "Michael W. Mahoney"),
    title="Gated Recurrent Neural Networks with Weighted Time-Delay Feedback",
    year=2022,
    arxiv="2212.00228",
)

MOUMEN_2023 = Reference(
    key="moumen2023",
    authors=("Adel Moumen", "Titouan Parcollet"),
    title="Stabilising and Accelerating Light Gated Recurrent Units for Automatic Speech Recognition",
    year=2023,
    arxiv="2302.10144",
    venue="ICASSP 2023",
)

STAROVEROV_2026 = Reference(
    key="staroverov2026",
    authors=("Nikolay Staroverov",),
    title="eMGU and eGRU: Minimal Exponential Recurrent Cells",
    year=2026,
    doi="10.5281/zenodo.22944853",
    venue="Zenodo",
)

_STAROVEROV = (
    "authors' code: https://github.com/winkelee/Minimal-Exponential-Recurrent-Cells@54e1ae5 custom_models_for_lm.py"
)
_SGU = (
    "second source: https://github.com/MartinuzziFrancesco/torchrecurrent, which quotes the paper's equations; "
    "activations: https://github.com/chainer/chainer@02ecf3d chainer/links/connection/sgu.py"
)
_BRC = "authors' code: https://github.com/nvecoven/BRC@1b99539 cells/cells.py"
_DTMT = "authors' code: https://github.com/fandongmeng/DTMT_InDec@3963152 THUMT/thumt/layers/rnn_cell.py"
_HARD_SIGMOID = (
    "Its gate is the hard sigmoid 0.2 v + 0.5, cut off at 0 and 1, of Keras and Chainer at the time; torchrecurrent "
    "has PyTorch's v / 6 + 0.5."
)

_L_GRU = """\
r = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
l = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
z = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
n = tanh(linear(x, bias=False) + r * linear(h)) + l * linear(x, bias=False)"""


def _deep_transition(transitions: int) -> str:
    """Return the formula of an L-GRU followed by T-GRUs, which read the state alone."""
    lines = [_L_GRU, "s0 = (1 - z) * h + z * n"]
    for k in range(transitions):
        after = f"s{k + 1}" if k + 1 < transitions else "h'"
        lines += [
            f"r{k} = sigmoid(norm(linear(s{k}, bias=False)))",
            f"z{k} = sigmoid(norm(linear(s{k}, bias=False)))",
            f"n{k} = tanh(r{k} * linear(s{k}))",
            f"{after} = (1 - z{k}) * s{k} + z{k} * n{k}",
        ]
    return "\n".join(lines)


CELLS = (
    NamedCell(
        "li-gru",
        "one gate, no reset, and a rectified new value",
        """\
z = sigmoid(linear(x) + linear(h, random=orthogonal, bias=False))
n = relu(linear(x) + linear(h, random=orthogonal, bias=False))
h' = z * h + (1 - z) * n""",
        title="Light gated recurrent unit (Li-GRU)",
        reference=RAVANELLI_2018,
        verified="authors' code: https://github.com/mravanelli/pytorch-kaldi@9773257 neural_networks.py (liGRU)",
        remarks=(
            "The paper's batch norm of the input's products is left out; the code makes it an option.",
            "RecurrentLayers.jl has tanh in the code and the rectified unit in its documentation.",
        ),
        same_as=(SharedName("M-reluGRU", RAVANELLI_2017),),
    ),
    NamedCell(
        "sli-gru",
        "the light GRU with layer norm on the recurrent products",
        """\
z = sigmoid(linear(x) + norm(linear(h, random=orthogonal, bias=False)))
n = relu(linear(x) + norm(linear(h, random=orthogonal, bias=False)))
h' = z * h + (1 - z) * n""",
        title="Stabilised light gated recurrent unit (SLi-GRU)",
        reference=MOUMEN_2023,
        verified=(
            "authors' code: https://github.com/Adel-Moumen/fast_ligru@81eeeea fast_ligru_pytorch/stabilised_ligru.py"
        ),
        remarks=(
            "The code normalises the products of gate and new value together, without a learned gain and offset; here "
            "each has a norm of its own.",
            "The batch norm of the input's products is left out.",
        ),
    ),
    NamedCell(
        "sgu",
        "the input multiplies the state before a matrix, and a hard sigmoid is the update gate",
        """\
g = tanh(linear(linear(x) * h, bias=False))
n = softplus(g * h)
v = 0.2 * (linear(x) + linear(h, bias=False)) + 0.5
z = relu(v) - relu(v - 1)
h' = (1 - z) * h + z * n""",
        title="Simple gated unit (SGU)",
        reference=GAO_2016,
        verified=_SGU,
        remarks=(_HARD_SIGMOID,),
    ),
    NamedCell(
        "dsgu",
        "the simple gated unit with one more matrix",
        """\
g = tanh(linear(linear(x) * h, bias=False))
n = sigmoid(linear(g * h, bias=False))
v = 0.2 * (linear(x) + linear(h, bias=False)) + 0.5
z = relu(v) - relu(v - 1)
h' = (1 - z) * h + z * n""",
        title="Deep simple gated unit (DSGU)",
        reference=GAO_2016,
        verified=_SGU,
        remarks=(_HARD_SIGMOID,),
    ),
    NamedCell(
        "egru",
        "exponential gates with a normaliser",
        """\
z = linear(x) + linear(h)
r = linear(x) + linear(h)
n = tanh(linear(x) + linear(h))
s = z + l - r
g = sigmoid(s)
h' = g * h + (1 - g) * n
l' = r + softplus(s)""",
        title="Exponential GRU (eGRU)",
        reference=STAROVEROV_2026,
        verified=_STAROVEROV,
        remarks=(
            "The authors carry a sum, its normaliser and a stabiliser; here the state is their quotient, and l the "
            "logarithm of the normaliser, which is the same cell without exponentials.",
            "Its states start at a normaliser of 1, as l = 0 does.",
        ),
    ),
    NamedCell(
        "brc",
        "units that can switch between one stable state and two, each on its own past",
        """\
a = 1 + tanh(linear(x) + param(1) * h)
c = sigmoid(linear(x) + param(1) * h)
h' = c * h + (1 - c) * tanh(linear(x, bias=False) + a * h)""",
        title="Bistable recurrent cell (BRC)",
        reference=VECOVEN_2020,
        verified=_BRC,
    ),
    NamedCell(
        "nbrc",
        "the bistable recurrent cell with matrices of the state in its gates",
        """\
a = 1 + tanh(linear(x) + linear(h, bias=False))
c = sigmoid(linear(x) + linear(h, bias=False))
h' = c * h + (1 - c) * tanh(linear(x, bias=False) + a * h)""",
        title="Recurrently neuromodulated bistable recurrent cell (nBRC)",
        reference=VECOVEN_2020,
        verified=_BRC,
        remarks=("RecurrentLayers.jl uses the input's product twice and ignores the state's.",),
    ),
    NamedCell(
        "tau-gru",
        "the state of two steps ago, gated, in the new value",
        """\
u = tanh(linear(x) + linear(h, bias=False))
z = tanh(linear(x) + linear(d, bias=False))
g = sigmoid(linear(x) + linear(h, bias=False))
a = sigmoid(linear(x) + linear(h, bias=False))
h' = (1 - g) * h + g * (u + a * z)
d' = h""",
        title="tau-GRU with a delay of one step",
        reference=ERICHSON_2022,
        verified="second source: https://github.com/MartinuzziFrancesco/torchrecurrent@16bc0dd cells/taugru_cell.py",
        remarks=(
            "The paper chooses the delay for each task; longer ones need more states.",
            "The paper's equations were not seen; other public code delays the input too.",
        ),
    ),
    NamedCell(
        "caru",
        "the update gate is multiplied by a gate of the word alone",
        """\
p = linear(x)
n = tanh(linear(h) + p)
l = sigmoid(p) * sigmoid(linear(h) + linear(x))
h' = (1 - l) * h + l * n""",
        title="Content-adaptive recurrent unit (CARU)",
        reference=CHAN_2020,
        verified="authors' code: https://github.com/ChanKaHou/CARU@fd9a131 IMDB-CARUCell.py",
        remarks=("The authors' first state is tanh of the first word's product; here it is 0 before the first word.",),
    ),
    NamedCell(
        "l-gru",
        "the GRU with a gated linear path from the input, layer norm on its gates",
        f"{_L_GRU}\nh' = (1 - z) * h + z * n",
        title="Linear transformation enhanced GRU (L-GRU)",
        reference=MENG_2018,
        verified=_DTMT,
        remarks=(
            "It is the first layer of DTMT's transition; the linear path follows the linear associative unit "
            "(Wang et al. 2017, arXiv 1705.00861).",
        ),
    ),
    NamedCell(
        "dtmt",
        "an L-GRU followed by four GRUs that read the state alone",
        _deep_transition(4),
        title="Deep transition of DTMT",
        reference=MENG_2018,
        verified=_DTMT,
    ),
)
"""Cells of the family."""
