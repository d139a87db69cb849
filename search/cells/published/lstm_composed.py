"""LSTM variants made of more parts: projections, groups, norms, and cells within cells."""

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.lstm import HA_2016

BA_2016 = Reference(
    key="ba2016",
    authors=("Jimmy Lei Ba", "Jamie Ryan Kiros", "Geoffrey E. Hinton"),
    title="Layer Normalization",
    year=2016,
    arxiv="1607.06450",
)
BEN_ARI_2017 = Reference(
    key="benari2017",
    authors=("Itamar Ben-Ari", "Ravid Shwartz-Ziv"),
    title="Sequence modeling using a memory controller extension for LSTM",
    year=2017,
    venue="NIPS 2017 Time Series Workshop",
)
KUCHAIEV_2017 = Reference(
    key="kuchaiev2017",
    authors=("Oleksii Kuchaiev", "Boris Ginsburg"),
    title="Factorization tricks for LSTM networks",
    year=2017,
    arxiv="1703.10722",
)
MONIZ_2018 = Reference(
    key="moniz2018",
    authors=("Joel Ruben Antony Moniz", "David Krueger"),
    title="Nested LSTMs",
    year=2018,
    arxiv="1801.10308",
)
MUJIKA_2017 = Reference(
    key="mujika2017",
    authors=("Asier Mujika", "Florian Meier", "Angelika Steger"),
    title="Fast-Slow Recurrent Neural Networks",
    year=2017,
    arxiv="1705.08639",
)
SAK_2014 = Reference(
    key="sak2014",
    authors=("Haşim Sak", "Andrew Senior", "Françoise Beaufays"),
    title="Long Short-Term Memory Based Recurrent Neural Network Architectures for Large Vocabulary Speech Recognition",
    year=2014,
    arxiv="1402.1128",
)

CELLS = (
    NamedCell(
        name="lstm-projected",
        title="LSTM with a projection at full size",
        reference=SAK_2014,
        summary="the output passes through one more matrix before it is fed back",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
g = tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
c' = f * c + i * g
h' = linear(o * tanh(c'), bias=False)""",
        verified="second source: torch.nn.LSTM with proj_size, equations in its documentation",
        remarks=(
            "Published with a smaller output, which is what the projection is for; all vectors have one size here.",
            "Sak et al. have peepholes too: lstmp.",
        ),
    ),
    NamedCell(
        name="g-lstm-2",
        title="Group LSTM with two groups (G-LSTM)",
        reference=KUCHAIEV_2017,
        summary="the LSTM with block-diagonal matrices: two groups of units that do not see each other",
        formula="""\
i = sigmoid(linear(x, groups=2) + linear(h, groups=2, bias=False))
f = sigmoid(linear(x, groups=2, bias=1) + linear(h, groups=2, bias=False))
j = tanh(linear(x, groups=2) + linear(h, groups=2, bias=False))
o = sigmoid(linear(x, groups=2) + linear(h, groups=2, bias=False))
c' = f * c + i * j
h' = o * tanh(c')""",
        verified="authors' code: https://github.com/okuchaiev/f-lm@1470a9da1c8c factorized_lstm_cells.py, GLSTMCell",
        remarks=(
            "The input is split like the state, as in the code.",
            "TensorFlow's GLSTMCell uses one group's matrix for all groups.",
        ),
    ),
    NamedCell(
        name="g-lstm-4",
        title="Group LSTM with four groups (G-LSTM)",
        reference=KUCHAIEV_2017,
        summary="the LSTM with block-diagonal matrices: four groups of units that do not see each other",
        formula="""\
i = sigmoid(linear(x, groups=4) + linear(h, groups=4, bias=False))
f = sigmoid(linear(x, groups=4, bias=1) + linear(h, groups=4, bias=False))
j = tanh(linear(x, groups=4) + linear(h, groups=4, bias=False))
o = sigmoid(linear(x, groups=4) + linear(h, groups=4, bias=False))
c' = f * c + i * j
h' = o * tanh(c')""",
        verified="authors' code: https://github.com/okuchaiev/f-lm@1470a9da1c8c factorized_lstm_cells.py, GLSTMCell",
        remarks=(
            "The input is split like the state, as in the code.",
            "TensorFlow's GLSTMCell uses one group's matrix for all groups.",
        ),
    ),
    NamedCell(
        name="layernorm-lstm",
        title="LSTM with layer normalization, each gate by itself",
        reference=HA_2016,
        summary="layer norm on each gate's sum and on the cell at the output",
        formula="""\
