"""Linear recurrences in place of attention: weighted means, a diagonal state space, gated linear RNNs."""

from search.cells.published.entry import NamedCell, Reference

ZHAI_2021 = Reference(
    key="zhai2021",
    authors=(
        "Shuangfei Zhai",
        "Walter Talbott",
        "Nitish Srivastava",
        "Chen Huang",
        "Hanlin Goh",
        "Ruixiang Zhang",
        "Josh Susskind",
    ),
    title="An Attention Free Transformer",
    year=2021,
    arxiv="2105.14103",
)

ORVIETO_2023 = Reference(
    key="orvieto2023",
    authors=(
        "Antonio Orvieto",
        "Samuel L Smith",
        "Albert Gu",
        "Anushan Fernando",
        "Caglar Gulcehre",
        "Razvan Pascanu",
        "Soham De",
    ),
    title="Resurrecting Recurrent Neural Networks for Long Sequences",
    year=2023,
    arxiv="2303.06349",
    venue="ICML 2023",
)

PENG_2023 = Reference(
    key="peng2023",
    authors=(
        *("Bo Peng", "Eric Alcaide", "Quentin Anthony", "Alon Albalak", "Samuel Arcadinho", "Huanqi Cao", "Xin Cheng"),
        *("Michael Chung", "Matteo Grella", "Kranthi Kiran GV", "Xuzheng He", "Haowen Hou", "Przemysław Kazienko"),
        *("Jan Kocoń", "Jiaming Kong", "Bartłomiej Koptyra", "Hayden Lau", "Krishna Sri Ipsit Mantri"),
        *("Ferdinand Mom", "Atsushi Saito", "Xiangru Tang", "Bolun Wang", "Johan S. Wind", "Stanisław Woźniak"),
        *("Ruichong Zhang", "Zhenyuan Zhang", "Qihang Zhao", "Peng Zhou", "Jian Zhu", "Rui-Jie Zhu"),
    ),
    title="RWKV: Reinventing RNNs for the Transformer Era",
    year=2023,
    arxiv="2305.13048",
)

KATSCH_2023 = Reference(
    key="katsch2023",
    authors=("Tobias Katsch",),
    title="GateLoop: Fully Data-Controlled Linear Recurrence for Sequence Modeling",
    year=2023,
    arxiv="2311.01927",
)

_GATELOOP = (
    "author's code: "
    "https://github.com/tobiaskatsch/GateLoop/blob/9bf242b77bed/flax_gated_linear_rnn/gated_linear_rnn.py"
)
_NORMALISER = "`q` is the weighted mean of the values so far, and `l` the logarithm of the sum of their weights."
_ZERO_NORMALISER = "States of zero mean that a value of 0 with weight 1 was seen before the first step."

