"""Cells derived from differential equations."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.plain import NGUYEN_2020

RUSCH_2020 = Reference(
    key="rusch2020",
    authors=("T. Konstantin Rusch", "Siddhartha Mishra"),
    title=(
        "Coupled Oscillatory Recurrent Neural Network (coRNN): An accurate and (gradient) stable architecture for "
        "learning long time dependencies"
    ),
    year=2020,
    arxiv="2010.00951",
    venue="ICLR 2021",
)

RUSCH_2021 = Reference(
    key="rusch2021",
    authors=("T. Konstantin Rusch", "Siddhartha Mishra"),
    title="UnICORNN: A recurrent model for learning very long time dependencies",
    year=2021,
    arxiv="2103.05487",
    venue="ICML 2021",
)

HASANI_2021 = Reference(
    key="hasani2021",
    authors=(
        "Ramin Hasani",
        "Mathias Lechner",
        "Alexander Amini",
        "Lucas Liebenwein",
        "Aaron Ray",
        "Max Tschaikowski",
        "Gerald Teschl",
        "Daniela Rus",
    ),
    title="Closed-form continuous-time neural networks",
    year=2021,
    arxiv="2106.13898",
    doi="10.1038/s42256-022-00556-7",
    venue="Nature Machine Intelligence 4(11)",
)

RUSCH_2021_LEM = Reference(
    key="rusch2021lem",
    authors=("T. Konstantin Rusch", "Siddhartha Mishra", "N. Benjamin Erichson", "Michael W. Mahoney"),
    title="Long Expressive Memory for Sequence Modeling",
    year=2021,
    arxiv="2110.04744",
    venue="ICLR 2022",
)

_CORNN = "authors' code: https://github.com/tk-rusch/coRNN/blob/afd81744d108/IMDB"
_LEM = "authors' code: https://github.com/tk-rusch/LEM/blob/833da6b338a1/src"
_CFC = "authors' code: https://github.com/mlech26l/ncps/blob/695ec22d7d18/ncps/torch/cfc_cell.py"
_CFC_REMARKS = (
    "The time between steps is 1, so that the two matrices of the time gate act as one.",
    "The hidden layer before the heads has the state's size here; its size and depth are free in the authors' code.",
)


def _lem(step: str) -> str:
    """Return the formula of the LEM cell; `step` is the factor of both gates, such as `0.21 * `."""
    return f"""\
b = {step}sigmoid(linear(x) + linear(h))
d = {step}sigmoid(linear(x) + linear(h))
z' = (1 - d) * z + d * tanh(linear(x) + linear(h))
h' = (1 - b) * h + b * tanh(linear(z') + linear(x))"""


CELLS = (
    NamedCell(
        "cornn",
        "damped oscillators, one a unit, coupled by matrices and driven by the input",
        """\
z' = z + 0.054 * (tanh(linear(x) + linear(z, bias=False) + linear(h, bias=False)) - 4.9 * h - 4.8 * z)
h' = h + 0.054 * z'""",
        title="Coupled oscillatory recurrent network (coRNN)",
        reference=RUSCH_2020,
        verified=f"{_CORNN}/model.py",
        remarks=(
            "Step 0.054, frequency 4.9 and damping 4.8 are the authors' choice for IMDB, their task of words.",
            "The authors choose the three numbers task by task: steps from 0.034 to 0.1 in their code.",
        ),
    ),
    NamedCell(
        "unicornn",
        "undamped oscillators that see their own past alone, each with a time scale of its own",
        """\
s = 0.19 * sigmoid(param(uniform(-0.1, 0.1)))
z' = z - s * (tanh(param(uniform(0, 1)) * h + linear(x)) + 30.65 * h)
h' = h + s * z'""",
        title="Undamped independent controlled oscillatory recurrent network (UnICORNN)",
        reference=RUSCH_2021,
        verified="authors' code: https://github.com/tk-rusch/unicornn/blob/35b243d9ac5f/psMNIST/network.py",
        remarks=("Step 0.19 and frequency 30.65 are the authors' choice for permuted sequential MNIST.",),
    ),
    NamedCell(
        "lem",
        "two states of different time scales, each with a gate as its time step",
        _lem(""),
        title="Long expressive memory (LEM), time step 1",
        reference=RUSCH_2021_LEM,
        verified=f"{_LEM}/adding/network.py",
        remarks=("The output h is the paper's y.", "Each sum has two biases, as in the authors' code."),
    ),
    NamedCell(
        "lem-slow",
        "LEM with a largest time step of 0.21",
        _lem("0.21 * "),
        title="Long expressive memory (LEM), time step 0.21",
        reference=RUSCH_2021_LEM,
        verified=f"{_LEM}/sMNIST/network.py and sMNIST_task.py",
        remarks=(
            "0.21 is the authors' step for sequential MNIST; their code has steps from 0.00017 to 1.",
            "Each sum has two biases, as in the authors' code.",
        ),
    ),
    NamedCell(
        "cfc",
        "two candidates of a hidden layer, mixed by a gate that stands for elapsed time",
        """\
b = 1.7159 * tanh(0.666 * (linear(x) + linear(h, bias=False)))
f = tanh(linear(b))
g = tanh(linear(b))
t = sigmoid(linear(b))
h' = (1 - t) * f + t * g""",
        title="Closed-form continuous-time network (CfC)",
        reference=HASANI_2021,
        verified=_CFC,
        remarks=_CFC_REMARKS,
    ),
    NamedCell(
        "cfc-no-gate",
        "CfC with the second candidate added instead of mixed in",
        """\
b = 1.7159 * tanh(0.666 * (linear(x) + linear(h, bias=False)))
f = tanh(linear(b))
g = tanh(linear(b))
t = sigmoid(linear(b))
h' = f + t * g""",
        title="Closed-form continuous-time network (CfC), without a gate",
        reference=HASANI_2021,
        verified=_CFC,
        remarks=_CFC_REMARKS,
    ),
    NamedCell(
        "momentum-lstm",
        "an LSTM whose gates see a running sum of the input's projections, as in gradient descent with momentum",
        """\
vi' = 0.6 * vi + 0.6 * linear(x)
vf' = 0.6 * vf + 0.6 * linear(x, bias=1)
vg' = 0.6 * vg + 0.6 * linear(x)
vo' = 0.6 * vo + 0.6 * linear(x)
i = sigmoid(vi' + linear(h))
f = sigmoid(vf' + linear(h, bias=1))
g = tanh(vg' + linear(h))
o = sigmoid(vo' + linear(h))
c' = f * c + i * g
h' = o * tanh(c')""",
        title="Momentum LSTM",
        reference=NGUYEN_2020,
        verified=(
            "authors' code: https://github.com/minhtannguyen/MomentumRNN/blob/f185c5432a52/mnist-timit/momentumnet.py"
        ),
        remarks=(
            "Momentum 0.6 and step 0.6 are the authors' choice for sequential MNIST.",
            "The authors start the input's matrix orthogonal over all gates at once, and the state's at the identity "
            "for the first gate and at zero for the others; here both start at random.",
        ),
    ),
)
"""Cells of the family."""
