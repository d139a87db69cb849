"""The LSTM, the study's changes to it, and variants of its gates and of their starts.

The study prints tanh for the output gate, while public code of one of its authors has sigmoid: `lstm` has sigmoid,
`lstm-tanh-o` the printed form. Variants whose gates also read the cell are in `lstm_peephole`, those with fewer
parameters in `lstm_slim`, those with an exponential input gate in `lstm_exponential`, and those with norms, groups,
projections or further cells in `lstm_composed`.
"""

from search.cells.published.entry import NamedCell, Reference, SharedName

GERS_2000 = Reference(
    key="gers2000",
    authors=("Felix A. Gers", "Jürgen Schmidhuber", "Fred Cummins"),
    title="Learning to Forget: Continual Prediction with LSTM",
    year=2000,
    doi="10.1162/089976600300015015",
)
GREFF_2015 = Reference(
    key="greff2015",
    authors=("Klaus Greff", "Rupesh K. Srivastava", "Jan Koutník", "Bas R. Steunebrink", "Jürgen Schmidhuber"),
    title="LSTM: A Search Space Odyssey",
    year=2015,
    arxiv="1503.04069",
)
GU_2019 = Reference(
    key="gu2019",
    authors=("Albert Gu", "Caglar Gulcehre", "Tom Le Paine", "Matt Hoffman", "Razvan Pascanu"),
    title="Improving the Gating Mechanism of Recurrent Neural Networks",
    year=2019,
    arxiv="1910.09890",
)
HA_2016 = Reference(
    key="ha2016",
    authors=("David Ha", "Andrew Dai", "Quoc V. Le"),
    title="HyperNetworks",
    year=2016,
    arxiv="1609.09106",
)
HOCHREITER_1997 = Reference(
    key="hochreiter1997",
    authors=("Sepp Hochreiter", "Jürgen Schmidhuber"),
    title="Long Short-Term Memory",
    year=1997,
    doi="10.1162/neco.1997.9.8.1735",
)
JOZEFOWICZ_2015 = Reference(
    key="jozefowicz2015",
    authors=("Rafal Jozefowicz", "Wojciech Zaremba", "Ilya Sutskever"),
    title="An Empirical Exploration of Recurrent Network Architectures",
    year=2015,
    venue="ICML 2015",
    url="https://proceedings.mlr.press/v37/jozefowicz15.html",
)
"""The study that this project rebuilds: sections 2 and 4 have the LSTM, its variants, and MUT1 to MUT3."""
MELIS_2017 = Reference(
    key="melis2017",
    authors=("Gábor Melis", "Chris Dyer", "Phil Blunsom"),
    title="On the State of the Art of Evaluation in Neural Language Models",
    year=2017,
    arxiv="1707.05589",
)
TALLEC_2018 = Reference(
    key="tallec2018",
    authors=("Corentin Tallec", "Yann Ollivier"),
    title="Can recurrent neural networks warp time?",
    year=2018,
    arxiv="1804.11188",
)
WESTHUIZEN_2018 = Reference(
    key="westhuizen2018",
    authors=("Jos van der Westhuizen", "Joan Lasenby"),
    title="The unreasonable effectiveness of the forget gate",
    year=2018,
    arxiv="1804.04849",
)
WU_2016 = Reference(
    key="wu2016",
    authors=("Zhizheng Wu", "Simon King"),
    title="Investigating gated recurrent neural networks for speech synthesis",
    year=2016,
    arxiv="1601.02539",
)

_STUDY = "Jozefowicz et al. 2015, sections 2 and 4"
_ODYSSEY = "second source: https://github.com/debajyotidatta/RecurrentArchitectures@5a470eda816d variants"
_TWO_BIASES = "Each gate has two biases, as in the study, of which one is redundant."

