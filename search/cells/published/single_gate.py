"""GRUs with one gate: UGRNN, the minimal gated unit and its variants."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.gru_gates import STAROVEROV_2026

ZHOU_2016 = Reference(
    key="zhou2016",
    authors=("Guo-Bing Zhou", "Jianxin Wu", "Chen-Lin Zhang", "Zhi-Hua Zhou"),
    title="Minimal Gated Unit for Recurrent Neural Networks",
    year=2016,
    arxiv="1603.09420",
    doi="10.1007/s11633-016-1006-2",
    venue="International Journal of Automation and Computing 13(3)",
)

COLLINS_2016 = Reference(
    key="collins2016",
    authors=("Jasmine Collins", "Jascha Sohl-Dickstein", "David Sussillo"),
    title="Capacity and Trainability in Recurrent Neural Networks",
    year=2016,
    arxiv="1611.09913",
    venue="ICLR 2017",
)

HECK_2017 = Reference(
    key="heck2017",
    authors=("Joel Heck", "Fathi M. Salem"),
    title="Simplified Minimal Gated Unit Variations for Recurrent Neural Networks",
    year=2017,
    arxiv="1701.03452",
    doi="10.1109/MWSCAS.2017.8053242",
    venue="MWSCAS 2017",
)

_TORCHRECURRENT = "https://github.com/MartinuzziFrancesco/torchrecurrent@e5c5999 documentation of"

CELLS = (
    NamedCell(
        "ugrnn",
        "the GRU without a reset gate",
        """\
g = sigmoid(linear(x, bias=1) + linear(h, bias=False))
c = tanh(linear(x) + linear(h, bias=False))
h' = g * h + (1 - g) * c""",
        title="Update gate recurrent neural network (UGRNN)",
        reference=COLLINS_2016,
        verified=(
            "authors' code: https://github.com/tensorflow/tensorflow@9aca4c6 "
            "tensorflow/contrib/rnn/python/ops/rnn_cell.py (UGRNNCell)"
        ),
        remarks=("Flax has this cell as MGUCell with reset_gate=False, with orthogonal recurrent matrices.",),
    ),
    NamedCell(
        "emgu",
        "the GRU without a reset gate, its update gate from an exponential",
        """\
z = sigmoid(linear(x) + linear(h))
n = tanh(linear(x) + linear(h))
h' = (1 - z) * h + z * n""",
        title="Exponential minimal gated unit (eMGU)",
        reference=STAROVEROV_2026,
        verified=(
            "authors' code: https://github.com/winkelee/Minimal-Exponential-Recurrent-Cells@54e1ae5 "
            "custom_models_for_lm.py"
        ),
        remarks=(
            "The authors' gate exp(-softplus(u)) is sigmoid(-u): the cell is UGRNN with its gate flipped.",
            "Each sum has two biases in the authors' code.",
        ),
    ),
    NamedCell(
        "mgu",
        "one gate is both reset and update gate",
        """\
f = sigmoid(linear(x) + linear(h, bias=False))
n = tanh(linear(x) + linear(f * h, bias=False))
h' = (1 - f) * h + f * n""",
        title="Minimal gated unit (MGU)",
        reference=ZHOU_2016,
        verified="second source: https://github.com/chainer/chainer@012e467 chainer/links/connection/mgu.py",
        remarks=("The gate weights the old state in the code of RecurrentLayers.jl and pytorch-kaldi.",),
    ),
    NamedCell(
        "mgu-flax",
        "the minimal gated unit with the gate after the product and on the old state",
        """\
f = sigmoid(linear(x, bias=1) + linear(h, random=orthogonal, bias=False))
n = tanh(linear(x) + f * linear(h, random=orthogonal))
h' = (1 - f) * n + f * h""",
        title="Minimal gated unit of Flax",
        reference=ZHOU_2016,
        verified="authors' code: https://github.com/google/flax@18f8f31 flax/linen/recurrent.py (MGUCell)",
        remarks=("It is another cell than the paper's, in which the gate weights the new value.",),
    ),
    NamedCell(
        "mgu1",
        "the minimal gated unit whose gate does not see the input",
        """\
f = sigmoid(linear(h))
n = tanh(linear(x) + linear(f * h, bias=False))
h' = (1 - f) * h + f * n""",
        title="MGU1",
        reference=HECK_2017,
        verified=f"second source: {_TORCHRECURRENT} MGU1Cell",
    ),
    NamedCell(
        "mgu2",
        "the minimal gated unit whose gate sees the state alone, without a bias",
        """\
f = sigmoid(linear(h, bias=False))
n = tanh(linear(x) + linear(f * h, bias=False))
h' = (1 - f) * h + f * n""",
        title="MGU2",
        reference=HECK_2017,
        verified=f"second source: {_TORCHRECURRENT} MGU2Cell",
    ),
    NamedCell(
        "mgu3",
        "the minimal gated unit whose gate is a learned constant",
        """\
f = sigmoid(param(0))
n = tanh(linear(x) + linear(f * h, bias=False))
h' = (1 - f) * h + f * n""",
        title="MGU3",
        reference=HECK_2017,
        verified=f"second source: {_TORCHRECURRENT} MGU3Cell",
    ),
)
"""Cells of the family."""