CELLS = (
    NamedCell(
        "aft-simple",
        "a running mean of values, weighted by exponential keys, with an output gate",
        """\
k = linear(x)
v = linear(x)
s = l - k
g = sigmoid(s)
q' = g * q + (1 - g) * v
l' = k + softplus(s)
h' = linear(sigmoid(linear(x)) * q')""",
        title="Attention free transformer, simple form (AFT-simple), causal",
        reference=ZHAI_2021,
        verified="second source: https://github.com/rish-16/aft-pytorch/blob/9a8969664819/aft_pytorch/aft_pytorch.py",
        remarks=(
            _NORMALISER,
            _ZERO_NORMALISER,
            "The second source sums over the whole sequence; here the sums end at the present step.",
        ),
    ),
    NamedCell(
        "lru",
        "a diagonal linear recurrence of complex numbers, in real form with free eigenvalues",
        """\
a = param(uniform(-0.7, 0.7))
b = param(uniform(-0.7, 0.7))
g = param(1)
re' = a * re - b * im + g * linear(x, bias=False)
im' = a * im + b * re + g * linear(x, bias=False)
h' = linear(re', bias=False) - linear(im', bias=False) + param(uniform(-1.7320508, 1.7320508)) * x""",
        title="Linear recurrent unit (LRU), real form",
        reference=ORVIETO_2023,
        verified="second source: https://github.com/NicolasZucchet/minimal-LRU/blob/bbd71b1104c3/lru/model.py",
        remarks=(
            "The paper writes an eigenvalue as exp(-exp(u) + i exp(v)), which keeps it inside the unit circle; here "
            "its real part `a` and its imaginary part `b` are free, so that training may leave the circle.",
            "The paper starts eigenvalues evenly in a ring, and the input's factor `g` at sqrt(1 - a^2 - b^2).",
        ),
    ),
    NamedCell(
        "rwkv-4",
        "a decaying mean of values, weighted by exponential keys, with an output gate and mixed inputs",
        """\
mk = param(linspace(0, 1))
mv = param(linspace(0, 1))
mr = param(linspace(0, 1))
k = linear(mk * x + (1 - mk) * p, bias=False)
v = linear(mv * x + (1 - mv) * p, bias=False)
r = sigmoid(linear(mr * x + (1 - mr) * p, bias=False))
g = sigmoid(l - k - param(-1.204))
wkv = g * q + (1 - g) * v
s = l - softplus(param(linspace(-5, 3))) - k
d = sigmoid(s)
q' = d * q + (1 - d) * v
l' = k + softplus(s)
h' = linear(r * wkv, bias=False)
p' = x""",
        title="Receptance weighted key value (RWKV-4), time mixing",
        reference=PENG_2023,
        verified="author's code: https://github.com/BlinkDL/RWKV-LM/blob/524481d5099b/RWKV-v4/src/model_run.py",
        remarks=(
            _NORMALISER,
            _ZERO_NORMALISER,
            "The state `p` is the previous input.",
            "The decay is softplus of a vector, while the author's code has exp; both are positive.",
            "The author starts the matrices of k, r and h at zero, inside a residual block; here they start at random.",
            "-1.204 is log 0.3, the start of the bonus of the present value; the author adds -0.5, 0 or 0.5 by unit.",
        ),
    ),
    NamedCell(
        "gated-linear-rnn",
        "a linear recurrence with one tied gate, tanh and an output gate",
        """\
z = tanh(linear(x))
i = sigmoid(linear(x))
o = sigmoid(linear(x))
c' = (1 - i) * c + i * z
h' = linear(tanh(c') * o)""",
        title="Gated linear RNN of the GateLoop repository, tied gates",
        reference=KATSCH_2023,
        verified=_GATELOOP,
        remarks=("The paper's GateLoop has a complex matrix as state; its repository has this cell of real vectors.",),
    ),
    NamedCell(
        "gated-linear-rnn-untied",
        "the gated linear RNN with separate input and forget gates",
        """\
z = tanh(linear(x))
i = sigmoid(linear(x))
f = sigmoid(linear(x))
o = sigmoid(linear(x))
c' = f * c + i * z
h' = linear(tanh(c') * o)""",
        title="Gated linear RNN of the GateLoop repository, disjoint gates",
        reference=KATSCH_2023,
        verified=_GATELOOP,
    ),
    NamedCell(
        "gated-linear-rnn-recurrent",
        "the gated linear RNN with recurrent matrices that start at zero",
        """\
z = tanh(linear(x) + linear(c, random=0, bias=False))
i = sigmoid(linear(x) + linear(c, random=0, bias=False))
o = sigmoid(linear(x) + linear(c, random=0, bias=False))
c' = (1 - i) * c + i * z
h' = linear(tanh(c') * o)""",
        title="Gated linear RNN of the GateLoop repository, true recurrence",
        reference=KATSCH_2023,
        verified=_GATELOOP,
        remarks=("At the start it computes the same as `gated-linear-rnn`.",),
    ),
)
"""Cells of the family."""
