"""Cells without gates."""

from search.cells.published.entry import NamedCell, Reference, SharedName

ELMAN_1990 = Reference(
    key="elman1990",
    authors=("Jeffrey L. Elman",),
    title="Finding Structure in Time",
    year=1990,
    doi="10.1207/s15516709cog1402_1",
    venue="Cognitive Science 14(2)",
)
JORDAN_1986 = Reference(
    key="jordan1986",
    authors=("Michael I. Jordan",),
    title="Serial Order: A Parallel Distributed Processing Approach",
    year=1986,
    doi="10.1016/S0166-4115(97)80111-2",
    venue="Reprinted in Advances in Psychology 121, 1997",
)
MIKOLOV_2010 = Reference(
    key="mikolov2010",
    authors=("Tomas Mikolov", "Martin Karafiat", "Lukas Burget", "Jan Cernocky", "Sanjeev Khudanpur"),
    title="Recurrent Neural Network Based Language Model",
    year=2010,
    venue="Interspeech 2010",
)
PASCANU_2013 = Reference(
    key="pascanu2013",
    authors=("Razvan Pascanu", "Caglar Gulcehre", "Kyunghyun Cho", "Yoshua Bengio"),
    title="How to Construct Deep Recurrent Neural Networks",
    year=2013,
    arxiv="1312.6026",
)
MIKOLOV_2014 = Reference(
    key="mikolov2014",
    authors=("Tomas Mikolov", "Armand Joulin", "Sumit Chopra", "Michael Mathieu", "Marc'Aurelio Ranzato"),
    title="Learning Longer Memory in Recurrent Neural Networks",
    year=2014,
    arxiv="1412.7753",
)
LE_2015 = Reference(
    key="le2015",
    authors=("Quoc V. Le", "Navdeep Jaitly", "Geoffrey E. Hinton"),
    title="A Simple Way to Initialize Recurrent Networks of Rectified Linear Units",
    year=2015,
    arxiv="1504.00941",
)
HENAFF_2016 = Reference(
    key="henaff2016",
    authors=("Mikael Henaff", "Arthur Szlam", "Yann LeCun"),
    title="Recurrent Orthogonal Networks and Long-Memory Tasks",
    year=2016,
    arxiv="1602.06662",
)
SONG_2016 = Reference(
    key="song2016",
    authors=("H. Francis Song", "Guangyu Robert Yang", "Xiao-Jing Wang"),
    title=(
        "Training Excitatory-Inhibitory Recurrent Neural Networks for Cognitive Tasks: A Simple and Flexible Framework"
    ),
    year=2016,
    doi="10.1371/journal.pcbi.1004792",
    venue="PLoS Computational Biology 12(2)",
)
HU_2018 = Reference(
    key="hu2018",
    authors=("Yuhuang Hu", "Adrian Huber", "Jithendar Anumula", "Shih-Chii Liu"),
    title="Overcoming the Vanishing Gradient Problem in Plain Recurrent Networks",
    year=2018,
    arxiv="1801.06105",
)
KUSUPATI_2018 = Reference(
    key="kusupati2018",
    authors=("Aditya Kusupati", "Manish Singh", "Kush Bhatia", "Ashish Kumar", "Prateek Jain", "Manik Varma"),
    title="FastGRNN: A Fast, Accurate, Stable and Tiny Kilobyte Sized Gated Recurrent Neural Network",
    year=2018,
    arxiv="1901.02358",
    venue="NeurIPS 2018",
)
LI_2018 = Reference(
    key="li2018",
    authors=("Shuai Li", "Wanqing Li", "Chris Cook", "Ce Zhu", "Yanbo Gao"),
    title="Independently Recurrent Neural Network (IndRNN): Building A Longer and Deeper RNN",
    year=2018,
    arxiv="1803.04831",
    doi="10.1109/CVPR.2018.00572",
    venue="CVPR 2018",
)
YANG_2019 = Reference(
    key="yang2019",
    authors=(
        "Guangyu Robert Yang",
        "Madhura R. Joglekar",
        "H. Francis Song",
        "William T. Newsome",
        "Xiao-Jing Wang",
    ),
    title="Task Representations in Neural Networks Trained to Perform Many Cognitive Tasks",
    year=2019,
    doi="10.1038/s41593-018-0310-2",
    venue="Nature Neuroscience 22",
)
KOPPE_2019 = Reference(
    key="koppe2019",
    authors=("Georgia Koppe", "Hazem Toutounji", "Peter Kirsch", "Stefanie Lis", "Daniel Durstewitz"),
    title=(
        "Identifying Nonlinear Dynamical Systems via Generative Recurrent Neural Networks with Applications to fMRI"
    ),
    year=2019,
    doi="10.1371/journal.pcbi.1007263",
    venue="PLoS Computational Biology 15(8)",
)
HASTE_2020 = Reference(
    key="haste2020",
    authors=("Sharvil Nanavati",),
    title="Haste: A Fast, Simple, and Open RNN Library",
    year=2020,
    url="https://github.com/lmnt-com/haste",
)
NGUYEN_2020 = Reference(
    key="nguyen2020",
    authors=("Tan M. Nguyen", "Richard G. Baraniuk", "Andrea L. Bertozzi", "Stanley J. Osher", "Bao Wang"),
    title="MomentumRNN: Integrating Momentum into Recurrent Neural Networks",
    year=2020,
    arxiv="2006.06919",
    venue="NeurIPS 2020",
)
HESS_2023 = Reference(
    key="hess2023",
    authors=("Florian Hess", "Zahra Monfared", "Manuel Brenner", "Daniel Durstewitz"),
    title="Generalized Teacher Forcing for Learning Chaotic Dynamics",
    year=2023,
    arxiv="2306.04406",
    venue="ICML 2023",
)
ZYARAH_2025 = Reference(
    key="zyarah2025",
    authors=("Abdullah M. Zyarah", "Dhireesha Kudithipudi"),
    title="Minion Gated Recurrent Unit for Continual Learning",
    year=2025,
    arxiv="2503.06175",
    doi="10.1016/j.neucom.2026.132847",
    venue="Neurocomputing 673",
)

