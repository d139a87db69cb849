"""Cells with one gate, or with gates that are simpler than the GRU's."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.gru import STAROVEROV_2026
from search.cells.published.plain import KUSUPATI_2018, ZYARAH_2025

ZHOU_2016 = Reference(
    key="zhou2016",
    authors=("Guo-Bing Zhou", "Jianxin Wu", "Chen-Lin Zhang", "Zhi-Hua Zhou"),
    title="Minimal Gated Unit for Recurrent Neural Networks",
    year=2016,
    arxiv="1603.09420",
    doi="10.1007/s11633-016-1006-2",
    venue="International Journal of Automation and Computing 13(3)",
)
ZILLY_2016 = Reference(
    key="zilly2016",
    authors=("Julian Georg Zilly", "Rupesh Kumar Srivastava", "Jan Koutnik", "Juergen Schmidhuber"),
    title="Recurrent Highway Networks",
    year=2016,
    arxiv="1607.03474",
    venue="ICML 2017",
)
COLLINS_2016 = Reference(
    key="collins2016",
    authors=("Jasmine Collins", "Jascha Sohl-Dickstein", "David Sussillo"),
    title="Capacity and Trainability in Recurrent Neural Networks",
    year=2016,
    arxiv="1611.09913",
    venue="ICLR 2017",
)
LAURENT_2016 = Reference(
    key="laurent2016",
    authors=("Thomas Laurent", "James von Brecht"),
    title="A Recurrent Neural Network without Chaos",
    year=2016,
    arxiv="1612.06212",
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
ORORBIA_2017 = Reference(
    key="ororbia2017",
    authors=("Alexander G. Ororbia II", "Tomas Mikolov", "David Reitter"),
    title="Learning Simpler Language Models with the Differential State Framework",
    year=2017,
    arxiv="1703.08864",
    venue="Neural Computation 29(12)",
)
LEE_2017 = Reference(
    key="lee2017",
    authors=("Kenton Lee", "Omer Levy", "Luke Zettlemoyer"),
    title="Recurrent Additive Networks",
    year=2017,
    arxiv="1705.07393",
)
CHEN_2017 = Reference(
    key="chen2017",
    authors=("Minmin Chen",),
    title="MinimalRNN: Toward More Interpretable and Trainable Recurrent Neural Networks",
    year=2017,
    arxiv="1711.06788",
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
TURKOGLU_2019 = Reference(
    key="turkoglu2019",
    authors=("Mehmet Ozgur Turkoglu", "Stefano D'Aronco", "Jan Wegner", "Konrad Schindler"),
    title="Gating Revisited: Deep Multi-Layer RNNs That Can Be Trained",
    year=2019,
    arxiv="1911.11033",
    doi="10.1109/TPAMI.2021.3064878",
    venue="IEEE Transactions on Pattern Analysis and Machine Intelligence, 2021",
)
ZU_2020 = Reference(
    key="zu2020",
    authors=("Xiangrong Zu", "Kai Wei"),
    title="A Simple Gated Recurrent Network for Detection of Power Quality Disturbances",
    year=2020,
    doi="10.1049/gtd2.12056",
    venue="IET Generation, Transmission & Distribution 15(4)",
)
YE_2024 = Reference(
    key="ye2024",
    authors=("Hong Ye", "Yibing Zhang", "Huizhou Liu", "Xuannong Li", "Jiaming Chang", "Hui Zheng"),
    title=(
        "Light Recurrent Unit: Towards an Interpretable Recurrent Neural Network for Modeling Long-Range Dependency"
    ),
    year=2024,
    doi="10.3390/electronics13163204",
    venue="Electronics 13(16)",
)

_RECURRENT_LAYERS = "https://github.com/MartinuzziFrancesco/RecurrentLayers.jl@ffed898 src/cells"
_TORCHRECURRENT = "https://github.com/MartinuzziFrancesco/torchrecurrent@e5c5999 documentation of"
_ATR = "authors' code: https://github.com/bzhangGo/ATR@4283f69 README.md, lm/pytorch-lm/rnn/atr.py"
_LRN = "authors' code: https://github.com/bzhangGo/lrn@26e6f6f README.md, lm/code/rnn.py"
_RAN = "authors' code: https://github.com/kentonl/ran@bcee2c8 ran.py"
_DELTA = "authors' code: https://github.com/ago109/Delta-RNN-Theano@c86a339 src/DeltaRNNLayer.py"
_HIGHWAY_REMARKS = (
    "The carry gate is one minus the transform gate, as in the authors' code; the paper's general form has two gates.",
    "The transform gates' biases start at -2, as in the authors' setting for the Penn Treebank.",
)


def _highway(depth: int) -> str:
    """Return the formula of a recurrent highway network with coupled gates; the input enters the first layer."""
    lines = []
    for k in range(1, depth + 1):
        state, after = f"s{k - 1}" if k > 1 else "h", f"s{k}" if k < depth else "h'"
        gate = f"linear({state}, bias=False)" if k == 1 else f"linear({state}, bias=-2)"
        value = f"linear({state}, bias=False)" if k == 1 else f"linear({state})"
        of_x = ("linear(x, bias=-2) + ", "linear(x) + ") if k == 1 else ("", "")
        lines += [
            f"t{k} = sigmoid({of_x[0]}{gate})",
            f"n{k} = tanh({of_x[1]}{value})",
            f"{after} = t{k} * n{k} + (1 - t{k}) * {state}",
        ]
    return "\n".join(lines)


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
    NamedCell(
        "rhn-3",
        "three highway layers from state to state",
        _highway(3),
        title="Recurrent highway network (RHN), depth 3",
        reference=ZILLY_2016,
        verified="authors' code: https://github.com/jzilly/RecurrentHighwayNetworks@9ab03a3 rhn.py",
        remarks=_HIGHWAY_REMARKS,
    ),
    NamedCell(
        "rhn-5",
        "five highway layers from state to state",
        _highway(5),
        title="Recurrent highway network (RHN), depth 5",
        reference=ZILLY_2016,
        verified="authors' code: https://github.com/jzilly/RecurrentHighwayNetworks@9ab03a3 rhn.py",
        remarks=_HIGHWAY_REMARKS,
    ),
    NamedCell(
        "rhn-10",
        "ten highway layers from state to state",
        _highway(10),
        title="Recurrent highway network (RHN), depth 10",
        reference=ZILLY_2016,
        verified="authors' code: https://github.com/jzilly/RecurrentHighwayNetworks@9ab03a3 rhn.py, rhn_train.py",
        remarks=_HIGHWAY_REMARKS,
    ),
    NamedCell(
        "cfn",
        "gates on tanh of the state and on tanh of the input, no matrix of the state outside the gates",
        """\
