"""LSTM variants whose gates read the cell: peepholes, and what grew from them."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.lstm import GREFF_2015
from search.cells.published.lstm_composed import SAK_2014

GERS_2002 = Reference(
    key="gers2002",
    authors=("Felix A. Gers", "Nicol N. Schraudolph", "Jürgen Schmidhuber"),
    title="Learning Precise Timing with LSTM Recurrent Networks",
    year=2002,
    venue="Journal of Machine Learning Research 3, 115-143",
)
IRIE_2023 = Reference(
    key="irie2023",
    authors=("Kazuki Irie", "Anand Gopalakrishnan", "Jürgen Schmidhuber"),
    title="Exploring the Promise and Limits of Real-Time Recurrent Learning",
    year=2023,
    arxiv="2305.19044",
)
KIM_2017 = Reference(
    key="kim2017",
    authors=("Jaeyoung Kim", "Mostafa El-Khamy", "Jungwon Lee"),
    title="Residual LSTM: Design of a Deep Recurrent Architecture for Distant Speech Recognition",
    year=2017,
    arxiv="1701.03360",
)
LANDI_2021 = Reference(
    key="landi2021",
    authors=("Federico Landi", "Lorenzo Baraldi", "Marcella Cornia", "Rita Cucchiara"),
    title="Working Memory Connections for LSTM",
    year=2021,
    arxiv="2109.00020",
    doi="10.1016/j.neunet.2021.08.030",
)

_ODYSSEY = "second source: https://github.com/debajyotidatta/RecurrentArchitectures@5a470eda816d variants"
_MERLIN = "https://github.com/CSTR-Edinburgh/merlin@33fa6e65ddb9 src/layers/gating.py"
_START = "The peepholes start between -0.1 and 0.1, as in the second source."

CELLS = (
    NamedCell(
        name="lstm-peephole",
        title="LSTM with peepholes (vanilla LSTM of Greff et al.)",
        reference=GREFF_2015,
        summary="the gates also read the cell, each unit its own, through learned factors",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + i * z
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * tanh(c')""",
        verified="authors' code: https://github.com/IDSIA/brainstorm@8f1fc886faf2 brainstorm/layers/lstm_layer.py",
        remarks=(
            _START,
            "Gers et al. 2002, who introduced peepholes, have no tanh at the output: lstm-noaf-peephole.",
            "RecurrentLayers.jl documents this form, but its output gate reads the old cell.",
        ),
    ),
    NamedCell(
        name="lstm-nig-peephole",
        title="LSTM with peepholes, without an input gate (NIG)",
        reference=GREFF_2015,
        summary="lstm-peephole without an input gate",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + z
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * tanh(c')""",
        verified=f"{_ODYSSEY}/nig.py and {_MERLIN}",
        remarks=(_START,),
    ),
    NamedCell(
        name="lstm-nfg-peephole",
        title="LSTM with peepholes, without a forget gate (NFG)",
        reference=GREFF_2015,
        summary="lstm-peephole without a forget gate",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = c + i * z
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * tanh(c')""",
        verified=f"{_ODYSSEY}/nfg.py and {_MERLIN}",
        remarks=(_START,),
    ),
    NamedCell(
        name="lstm-nog-peephole",
        title="LSTM with peepholes, without an output gate (NOG)",
        reference=GREFF_2015,
        summary="lstm-peephole without an output gate",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + i * z
h' = tanh(c')""",
        verified=f"{_ODYSSEY}/nog.py and {_MERLIN}",
        remarks=(_START,),
    ),
    NamedCell(
        name="lstm-niaf-peephole",
        title="LSTM with peepholes, without input activation (NIAF)",
        reference=GREFF_2015,
        summary="lstm-peephole without tanh on the new values",
        formula="""\
z = linear(x) + linear(h, bias=False)
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + i * z
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * tanh(c')""",
        verified=f"{_ODYSSEY}/niaf.py",
        remarks=(_START,),
    ),
    NamedCell(
        name="lstm-noaf-peephole",
        title="LSTM with peepholes, without output activation (NOAF)",
        reference=GREFF_2015,
        summary="lstm-peephole without tanh on the cell at the output",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + i * z
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * c'""",
        verified=f"{_ODYSSEY}/noaf.py",
        remarks=(
            _START,
            "Gers et al. 2002 left out the output activation when they introduced peepholes, as Greff et al. say;"
            " how they squash the new values was not verified.",
        ),
    ),
    NamedCell(
        name="lstm-cifg-peephole",
        title="LSTM with peepholes and coupled input and forget gate (CIFG)",
        reference=GREFF_2015,
        summary="lstm-peephole with one gate for writing and keeping",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = (1 - i) * c + i * z
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * tanh(c')""",
        verified=f"{_ODYSSEY}/cifg.py",
        remarks=(
            _START,
            "TensorFlow's CoupledInputForgetGateLSTMCell computes the forget gate instead and adds 1 to its bias.",
        ),
    ),
    NamedCell(
        name="lstm-fgr-peephole",
        title="LSTM with peepholes and full gate recurrence (FGR)",
        reference=GREFF_2015,
        summary="lstm-peephole whose gates also read the three gates of the previous step, through nine more matrices",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
ri = linear(i, bias=False) + linear(f, bias=False) + linear(o, bias=False)
rf = linear(i, bias=False) + linear(f, bias=False) + linear(o, bias=False)
ro = linear(i, bias=False) + linear(f, bias=False) + linear(o, bias=False)
i' = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c + ri)
f' = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c + rf)
c' = f' * c + i' * z
o' = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c' + ro)
h' = o' * tanh(c')""",
        verified=f"{_ODYSSEY}/fgr.py",
        remarks=(_START,),
    ),
    NamedCell(
        name="lstm-peephole-full",
        title="LSTM with full-matrix peepholes",
        reference=GERS_2002,
        summary="the gates read the whole cell through matrices",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False) + linear(c, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False) + linear(c, bias=False))
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False) + linear(c', bias=False))
h' = o * tanh(c')""",
        verified="",
        remarks=(
            "Not verified against a second source.",
            "The papers' peepholes are learned factors, one a unit: lstm-peephole; libraries offer matrices.",
        ),
    ),
    NamedCell(
        name="lstmp",
        title="LSTM with a recurrent projection, at full size (LSTMP)",
        reference=SAK_2014,
        summary="lstm-peephole whose output passes through one more matrix before it is fed back",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = linear(o * tanh(c'), bias=False)""",
        verified="second source: https://github.com/cydonia999/rnn_variants_tensorflow SimplifiedLSTMCell, derived from"
        " TensorFlow's LSTMCell",
        remarks=(
            "The paper writes r for the projected output, m for the one before the projection.",
            "Published with a smaller output, which is what the projection is for; all vectors have one size here.",
            "Without peepholes it is lstm-projected.",
        ),
    ),
    NamedCell(
        name="wmc-lstm",
        title="LSTM with working memory connections (LSTM-WM)",
        reference=LANDI_2021,
        summary="the gates read the whole cell through a matrix and tanh",
        formula="""\
g = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False) + tanh(linear(c, bias=False)))
f = sigmoid(linear(x) + linear(h, bias=False) + tanh(linear(c, bias=False)))
c' = f * c + i * g
o = sigmoid(linear(x) + linear(h, bias=False) + tanh(linear(c', bias=False)))
h' = o * tanh(c')""",
        verified="second source: https://github.com/MartinuzziFrancesco/RecurrentLayers.jl@ffed8987b3dd"
        " src/cells/wmclstm_cell.jl, equations in its documentation",
        remarks=("That code adds a bias inside the inner tanh, which its equations do not have.",),
    ),
    NamedCell(
        name="res-lstm",
        title="Residual LSTM",
        reference=KIM_2017,
        summary="lstm-peephole whose output gate also lets through the input, past the cell",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False) + param(uniform(-0.1, 0.1)) * c')
