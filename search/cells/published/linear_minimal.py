"""Linear recurrences whose gates see the input alone: HGRN, selective state space, minGRU, minLSTM; oscillators."""

from search.cells.published.entry import NamedCell, Reference

QIN_2023 = Reference(
    key="qin2023",
    authors=("Zhen Qin", "Songlin Yang", "Yiran Zhong"),
    title="Hierarchically Gated Recurrent Neural Network for Sequence Modeling",
    year=2023,
    arxiv="2311.04823",
    venue="NeurIPS 2023",
)

GU_2023 = Reference(
    key="gu2023",
    authors=("Albert Gu", "Tri Dao"),
    title="Mamba: Linear-Time Sequence Modeling with Selective State Spaces",
    year=2023,
    arxiv="2312.00752",
)

FENG_2024 = Reference(
    key="feng2024",
    authors=("Leo Feng", "Frederick Tung", "Mohamed Osama Ahmed", "Yoshua Bengio", "Hossein Hajimirsadeghi"),
    title="Were RNNs All We Needed?",
    year=2024,
    arxiv="2410.01201",
)

RUSCH_2024 = Reference(
    key="rusch2024",
    authors=("T. Konstantin Rusch", "Daniela Rus"),
    title="Oscillatory State-Space Models",
    year=2024,
    arxiv="2410.03943",
    venue="ICLR 2025",
)

_HGRU = "author's code: https://github.com/Doraemonzzz/hgru-pytorch/blob/09f4ed2c78f7/hgru/hgrureal1d.py"
_MINIMAL = "second source: https://github.com/lucidrains/minGRU-pytorch/blob/38b26e119a2e/minGRU_pytorch"

CELLS = (
    NamedCell(
        "hgrn",
        "a gated linear recurrence with SiLU, layer norm and an output gate",
        """\
v = linear(x)
u = linear(x)
f = sigmoid(linear(x))
c' = f * c + (1 - f) * v * sigmoid(v)
h' = linear(norm(c') * u * sigmoid(u))""",
        title="Hierarchically gated recurrent network (HGRN), real form, first layer",
        reference=QIN_2023,
        verified=_HGRU,
        remarks=(
            "The paper's state is complex, with a learned phase; this is the real layer of the author's code.",
            "In the first layer the lower bound of the forget gate is zero.",
            "flash-linear-attention has no biases and an RMS norm instead of the layer norm.",
        ),
    ),
    NamedCell(
        "hgrn-bound",
        "HGRN with a learned lower bound of the forget gate",
        """\
v = linear(x)
u = linear(x)
b = sigmoid(param(0))
f = b + (1 - b) * sigmoid(linear(x))
c' = f * c + (1 - f) * v * sigmoid(v)
h' = linear(norm(c') * u * sigmoid(u))""",
        title="Hierarchically gated recurrent network (HGRN), real form, with a lower bound",
        reference=QIN_2023,
        verified=_HGRU,
        remarks=(
            "The paper makes the bounds of all layers one cumulative softmax, so that they rise with depth; here each "
            "layer has a bound of its own, which starts at one half.",
        ),
    ),
    NamedCell(
        "selective-ssm",
        "a gated mean of the inputs themselves: a selective state space of one number a channel",
        """\
g = sigmoid(linear(x))
h' = (1 - g) * h + g * x""",
        title="Selective state space model (S6) with N = 1, A = -1, B = 1",
        reference=GU_2023,
        verified="paper, theorem 1, as quoted by several public notes on it",
        remarks=(
            "The theorem holds for a step size by softplus and zero-order hold.",
            "The authors' code makes the input's factor the step size times B instead of zero-order hold.",
        ),
    ),
    NamedCell(
        "min-gru-positive",
        "a forget gate and a positive candidate, both of the input alone",
        """\
n = linear(x)
p = relu(n)
z = sigmoid(linear(x))
h' = (1 - z) * h + z * (p + sigmoid(n - p))""",
        title="Minimal gated recurrent unit (minGRU), log-space form",
        reference=FENG_2024,
        verified=f"{_MINIMAL}/minGRU.py",
        remarks=(
            "The candidate is n + 0.5 for positive n and sigmoid(n) for negative n.",
            "The second source has no biases; the paper's layers have one each.",
        ),
    ),
    NamedCell(
        "min-lstm",
        "forget and input gates of the input alone, divided by their sum",
        """\
f = linear(x)
i = linear(x)
s = sigmoid(softplus(-i) - softplus(-f))
h' = s * h + (1 - s) * linear(x)""",
        title="Minimal long short-term memory (minLSTM)",
        reference=FENG_2024,
        verified=f"{_MINIMAL}/minLSTM.py",
        remarks=(
            "sigmoid(f) / (sigmoid(f) + sigmoid(i)) is written as `s`, which needs no division.",
            "The second source has no biases; the paper's layers have one each.",
        ),
    ),
    NamedCell(
        "min-lstm-positive",
        "minLSTM with a positive candidate",
        """\
f = linear(x)
i = linear(x)
s = sigmoid(softplus(-i) - softplus(-f))
n = linear(x)
p = relu(n)
h' = s * h + (1 - s) * (p + sigmoid(n - p))""",
        title="Minimal long short-term memory (minLSTM), log-space form",
        reference=FENG_2024,
        verified=f"{_MINIMAL}/minLSTM.py",
        remarks=("The candidate is n + 0.5 for positive n and sigmoid(n) for negative n.",),
    ),
    NamedCell(
        "linoss-imex",
        "harmonic oscillators driven by the input, one a unit, in complex numbers",
        """\
a = relu(param(uniform(0, 1)))
dt = sigmoid(param(uniform(0, 1)))
zr' = zr + dt * (linear(x, bias=False) - a * yr)
zi' = zi + dt * (linear(x, bias=False) - a * yi)
yr' = yr + dt * zr'
yi' = yi + dt * zi'
h' = linear(yr', bias=False) - linear(yi', bias=False) + param(uniform(-1.7320508, 1.7320508)) * x""",
        title="Linear oscillatory state-space model (LinOSS), implicit-explicit",
        reference=RUSCH_2024,
        verified="authors' code: https://github.com/tk-rusch/linoss/blob/83e6318469cf/models/LinOSS.py",
        remarks=("The authors' block adds batch norm, GELU, a gated linear unit and a residual connection around it.",),
    ),
)
"""Cells of the family."""