CELLS = (
    NamedCell(
        name="lstm",
        title="Long short-term memory (LSTM)",
        reference=GERS_2000,
        summary="long short-term memory, sigmoid on all three gates",
        formula="""\
i = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
o = sigmoid(linear(x) + linear(h))
c' = f * c + i * g
h' = o * tanh(c')""",
        verified="torch.nn.LSTM, which the tests compare it with",
        remarks=(_TWO_BIASES,),
        same_as=(SharedName("np", GREFF_2015),),
    ),
    NamedCell(
        name="lstm-tanh-o",
        title="LSTM with tanh on the output gate",
        reference=JOZEFOWICZ_2015,
        summary="the LSTM as the study prints it: tanh on the output gate",
        formula="""\
i = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
o = tanh(linear(x) + linear(h))
c' = f * c + i * g
h' = o * tanh(c')""",
        verified=_STUDY,
        remarks=("Public code of one of the study's authors has sigmoid here.",),
    ),
    NamedCell(
        name="lstm-f",
        title="LSTM without a forget gate",
        reference=JOZEFOWICZ_2015,
        summary="the LSTM without a forget gate",
        formula="""\
i = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
o = sigmoid(linear(x) + linear(h))
c' = c + i * g
h' = o * tanh(c')""",
        verified=_STUDY,
        remarks=(
            "The LSTM of 1997 up to its squashing functions, for which see lstm-1997.",
            "Greff et al.'s NFG keeps the peepholes: lstm-nfg-peephole.",
        ),
    ),
    NamedCell(
        name="lstm-i",
        title="LSTM without an input gate",
        reference=JOZEFOWICZ_2015,
        summary="the LSTM without an input gate",
        formula="""\
f = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
o = sigmoid(linear(x) + linear(h))
c' = f * c + g
h' = o * tanh(c')""",
        verified=_STUDY,
        remarks=("Greff et al.'s NIG keeps the peepholes: lstm-nig-peephole.",),
    ),
    NamedCell(
        name="lstm-o",
        title="LSTM without an output gate",
        reference=JOZEFOWICZ_2015,
        summary="the LSTM without an output gate",
        formula="""\
i = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
c' = f * c + i * g
h' = tanh(c')""",
        verified=_STUDY,
        remarks=("Greff et al.'s NOG keeps the peepholes: lstm-nog-peephole.",),
    ),
    NamedCell(
        name="lstm-b",
        title="LSTM with a forget bias of 1",
        reference=JOZEFOWICZ_2015,
        summary="the LSTM with 1 added to the forget gate's bias",
        formula="""\
i = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x, bias=1) + linear(h))
g = tanh(linear(x) + linear(h))
o = sigmoid(linear(x) + linear(h))
c' = f * c + i * g
h' = o * tanh(c')""",
        verified=_STUDY,
    ),
    NamedCell(
        name="lstm-ob",
        title="LSTM with an output bias of 1",
        reference=JOZEFOWICZ_2015,
        summary="the LSTM with 1 added to the output gate's bias",
        formula="""\
i = sigmoid(linear(x) + linear(h))
f = sigmoid(linear(x) + linear(h))
g = tanh(linear(x) + linear(h))
o = sigmoid(linear(x, bias=1) + linear(h))
c' = f * c + i * g
h' = o * tanh(c')""",
        verified=_STUDY,
    ),
    NamedCell(
        name="lstm-1997",
        title="LSTM of 1997, with its squashing functions",
        reference=HOCHREITER_1997,
        summary="no forget gate; new values squashed to between -2 and 2, the cell to between -1 and 1",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
g = 4 * sigmoid(linear(x) + linear(h, bias=False)) - 2
c' = c + i * g
h' = o * (2 * sigmoid(c') - 1)""",
        verified="second source: https://github.com/Algio-Nightly/simple-1997-lstm-reproduction docs/ARCHITECTURE.md",
        remarks=(
            "The paper writes s for the cell's state c, and y for the output h.",
            "The paper starts the gates' biases below zero in some experiments; that is left out.",
            "The paper cuts the gradient at the gates; here it is exact.",
            "Libraries call the form with tanh the original LSTM: lstm-f.",
        ),
    ),
    NamedCell(
        name="lstm-niaf",
        title="LSTM without input activation (NIAF without peepholes)",
        reference=GREFF_2015,
        summary="no tanh on the new values",
        formula="""\