theta = sigmoid(linear(x, bias=1) + linear(h, bias=False))
eta = sigmoid(linear(x, bias=-1) + linear(h, bias=False))
h' = theta * tanh(h) + eta * tanh(linear(x, bias=False))""",
        title="Chaos-free network (CFN)",
        reference=LAURENT_2016,
        verified=f"second source: {_RECURRENT_LAYERS}/cfn_cell.jl; starts of the biases: two TensorFlow reproductions",
    ),
    NamedCell(
        "ran",
        "the LSTM with a linear new value and without an output gate",
        """\
i = sigmoid(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
c' = i * linear(x, bias=False) + f * c
h' = tanh(c')""",
        title="Recurrent additive network (RAN)",
        reference=LEE_2017,
        verified=_RAN,
    ),
    NamedCell(
        "ran-identity",
        "the recurrent additive network without its tanh",
        """\
i = sigmoid(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
h' = i * linear(x, bias=False) + f * h""",
        title="Recurrent additive network (RAN) with the identity as output function",
        reference=LEE_2017,
        verified=f"{_RAN} (use_tanh=False)",
    ),
    NamedCell(
        "minimal-rnn",
        "the new value is a function of the input alone, and the gate reads it",
        """\
z = tanh(linear(x))
u = sigmoid(linear(h) + linear(z, bias=False))
h' = u * h + (1 - u) * z""",
        title="MinimalRNN",
        reference=CHEN_2017,
        verified="second source: https://github.com/rhee/minmin-minimalrnn minimalrnn.py",
        remarks=("The gate reads the new value of the step before in the code of RecurrentLayers.jl.",),
    ),
    NamedCell(
        "lightru",
        "the new value is a function of the input alone",
        """\
n = tanh(linear(x, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
h' = (1 - f) * h + f * n""",
        title="Light recurrent unit",
        reference=YE_2024,
        verified="second source: https://github.com/lucidrains/light-recurrent-unit-pytorch",
    ),
    NamedCell(
        "star",
        "the light recurrent unit with tanh on the new state",
        """\
z = tanh(linear(x))
k = sigmoid(linear(x) + linear(h, bias=False))
h' = tanh((1 - k) * h + k * z)""",
        title="Stackable recurrent cell (STAR)",
        reference=TURKOGLU_2019,
        verified=f"second source: {_RECURRENT_LAYERS}/star_cell.jl",
        remarks=("The authors' code is another cell: see star-chrono.",),
    ),
    NamedCell(
        "star-chrono",
        "STAR as in its authors' code: the input weighs more than one minus the gate, chrono start",
        """\
z = tanh(linear(x, random=orthogonal))
f = linear(x, bias=chrono(785), random=orthogonal) + linear(h, bias=False, random=orthogonal)
h' = tanh(sigmoid(f) * h + (1 - sigmoid(f - 1)) * z)""",
        title="Stackable recurrent cell (STAR), authors' code",
        reference=TURKOGLU_2019,
        verified="authors' code: https://github.com/0zgur0/STAckable-Recurrent-network@acc5523 star.py",
        remarks=("The gate's bias starts for sequences of 784 steps, whatever the task, as in the code.",),
    ),
    NamedCell(
        "sgrn",
        "the gate reads the product that it gates",
        """\
p = linear(x, bias=False)
f = sigmoid(p + linear(h))
h' = tanh((1 - f) * p + f * h)""",
        title="Simple gated recurrent network (SGRN)",
        reference=ZU_2020,
        verified=f"second source: {_RECURRENT_LAYERS}/sgrn_cell.jl (documentation)",
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
