"""LSTM variants with fewer parameters: gates that read less, or that are fixed."""

from search.cells.published.entry import NamedCell, Reference, SharedName

AKANDEH_2017 = Reference(
    key="akandeh2017",
    authors=("Atra Akandeh", "Fathi M. Salem"),
    title="Simplified Long Short-term Memory Recurrent Neural Networks: part I",
    year=2017,
    arxiv="1707.04619",
)
AKANDEH_2017C = Reference(
    key="akandeh2017c",
    authors=("Atra Akandeh", "Fathi M. Salem"),
    title="Simplified Long Short-term Memory Recurrent Neural Networks: part III",
    year=2017,
    arxiv="1707.04626",
)
GONNET_2019 = Reference(
    key="gonnet2019",
    authors=("Pedro Gonnet", "Thomas Deselaers"),
    title="IndyLSTMs: Independently Recurrent LSTMs",
    year=2019,
    arxiv="1903.08023",
)
LU_2017 = Reference(
    key="lu2017",
    authors=("Yuzhen Lu", "Fathi M. Salem"),
    title="Simplified Gating in Long Short-term Memory (LSTM) Recurrent Neural Networks",
    year=2017,
    arxiv="1701.03441",
)

_CODE = "https://github.com/atrakriv/Slim-LSTMs@fdf02283c609 slim22.py"
_PAPER = "Read in the authors' code; which paper prints it was not verified."
_HARD = "The code's gates are hard sigmoids unless told otherwise, as Keras's were; the papers print the sigmoid."
_START = "The code starts the factors as columns of an orthogonal matrix; here they start between -0.1 and 0.1."

CELLS = (
    NamedCell(
        name="slim-lstm1",
        title="Simplified LSTM 1 (LSTM1)",
        reference=LU_2017,
        summary="gates without the input",
        formula="""\
i = sigmoid(linear(h))
f = sigmoid(linear(h))
o = sigmoid(linear(h))
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
h' = o * tanh(c')""",
        verified=f"second author's code: {_CODE}, LSTMCell1",
        remarks=(_HARD,),
        same_as=(SharedName("lstm1", AKANDEH_2017),),
    ),
    NamedCell(
        name="slim-lstm2",
        title="Simplified LSTM 2 (LSTM2)",
        reference=LU_2017,
        summary="gates of the output alone, without bias",
        formula="""\
i = sigmoid(linear(h, bias=False))
f = sigmoid(linear(h, bias=False))
o = sigmoid(linear(h, bias=False))
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
h' = o * tanh(c')""",
        verified=f"second author's code: {_CODE}, LSTMCell2",
        remarks=(_HARD,),
        same_as=(SharedName("lstm2", AKANDEH_2017),),
    ),
    NamedCell(
        name="slim-lstm3",
        title="Simplified LSTM 3 (LSTM3)",
        reference=LU_2017,
        summary="gates of a bias alone: learned, and the same at all steps",
        formula="""\
i = sigmoid(param(0))
f = sigmoid(param(0))
o = sigmoid(param(0))
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
h' = o * tanh(c')""",
        verified=f"second author's code: {_CODE}, LSTMCell3",
        remarks=(_HARD,),
        same_as=(SharedName("lstm3", AKANDEH_2017),),
    ),
    NamedCell(
        name="slim-lstm4",
        title="Simplified LSTM 4 (LSTM4)",
        reference=AKANDEH_2017,
        summary="gates of each unit's own output, times a learned factor",
        formula="""\
i = sigmoid(param(uniform(-0.1, 0.1)) * h)
f = sigmoid(param(uniform(-0.1, 0.1)) * h)
o = sigmoid(param(uniform(-0.1, 0.1)) * h)
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
h' = o * tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell4",
        remarks=(_START, _HARD),
    ),
    NamedCell(
        name="slim-lstm4a",
        title="Simplified LSTM 4a (LSTM4a)",
        reference=AKANDEH_2017C,
        summary="LSTM4 with the forget gate fixed at 0.96 and no output gate",
        formula="""\
i = sigmoid(param(uniform(-0.1, 0.1)) * h)
c' = 0.96 * c + i * tanh(linear(x) + linear(h, bias=False))
h' = tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell4a",
        remarks=(_PAPER, _START, _HARD),
    ),
    NamedCell(
        name="slim-lstm5",
        title="Simplified LSTM 5 (LSTM5)",
        reference=AKANDEH_2017,
        summary="LSTM4 with a bias in each gate",
        formula="""\
i = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
f = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
o = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
c' = f * c + i * tanh(linear(x) + linear(h, bias=False))
h' = o * tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell5",
        remarks=(_START, _HARD),
    ),
    NamedCell(
        name="slim-lstm5a",
        title="Simplified LSTM 5a (LSTM5a)",
        reference=AKANDEH_2017C,
        summary="LSTM5 with the forget gate fixed at 0.96 and no output gate",
        formula="""\
i = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
c' = 0.96 * c + i * tanh(linear(x) + linear(h, bias=False))
h' = tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell5a",
        remarks=(_PAPER, _START, _HARD),
    ),
    NamedCell(
        name="slim-lstm6",
        title="Simplified LSTM 6 (LSTM6)",
        reference=AKANDEH_2017C,
        summary="no learned gate: the cell keeps 0.4 of itself",
        formula="""\
c' = 0.4 * c + tanh(linear(x) + linear(h, bias=False))
h' = tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell6",
        remarks=(_PAPER,),
    ),
    NamedCell(
        name="slim-lstm10",
        title="Simplified LSTM 10 (LSTM10)",
        reference=AKANDEH_2017C,
        summary="LSTM4 whose new value also sees only its own unit's output",
        formula="""\
i = sigmoid(param(uniform(-0.1, 0.1)) * h)
f = sigmoid(param(uniform(-0.1, 0.1)) * h)
o = sigmoid(param(uniform(-0.1, 0.1)) * h)
c' = f * c + i * tanh(linear(x) + param(uniform(-0.1, 0.1)) * h)
h' = o * tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell10",
        remarks=(_PAPER, _START, _HARD),
    ),
    NamedCell(
        name="slim-lstm11",
        title="Simplified LSTM 11 (LSTM11)",
        reference=AKANDEH_2017C,
        summary="LSTM5 whose new value also sees only its own unit's output",
        formula="""\
i = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
f = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
o = sigmoid(param(uniform(-0.1, 0.1)) * h + param(0))
c' = f * c + i * tanh(linear(x) + param(uniform(-0.1, 0.1)) * h)
h' = o * tanh(c')""",
        verified=f"authors' code: {_CODE}, LSTMCell11",
        remarks=(_PAPER, _START, _HARD),
    ),
    NamedCell(
        name="indy-lstm",
        title="Independently recurrent LSTM (IndyLSTM)",
        reference=GONNET_2019,
        summary="the LSTM in which each unit sees only its own past, through learned factors",
        formula="""\
i = sigmoid(linear(x) + param(uniform(-1, 1)) * h)
f = sigmoid(linear(x, bias=1) + param(uniform(-1, 1)) * h)
o = sigmoid(linear(x) + param(uniform(-1, 1)) * h)
c' = f * c + i * tanh(linear(x) + param(uniform(-1, 1)) * h)
h' = o * tanh(c')""",
        verified="TensorFlow 1.15, tf.contrib.rnn.IndyLSTMCell, equations in its documentation",
        remarks=("The factors start between -1 and 1 as those of TensorFlow's IndyGRUCell.",),
    ),
)
"""Cells of the family."""