i = sigmoid(norm(linear(x) + linear(h, bias=False, random=orthogonal)))
g = tanh(norm(linear(x) + linear(h, bias=False, random=orthogonal)))
f = sigmoid(norm(linear(x) + linear(h, bias=False, random=orthogonal)) + 1)
o = sigmoid(norm(linear(x) + linear(h, bias=False, random=orthogonal)))
c' = f * c + i * g
h' = o * tanh(norm(c'))""",
        verified="first author's code: https://github.com/hardmaru/supercell@063b01e75e6e supercell.py, LSTMCell",
        remarks=(
            "Ba et al. 2016, who proposed it, normalise the products with x and with h apart, each over all four gates"
            " at once, which no norm here can: https://github.com/ryankiros/layer-norm@7a9a1bf7c655 layers.py.",
            "The code's epsilon is 0.001, here 0.00001.",
        ),
    ),
    NamedCell(
        name="layernorm-lstm-state",
        title="LSTM with layer normalization on the carried cell",
        reference=BA_2016,
        summary="layer norm on each gate's sum, and on the cell before it is carried on",
        formula="""\
i = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
j = tanh(norm(linear(x, bias=False) + linear(h, bias=False)))
f = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)) + 1)
o = sigmoid(norm(linear(x, bias=False) + linear(h, bias=False)))
c' = norm(f * c + i * j)
h' = o * tanh(c')""",
        verified="second source: https://github.com/tensorflow/tensorflow@9aca4c62e8c4"
        " tensorflow/contrib/rnn/python/ops/rnn_cell.py, LayerNormBasicLSTMCell",
        remarks=(
            "TensorFlow's form of the cell of Ba et al. 2016; theirs carries the cell as it is: layernorm-lstm.",
            "The code's epsilon is 1e-12, here 1e-5.",
        ),
    ),
    NamedCell(
        name="nested-lstm",
        title="Nested LSTM of depth 2 (NLSTM)",
        reference=MONIZ_2018,
        summary="the cell's sum is computed by a second LSTM, which has a cell of its own",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False))
j = linear(x) + linear(h, bias=False)
f = sigmoid(linear(x, bias=1) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
inner_x = i * j
inner_h = f * c
inner_i = sigmoid(linear(inner_x) + linear(inner_h, bias=False))
inner_j = tanh(linear(inner_x) + linear(inner_h, bias=False))
inner_f = sigmoid(linear(inner_x, bias=1) + linear(inner_h, bias=False))
inner_o = sigmoid(linear(inner_x) + linear(inner_h, bias=False))
d' = inner_f * d + inner_i * inner_j
c' = inner_o * tanh(d')
h' = o * tanh(c')""",
        verified="second source: https://github.com/hannw/nlstm@aa6e96c8746a rnn_cell.py",
        remarks=(
            "d is the inner cell.",
            "That code and https://github.com/titu1994/Nested-LSTM say that in the paper the outer new value j has no"
            " tanh; https://github.com/abduallahmohamed/Nested-LSTM-NLSTM-Pytorch has one.",
            "titu1994's code adds i and j where the others multiply.",
            "The forget biases of 1 are those codes' default.",
        ),
    ),
    NamedCell(
        name="fs-lstm-2",
        title="Fast-slow LSTM with two fast cells (FS-LSTM-2)",
        reference=MUJIKA_2017,
        summary="two LSTM cells pass a fast state on within a step, a slow LSTM between them keeps its own",
        formula="""\
i1 = sigmoid(linear(x) + linear(h, bias=False))
g1 = tanh(linear(x) + linear(h, bias=False))
f1 = sigmoid(linear(x, bias=1) + linear(h, bias=False))
o1 = sigmoid(linear(x) + linear(h, bias=False))
c1 = f1 * c + i1 * g1
h1 = o1 * tanh(c1)
i = sigmoid(linear(h1) + linear(s, bias=False))
g = tanh(linear(h1) + linear(s, bias=False))
f = sigmoid(linear(h1, bias=1) + linear(s, bias=False))
o = sigmoid(linear(h1) + linear(s, bias=False))
d' = f * d + i * g
s' = o * tanh(d')
i2 = sigmoid(linear(s') + linear(h1, bias=False))
g2 = tanh(linear(s') + linear(h1, bias=False))
f2 = sigmoid(linear(s', bias=1) + linear(h1, bias=False))
o2 = sigmoid(linear(s') + linear(h1, bias=False))
c' = f2 * c1 + i2 * g2
h' = o2 * tanh(c')""",
        verified="authors' code: https://github.com/amujika/Fast-Slow-LSTM@f63a5998d0a3 FSRNN.py",
        remarks=(
            "h and c are the fast state, s and d the slow one.",
            "The authors' experiments add layer norm, zoneout, and dropout between the cells.",
        ),
    ),
    NamedCell(
        name="fs-lstm-4",
        title="Fast-slow LSTM with four fast cells (FS-LSTM-4)",
        reference=MUJIKA_2017,
        summary="fs-lstm-2 with two more fast cells within a step, which read only the fast state",
        formula="""\
i1 = sigmoid(linear(x) + linear(h, bias=False))
g1 = tanh(linear(x) + linear(h, bias=False))
f1 = sigmoid(linear(x, bias=1) + linear(h, bias=False))
o1 = sigmoid(linear(x) + linear(h, bias=False))
c1 = f1 * c + i1 * g1
h1 = o1 * tanh(c1)
i = sigmoid(linear(h1) + linear(s, bias=False))
g = tanh(linear(h1) + linear(s, bias=False))
f = sigmoid(linear(h1, bias=1) + linear(s, bias=False))
o = sigmoid(linear(h1) + linear(s, bias=False))
d' = f * d + i * g
s' = o * tanh(d')
i2 = sigmoid(linear(s') + linear(h1, bias=False))
g2 = tanh(linear(s') + linear(h1, bias=False))
f2 = sigmoid(linear(s', bias=1) + linear(h1, bias=False))
o2 = sigmoid(linear(s') + linear(h1, bias=False))
c2 = f2 * c1 + i2 * g2
h2 = o2 * tanh(c2)
c3 = sigmoid(linear(h2, bias=1)) * c2 + sigmoid(linear(h2)) * tanh(linear(h2))
h3 = sigmoid(linear(h2)) * tanh(c3)
c' = sigmoid(linear(h3, bias=1)) * c3 + sigmoid(linear(h3)) * tanh(linear(h3))
h' = sigmoid(linear(h3)) * tanh(c')""",
        verified="authors' code: https://github.com/amujika/Fast-Slow-LSTM@f63a5998d0a3 FSRNN.py",
        remarks=(
            "h and c are the fast state, s and d the slow one.",
            "The authors' experiments add layer norm, zoneout, and dropout between the cells.",
        ),
    ),
    NamedCell(
        name="mc-lstm",
        title="LSTM with memory controller (MC-LSTM)",
        reference=BEN_ARI_2017,
        summary="the gates read a second output with a gate of its own, not the output itself",
        formula="""\
f = sigmoid(linear(x) + linear(v, bias=False))
i = sigmoid(linear(x) + linear(v, bias=False))
o = sigmoid(linear(x) + linear(v, bias=False))
m = sigmoid(linear(x) + linear(v, bias=False))
n = tanh(linear(x) + linear(v, bias=False))
c' = f * c + i * n
h' = o * tanh(c')
v' = m * tanh(c')""",
        verified="second source: https://github.com/MartinuzziFrancesco/torchrecurrent@ba5e7161544e"
        " torchrecurrent/cells/mclstm_cell.py",
        remarks=(
            "RecurrentLayers.jl has these equations in its documentation, but no activation in its code.",
            "Another cell, mass-conserving LSTM, shares the abbreviation.",
        ),
    ),
)
"""Cells of the family."""
