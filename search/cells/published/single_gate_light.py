"""Cells with highway or additive gates, and few matrices of the state: RHN, CFN, RAN, MinimalRNN, STAR."""

from search.cells.published.entry import NamedCell, Reference

ZILLY_2016 = Reference(
    key="zilly2016",
    authors=("Julian Georg Zilly", "Rupesh Kumar Srivastava", "Jan Koutnik", "Juergen Schmidhuber"),
    title="Recurrent Highway Networks",
    year=2016,
    arxiv="1607.03474",
    venue="ICML 2017",
)

LAURENT_2016 = Reference(
    key="laurent2016",
    authors=("Thomas Laurent", "James von Brecht"),
    title="A Recurrent Neural Network without Chaos",
    year=2016,
    arxiv="1612.06212",
    venue="ICLR 2017",
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

TURKOGLU_2019 = Reference(
    key="turkoglu2019",
    authors=("Mehmet Ozgur Turkoglu", "Stefano D'Aronco", "Jan Wegner", "Konrad Schindler"),
    title="Gating Revisited: Deep Multi-Layer RNNs That Can Be Trained",
    year=2019,
    arxiv="1911.11033",
    doi="10.1109/TPAMI.2021.3064878",
    venue="IEEE Transactions on Pattern Analysis and Machine Intelligence, 2021",
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

RECURRENT_LAYERS = "https://github.com/MartinuzziFrancesco/RecurrentLayers.jl@ffed898 src/cells"
_RAN = "authors' code: https://github.com/kentonl/ran@bcee2c8 ran.py"
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
        verified=f"second source: {RECURRENT_LAYERS}/cfn_cell.jl; starts of the biases: two TensorFlow reproductions",
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
        verified=f"second source: {RECURRENT_LAYERS}/star_cell.jl",
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
)
"""Cells of the family."""