z = linear(x) + linear(h, bias=False)
i = sigmoid(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
c' = f * c + i * z
h' = o * tanh(c')""",
        verified="second source: https://github.com/cydonia999/rnn_variants_tensorflow SimplifiedLSTMCell",
        remarks=("Greff et al. keep the peepholes: lstm-niaf-peephole.",),
    ),
    NamedCell(
        name="lstm-noaf",
        title="LSTM without output activation (NOAF without peepholes)",
        reference=GREFF_2015,
        summary="no tanh on the cell at the output",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
c' = f * c + i * z
h' = o * c'""",
        verified="second source: https://github.com/cydonia999/rnn_variants_tensorflow SimplifiedLSTMCell",
        remarks=("Greff et al. keep the peepholes: lstm-noaf-peephole.",),
    ),
    NamedCell(
        name="lstm-cifg",
        title="LSTM with coupled input and forget gate (CIFG without peepholes)",
        reference=GREFF_2015,
        summary="one gate for writing and forgetting: as much is forgotten as is written",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
c' = (1 - i) * c + i * z
h' = o * tanh(c')""",
        verified="second source: https://github.com/cydonia999/rnn_variants_tensorflow SimplifiedLSTMCell",
        remarks=(
            "Greff et al. keep the peepholes: lstm-cifg-peephole.",
            "Melis et al.'s tied gates compute the forget gate instead: https://github.com/deepmind/lamb@254a0b0e330c"
            " lamb/tiled_lstm.py.",
        ),
    ),
    NamedCell(
        name="lstm-fgr",
        title="LSTM with full gate recurrence (FGR without peepholes)",
        reference=GREFF_2015,
        summary="each gate also reads the three gates of the previous step, through nine more matrices",
        formula="""\