h' = o * (linear(tanh(c'), bias=False) + linear(x, bias=False))""",
        verified="second source: https://github.com/MartinuzziFrancesco/torchrecurrent@16bc0dd47172"
        " torchrecurrent/cells/reslstm_cell.py",
        remarks=(
            "The paper leaves out the matrix on the input where input and output have one size;"
            " the second source keeps it, and so does this cell, whose first layer reads an embedding.",
        ),
    ),
    NamedCell(
        name="e-lstm",
        title="LSTM with element-wise recurrence (eLSTM)",
        reference=IRIE_2023,
        summary="forget gate and new value see only their own unit's cell; the output gate reads the whole new cell",
        formula="""\
z = tanh(linear(x) + param(uniform(-0.1, 0.1)) * c)
f = sigmoid(linear(x) + param(uniform(-0.1, 0.1)) * c)
c' = f * c + (1 - f) * z
h' = sigmoid(linear(x) + linear(c', bias=False)) * c'""",
        verified="authors' code: https://github.com/IDSIA/rtrl-elstm@b56cade7dd04"
        " reinforcement_learning/torchbeast/layer.py, QuasiLSTMlayer",
        remarks=("The code draws the factors from a normal distribution with a standard deviation of 0.1.",),
    ),
)
"""Cells of the family."""