_GTF = "authors' code: https://github.com/DurstewitzLab/GTF-shPLRNN@b6172ce src/models"
_PLRNN_START = (
    "The authors start A and W from a normalised positive definite matrix (Talathi and Vartak 2015), whose diagonal is "
    "about 0.4 for many units; here A starts at 0.4 and W at random."
)

CELLS = (
    NamedCell(
        "tanh",
        "the plain recurrent network",
        "h' = tanh(linear(x) + linear(h))",
        title="Simple recurrent network (Elman network)",
        reference=ELMAN_1990,
        verified="second source: torch.nn.RNN, compared in the tests",
        remarks=("Of its two biases, as torch.nn.RNN has them, one is redundant.", "Elman used the logistic function."),
    ),
    NamedCell(
        "rnn-sigmoid",
        "the plain recurrent network with the logistic function, without biases",
        "h' = sigmoid(linear(x, bias=False) + linear(h, bias=False))",
        title="Recurrent network of RNNLM",
        reference=MIKOLOV_2010,
        verified="authors' code: https://github.com/facebookarchive/SCRNNs@75582d4 mfactory.lua (srnn)",
        remarks=("The code is of 2015, by Mikolov and others, as the baseline of SCRN.",),
    ),
    NamedCell(
        "rnn-relu",
        "the plain recurrent network with rectified linear units",
        "h' = relu(linear(x) + linear(h, bias=False))",
        title="Recurrent network of rectified linear units",
        reference=LE_2015,
        verified="second source: torch.nn.RNN with nonlinearity='relu', which has a second, redundant bias",
        remarks=("A baseline of the IRNN's paper.",),
    ),
    NamedCell(
        "irnn",
        "rectified linear units whose recurrent matrix starts as the identity",
        "h' = relu(linear(x) + linear(h, 1, random=0, bias=False))",
        title="Identity recurrent neural network (IRNN)",
        reference=LE_2015,
        verified="second source: https://github.com/keras-team/keras examples/mnist_irnn.py",
        remarks=("The paper also starts from 0.01 times the identity where long memory harms.",),
    ),
    NamedCell(
        "rin",
        "rectified linear units with the identity added to the recurrent matrix for good",
        "h' = relu(linear(x) + linear(h, bias=False) + h)",
        title="Recurrent identity network (RIN)",
        reference=HU_2018,
        verified="second source: TensorFlow code of a reproduction on MNIST (RINCell), which adds a fixed identity",
        remarks=("At this project's random start the state grows by a factor of about 1.4 a step.",),
    ),
    NamedCell(
        "rnn-residual",
        "the plain recurrent network with the old state added before the tanh",
        "h' = tanh(linear(x) + linear(h, random=orthogonal, bias=False) + h)",
        title="Simple recurrent network with a residual connection (Flax)",
        reference=HU_2018,
        verified="second source: https://github.com/google/flax@18f8f31 flax/nnx/nn/recurrent.py (SimpleCell)",
        remarks=("Flax names this paper as the source of its option; the paper itself has rectified linear units.",),
    ),
    NamedCell(
        "rnn-orthogonal",
        "the plain recurrent network with an orthogonal recurrent matrix at the start",
        "h' = tanh(linear(x) + linear(h, random=orthogonal, bias=False))",
        title="Simple recurrent network with an orthogonal start",
        reference=HENAFF_2016,
        verified="second source: default of keras.layers.SimpleRNN and of Flax's SimpleCell",
    ),
    NamedCell(
        "jordan",
        "a hidden layer between the old output and the new one",
        """\
n = tanh(linear(x) + linear(h, bias=False))
h' = tanh(linear(n))""",
        title="Jordan network",
        reference=JORDAN_1986,
        verified="second source: encyclopaedia article on recurrent networks (Elman and Jordan networks)",
        remarks=("The recurrent input is the output of the step before; here the cell's output is the network's.",),
        same_as=(SharedName("DT-RNN (deep transition, one intermediate layer)", PASCANU_2013),),
    ),
    NamedCell(
        "leaky-rnn",
        "a leaky integrator: the state moves a fifth of the way to its new value",
        "h' = 0.8 * h + 0.2 * softplus(linear(x) + linear(h, 0.5, random=0, bias=False))",
        title="Leaky recurrent network of 20 cognitive tasks",
        reference=YANG_2019,
        verified="authors' code: https://github.com/gyyang/multitask@817e23d network.py (LeakyRNNCell), train.py",
        remarks=(
            "The rate 0.2 is the time step of 20 ms over the time constant of 100 ms.",
            "Half the identity is one of two starts in the code; the other is half a random orthogonal matrix.",
            "The code adds noise to the sum while it trains.",
        ),
    ),
    NamedCell(
        "rate-rnn",
        "a leaky integrator of currents whose rectified values are the rates that units see",
        """\
v' = 0.8 * v + 0.2 * (linear(x, bias=False) + linear(relu(v)))
h' = relu(v')""",
        title="Continuous-time rate network",
        reference=SONG_2016,
        verified="authors' code: https://github.com/xjwanglab/pycog@5398bb3 pycog/trainer.py",
        remarks=(
            "The rate 0.2 is the code's default time step, a fifth of the time constant.",
            "Excitatory and inhibitory units, that is the signs of the columns, and noise are left out.",
        ),
    ),
    NamedCell(
        "fastrnn",
        "a residual connection with two learned weights",
        """\
n = tanh(linear(x, bias=1) + linear(h, bias=False))
h' = sigmoid(param(-3)) * n + sigmoid(param(3)) * h""",
        title="FastRNN",
        reference=KUSUPATI_2018,
        verified="authors' code: https://github.com/microsoft/EdgeML@81025fc pytorch/edgeml_pytorch/graph/rnn.py",
        remarks=(
            "The two weights are scalars in the paper and vectors here.",
            "RecurrentLayers.jl starts them with the opposite signs, which makes a slow unit fast.",
        ),
    ),
    NamedCell(
        "indrnn",
        "each unit sees of the state only its own past, through a learned factor",
        "h' = relu(linear(x) + param(uniform(0, 1)) * h)",
        title="Independently recurrent neural network (IndRNN)",
        reference=LI_2018,
        verified="authors' code: https://github.com/Sunnydreamrain/IndRNN_pytorch@9b9cb4c IndRNN_onlyrecurrent.py",
        remarks=(
            "The authors clip the factors to a range that depends on the sequence length.",
            "They also start the factors of the last layer near 1 where only the last step counts.",
        ),
    ),
    NamedCell(
        "indrnn-tanh",
        "IndRNN with tanh and factors of both signs",
        "h' = tanh(linear(x) + param(uniform(-1, 1)) * h)",
        title="IndRNN of TensorFlow",
        reference=LI_2018,
        verified="second source: tf.contrib.rnn.IndRNNCell, whose starts are those of IndyGRUCell",
        remarks=("Haste has tanh too and starts the factors uniformly between -0.5 and 0.5.",),
    ),
    NamedCell(
        "indrnn-layer-norm",
        "IndRNN with layer norm on its input",
        "h' = tanh(norm(linear(x, bias=False)) + param(uniform(-0.5, 0.5)) * h)",
        title="Layer-normalised IndRNN (Haste)",
        reference=HASTE_2020,
        verified="authors' code: https://github.com/lmnt-com/haste@ceba32e frameworks/pytorch/layer_norm_indrnn.py",
    ),
    NamedCell(
        "scrn",
        "a slow context of leaky integrators beside the plain recurrent network",
        """\
s' = 0.05 * linear(x, bias=False) + 0.95 * s
q' = sigmoid(linear(s', bias=False) + linear(x, bias=False) + linear(q, bias=False))
h' = linear(q', bias=False) + linear(s', bias=False)""",
        title="Structurally constrained recurrent network (SCRN)",
        reference=MIKOLOV_2014,
        verified="authors' code: https://github.com/facebookarchive/SCRNNs@75582d4 mfactory.lua, util.lua",
        remarks=(
            "The paper, and a comment in the code, put the new context into the hidden layer; the code itself puts the "
            "old one. The entry follows the paper.",
            "The paper's context is smaller than its hidden layer; here both have the cell's size.",
        ),
    ),
    NamedCell(
        "momentum-rnn",
        "the input enters through a momentum",
        """\
v' = 0.6 * v + 0.6 * linear(x, bias=False)
h' = tanh(v' + linear(h))""",
        title="MomentumRNN",
        reference=NGUYEN_2020,
        verified=(
            "authors' code: https://github.com/minhtannguyen/MomentumRNN@f185c54 mnist-timit/momentumnet.py, "
            "whose MomentumLSTM does the same at each gate"
        ),
        remarks=("Momentum and step size are 0.6, as in the authors' recipe for MNIST.",),
    ),
    NamedCell(
        "plrnn",
        "a learned decay plus a matrix of the rectified state",
        "h' = param(0.4) * h + linear(relu(h)) + linear(x, bias=False)",
        title="Piecewise-linear recurrent neural network (PLRNN)",
        reference=KOPPE_2019,
        verified=f"{_GTF}/vanilla_plrnn.jl",
        remarks=(
            _PLRNN_START,
            "W has no diagonal at the start in the authors' code; training fills it.",
            "The paper adds noise to the state.",
        ),
    ),
    NamedCell(
        "plrnn-shallow",
        "a learned decay plus a network with one hidden layer",
        "h' = param(0.4) * h + linear(relu(linear(h))) + linear(x, bias=False)",
        title="Shallow PLRNN (shPLRNN)",
        reference=HESS_2023,
        verified=f"{_GTF}/shallow_plrnn.jl",
        remarks=(_PLRNN_START, "The paper's hidden layer is larger than the state."),
    ),
    NamedCell(
        "plrnn-clipped",
        "the shallow PLRNN with a bounded hidden layer",
        """\
u = linear(h, bias=False)
n = relu(u + param(uniform(-0.1, 0.1))) - relu(u)
h' = param(0.4) * h + linear(n) + linear(x, bias=False)""",
        title="Clipped shallow PLRNN",
        reference=HESS_2023,
        verified=f"{_GTF}/shallow_plrnn.jl",
        remarks=(
            _PLRNN_START,
            "The thresholds start between -1 / sqrt(n) and 1 / sqrt(n) for n hidden units in the authors' code, "
            "between -0.1 and 0.1 here.",
        ),
    ),
    NamedCell(
        "miru-2",
        "the GRU with a number for each of its gates",
        """\
n = tanh(linear(x) + linear(0.5 * h, bias=False))
h' = 0.5 * h + 0.5 * n""",
        title="Minion recurrent unit 2 (MiRU-2)",
        reference=ZYARAH_2025,
        verified="second source: https://github.com/MartinuzziFrancesco/torchrecurrent@1cec4cb cells/miru_cell.py",
        remarks=(
            "The numbers are settings in the paper, chosen for each task; 0.5 is the library's default.",
            "The paper's equations were not seen.",
        ),
    ),
)
"""Cells of the family."""
