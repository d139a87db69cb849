"""Gated linear recurrences, and cells without a matrix product in the loop."""

from search.cells.published.entry import NamedCell, Reference, SharedName

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

_TYPED = (
    "second source: https://github.com/MartinuzziFrancesco/RecurrentLayers.jl/blob/ffed8987b3dd/src/cells/trnn_cell.jl"
)
_QRNN = "authors' code: https://github.com/salesforce/pytorch-qrnn/blob/1634991a8270/torchqrnn/qrnn.py"
_GILR = "authors' code: https://github.com/eamartin/parallelizing_linear_rnns/blob/da10de347013/layers.py"
_SRU = "authors' code: https://github.com/asappresearch/sru/blob/9ddc8da12f06/sru"
_GATELOOP = (
    "author's code: "
    "https://github.com/tobiaskatsch/GateLoop/blob/9bf242b77bed/flax_gated_linear_rnn/gated_linear_rnn.py"
)
_HGRU = "author's code: https://github.com/Doraemonzzz/hgru-pytorch/blob/09f4ed2c78f7/hgru/hgrureal1d.py"
_MINIMAL = "second source: https://github.com/lucidrains/minGRU-pytorch/blob/38b26e119a2e/minGRU_pytorch"
_NORMALISER = "`q` is the weighted mean of the values so far, and `l` the logarithm of the sum of their weights."
_ZERO_NORMALISER = "States of zero mean that a value of 0 with weight 1 was seen before the first step."

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