z = tanh(linear(x) + linear(h, bias=False))
i' = sigmoid(linear(x) + linear(h, bias=False) + linear(i, bias=False) + linear(f, bias=False) + linear(o, bias=False))
f' = sigmoid(linear(x) + linear(h, bias=False) + linear(i, bias=False) + linear(f, bias=False) + linear(o, bias=False))
o' = sigmoid(linear(x) + linear(h, bias=False) + linear(i, bias=False) + linear(f, bias=False) + linear(o, bias=False))
c' = f' * c + i' * z
h' = o' * tanh(c')""",
        verified=f"{_ODYSSEY}/fgr.py without its peepholes",
        remarks=("Greff et al. keep the peepholes: lstm-fgr-peephole.",),
    ),
    NamedCell(
        name="simplified-lstm",
        title="Simplified LSTM (S-LSTM)",
        reference=WU_2016,
        summary="the forget gate alone: it also sets what is written, and the output has no gate",
        formula="""\
f = sigmoid(linear(x) + linear(h, bias=False))
c' = f * c + (1 - f) * tanh(linear(x) + linear(h, bias=False))
h' = tanh(c')""",
        verified="authors' code: https://github.com/CSTR-Edinburgh/merlin@33fa6e65ddb9 src/layers/gating.py",
        remarks=("Not to be confused with the sLSTM of xLSTM: slstm.",),
    ),
    NamedCell(
        name="janet",
        title="Just another network (JANET)",
        reference=WESTHUIZEN_2018,
        summary="the forget gate alone; what is written is set by the gate at an input lower by 1",
        formula="""\
s = linear(x, bias=1) + linear(h, bias=False)
h' = sigmoid(s) * h + (1 - sigmoid(s - 1)) * tanh(linear(x) + linear(h, bias=False))""",
        verified="authors' code: https://github.com/JosvanderWesthuizen/janet@fa2f0a50e883 aux_code/rnn_cells.py",
        remarks=(
            "The code's cell state is its output, so there is one state.",
            "Without its option --chrono the code starts the forget gate's bias at 1.",
        ),
    ),
    NamedCell(
        name="janet-chrono",
        title="JANET with chrono initialization",
        reference=WESTHUIZEN_2018,
        summary="JANET with a forget bias for memories of up to 100 steps",
        formula="""\
s = linear(x, bias=chrono(100)) + linear(h, bias=False)
h' = sigmoid(s) * h + (1 - sigmoid(s - 1)) * tanh(linear(x) + linear(h, bias=False))""",
        verified="authors' code: https://github.com/JosvanderWesthuizen/janet@fa2f0a50e883 aux_code/rnn_cells.py",
        remarks=(
            "The paper takes the longest sequence of the task for T; 100 is this library's choice.",
            "The code draws from 1 to T, the paper of chrono initialization from 1 to T - 1.",
        ),
    ),
    NamedCell(
        name="lstm-chrono",
        title="LSTM with chrono initialization",
        reference=TALLEC_2018,
        summary="the LSTM with forget and input biases for memories of up to 100 steps",
        formula="""\
i = sigmoid(linear(x, bias=-chrono(100)) + linear(h, bias=False))
f = sigmoid(linear(x, bias=chrono(100)) + linear(h, bias=False))
g = tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
c' = f * c + i * g
h' = o * tanh(c')""",
        verified="second source: https://github.com/JosvanderWesthuizen/janet@fa2f0a50e883 aux_code/rnn_cells.py",
        remarks=("T is the longest memory that the task needs; 100 is this library's choice.",),
    ),
    NamedCell(
        name="ur-lstm",
        title="LSTM with uniform initialization and refine gate (UR-LSTM)",
        reference=GU_2019,
        summary="a refine gate moves the forget gate, whose values start spread evenly between 0 and 1",
        formula="""\
f = sigmoid(linear(x, bias=uniform_gate) + linear(h, bias=False))
r = sigmoid(linear(x, bias=-uniform_gate) + linear(h, bias=False))
u = tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
g = 2 * r * f + (1 - 2 * r) * f * f
c' = g * c + (1 - g) * u
h' = o * tanh(c')""",
        verified="first author's code: https://github.com/state-spaces/s4@a0c724aae456 src/models/nn/gate.py",
        remarks=(
            "That code adds the drawn vector to a learned bias as a constant; to start the bias there is the same.",
            "It leaves out the refine gate's opposite bias, which two reimplementations of the paper have.",
        ),
    ),
    NamedCell(
        name="lstm-capped",
        title="LSTM with capped input gate",
        reference=MELIS_2017,
        summary="the input gate is at most 1 less the forget gate, so the cell stays between -1 and 1",
        formula="""\
j = tanh(linear(x) + linear(h, bias=False))
o = sigmoid(linear(x) + linear(h, bias=False))
f = sigmoid(linear(x) + linear(h, bias=False))
i = sigmoid(linear(x) + linear(h, bias=False))
c' = f * c + (i - relu(i + f - 1)) * j
h' = o * tanh(c')""",
        verified="authors' code: https://github.com/deepmind/lamb@254a0b0e330c lamb/tiled_lstm.py, cap_input_gate",
        remarks=("i - relu(i + f - 1) is the smaller of i and 1 - f.",),
    ),
    NamedCell(
        name="lstm-orthogonal",
        title="LSTM with orthogonal recurrent matrices at the start",
        reference=HA_2016,
        summary="the LSTM with a forget bias of 1, each recurrent matrix orthogonal at the start",
        formula="""\
i = sigmoid(linear(x) + linear(h, bias=False, random=orthogonal))
g = tanh(linear(x) + linear(h, bias=False, random=orthogonal))
f = sigmoid(linear(x, bias=1) + linear(h, bias=False, random=orthogonal))
o = sigmoid(linear(x) + linear(h, bias=False, random=orthogonal))
c' = f * c + i * g
h' = o * tanh(c')""",
        verified="first author's code: https://github.com/hardmaru/supercell@063b01e75e6e supercell.py, LSTMCell",
        remarks=("Keras draws one matrix with orthonormal rows for all gates, not an orthogonal one for each.",),
    ),
)
"""Cells of the family."""
