"""Cells found by architecture search.

`z` weights the new value in MUT1 to MUT3.
"""

from collections.abc import Sequence

from search.cells.published.entry import NamedCell, Reference
from search.cells.published.lstm import JOZEFOWICZ_2015

ZOPH_2016 = Reference(
    key="zoph2016",
    authors=("Barret Zoph", "Quoc V. Le"),
    title="Neural Architecture Search with Reinforcement Learning",
    year=2016,
    arxiv="1611.01578",
    venue="ICLR 2017",
)

PHAM_2018 = Reference(
    key="pham2018",
    authors=("Hieu Pham", "Melody Y. Guan", "Barret Zoph", "Quoc V. Le", "Jeff Dean"),
    title="Efficient Neural Architecture Search via Parameter Sharing",
    year=2018,
    arxiv="1802.03268",
    venue="ICML 2018",
)

LIU_2018 = Reference(
    key="liu2018",
    authors=("Hanxiao Liu", "Karen Simonyan", "Yiming Yang"),
    title="DARTS: Differentiable Architecture Search",
    year=2018,
    arxiv="1806.09055",
    venue="ICLR 2019",
)

LUO_2018 = Reference(
    key="luo2018",
    authors=("Renqian Luo", "Fei Tian", "Tao Qin", "En-Hong Chen", "Tie-Yan Liu"),
    title="Neural Architecture Optimization",
    year=2018,
    arxiv="1808.07233",
    venue="NeurIPS 2018",
)

DONG_2019 = Reference(
    key="dong2019",
    authors=("Xuanyi Dong", "Yi Yang"),
    title="Searching for A Robust Neural Architecture in Four GPU Hours",
    year=2019,
    arxiv="1910.04465",
    venue="CVPR 2019",
)

LEE_2019 = Reference(
    key="lee2019",
    authors=("Heung-Chang Lee", "Do-Guk Kim", "Bohyung Han"),
    title="Efficient Decoupled Neural Architecture Search by Structure and Operation Sampling",
    year=2019,
    arxiv="1910.10397",
)

CHEN_2020 = Reference(
    key="chen2020",
    authors=("Xiangning Chen", "Cho-Jui Hsieh"),
    title="Stabilizing Differentiable Architecture Search via Perturbation-based Regularization",
    year=2020,
    arxiv="2002.05283",
    venue="ICML 2020",
)

KLYUCHNIKOV_2020 = Reference(
    key="klyuchnikov2020",
    authors=(
        "Nikita Klyuchnikov",
        "Ilya Trofimov",
        "Ekaterina Artemova",
        "Mikhail Salnikov",
        "Maxim Fedorov",
        "Evgeny Burnaev",
    ),
    title="NAS-Bench-NLP: Neural Architecture Search Benchmark for Natural Language Processing",
    year=2020,
    arxiv="2006.07116",
)

_MUTANTS = (
    "second source: https://github.com/MartinuzziFrancesco/RecurrentLayers.jl/blob/ffed8987b3dd/src/cells/mut_cell.jl"
)
_SMOOTH = "authors' code: https://github.com/xiangning-chen/SmoothDARTS/blob/d3dbfed06643/sota/rnn/genotypes.py"
_DARTS = "authors' code: https://github.com/quark0/darts/blob/f276dd346a09/rnn/genotypes.py and model.py"
_BENCH = "authors' release: https://github.com/fmsnew/nas-bench-nlp-release/blob/a6d90a3b19e3/train_logs_wikitext-2"
_BENCH_REMARKS = (
    "Each sum has a bias for each of its matrices; the authors have one for all, which is the same function."
)


def _nodes(genotype: str, mean: Sequence[int] = ()) -> str:
    """Return the formula of a cell of the search space of ENAS and DARTS (Liu et al. 2018, section 2.1 and `rnn/`).

    Node 0 is a highway step from the state and the input; each further node is a highway step from an earlier node,
    without biases; the output is the mean of some nodes.

    Args:
        genotype: Activation and predecessor of nodes 1, 2, ..., such as "relu 0, tanh 1".
        mean: Nodes that the output is the mean of; all but node 0 by default.
    """
    lines = [
        "c0 = sigmoid(linear(x, bias=False) + linear(h, bias=False))",
        "s0 = h + c0 * (tanh(linear(x, bias=False) + linear(h, bias=False)) - h)",
    ]
    nodes = [node.split() for node in genotype.split(", ")]
    for number, (activation, k) in enumerate(nodes, start=1):
        product = f"linear(s{k}, bias=False)"
        value = product if activation == "identity" else f"{activation}({product})"
        lines.append(f"s{number} = s{k} + sigmoid({product}) * ({value} - s{k})")
    mean = mean or range(1, len(nodes) + 1)
    lines.append(f"h' = {1 / len(mean)!r} * ({' + '.join(f's{k}' for k in mean)})")
    return "\n".join(lines)


CELLS = (
    NamedCell(
        "mut1",
        "the study's first mutant",
        """\
z = sigmoid(linear(x))
r = sigmoid(linear(x) + linear(h))
n = tanh(linear(r * h) + tanh(x))
h' = z * n + (1 - z) * h""",
        title="MUT1",
        reference=JOZEFOWICZ_2015,
        verified=_MUTANTS,
        remarks=("RecurrentLayers.jl multiplies the input of the inner tanh by a matrix, which the paper does not.",),
    ),
    NamedCell(
        "mut2",
        "the study's second mutant",
        """\
z = sigmoid(linear(x) + linear(h))
r = sigmoid(x + linear(h))
n = tanh(linear(r * h) + linear(x))
h' = z * n + (1 - z) * h""",
        title="MUT2",
        reference=JOZEFOWICZ_2015,
        verified=_MUTANTS,
    ),
    NamedCell(
        "mut3",
        "the study's third mutant",
        """\
z = sigmoid(linear(x) + linear(tanh(h)))
r = sigmoid(linear(x) + linear(h))
n = tanh(linear(r * h) + linear(x))
h' = z * n + (1 - z) * h""",
        title="MUT3",
        reference=JOZEFOWICZ_2015,
        verified=_MUTANTS,
    ),
    NamedCell(
        "nas-cell",
        "a tree of eight pairs of projections, found by reinforcement learning",
        """\
a0 = sigmoid(linear(x, bias=False) + linear(h, bias=False))
a1 = relu(linear(x, bias=False) + linear(h, bias=False))
a2 = sigmoid(linear(x, bias=False) + linear(h, bias=False))
a3 = relu(linear(x, bias=False) * linear(h, bias=False))
a4 = tanh(linear(x, bias=False) + linear(h, bias=False))
a5 = sigmoid(linear(x, bias=False) + linear(h, bias=False))
a6 = tanh(linear(x, bias=False) + linear(h, bias=False))
a7 = sigmoid(linear(x, bias=False) + linear(h, bias=False))
b0 = tanh(tanh(a0 * a1) + c)
b1 = tanh(a2 + a3)
b2 = tanh(a4 * a5)
b3 = sigmoid(a6 + a7)
c' = b0 * b1
h' = tanh(c' * tanh(b2 + b3))""",
        title="Cell of neural architecture search (NASCell)",
        reference=ZOPH_2016,
        verified=(
            "second source: https://github.com/tensorflow/addons/blob/d208d752e98c/tensorflow_addons/rnn/nas_cell.py"
        ),
        remarks=("RecurrentLayers.jl adds the projections of the fourth branch, which TensorFlow multiplies.",),
    ),
    NamedCell(
        "enas",
        "a tree of twelve highway steps, the mean of its leaves as output",
        _nodes(
            "tanh 0, tanh 1, relu 1, tanh 3, tanh 3, relu 3, relu 4, relu 7, relu 8, relu 8, relu 8",
            mean=(2, 5, 6, 9, 10, 11),
        ),
        title="Cell of efficient neural architecture search (ENAS)",
        reference=PHAM_2018,
        verified=(
            "authors' code: https://github.com/melodyguan/enas/blob/4bcfd73b5246/scripts/ptb_final.sh, and "
            "https://github.com/quark0/darts/blob/f276dd346a09/rnn/genotypes.py"
        ),
        remarks=(
            "The authors withdrew the code that trained this cell as wrong; `enas-lm` is the cell that replaced it.",
        ),
    ),
    NamedCell(
        "enas-lm",
        "a chain of highway steps with sigmoid candidates, found with shared parameters",
        _nodes("sigmoid 0, tanh 1, relu 2, sigmoid 2, tanh 4, tanh 5, sigmoid 3, sigmoid 6"),
        title="Cell of efficient neural architecture search (ENAS), corrected",
        reference=PHAM_2018,
        verified=(
            "authors' code: https://github.com/google-research/google-research/blob/10bf941a5a06/enas_lm/README.md and "
            "src/fixed_lib.py"
        ),
    ),
    NamedCell(
        "darts-v1",
        "a tree of highway steps, found by gradient descent of the first order",
        _nodes("relu 0, relu 1, tanh 2, relu 3, relu 4, identity 1, relu 5, relu 1"),
        title="DARTS, first order",
        reference=LIU_2018,
        verified=_DARTS,
    ),
    NamedCell(
        "darts-v2",
        "a tree of highway steps, found by gradient descent of the second order",
        _nodes("sigmoid 0, relu 1, relu 1, identity 1, tanh 2, sigmoid 5, tanh 3, relu 5"),
        title="DARTS, second order",
        reference=LIU_2018,
        verified=_DARTS,
    ),
    NamedCell(
        "nao",
        "a tree of eleven highway steps, found by gradient ascent in an embedding of cells",
        _nodes(
            "relu 0, relu 0, relu 1, tanh 3, relu 4, relu 4, relu 5, relu 1, relu 7, relu 1, identity 1",
        ),
        title="Neural architecture optimization (NAO)",
        reference=LUO_2018,
        verified=(
            "authors' code: https://github.com/renqianluo/NAO/blob/e07be44bad14/NAO/rnn/train_ptb_final.sh and utils.py"
        ),
    ),
    NamedCell(
        "nao-ws",
        "a tree of eleven highway steps, found as NAO with shared weights",
        _nodes(
            "relu 0, relu 1, sigmoid 2, sigmoid 1, relu 4, relu 4, relu 4, relu 7, sigmoid 8, tanh 1, relu 4",
        ),
        title="Neural architecture optimization with weight sharing (NAO-WS)",
        reference=LUO_2018,
        verified=(
            "authors' code: https://github.com/renqianluo/NAO/blob/e07be44bad14/NAO-WS/rnn/train_final.sh and model.py"
        ),
    ),
    NamedCell(
        "gdas",
        "a tree of highway steps, found by sampling cells with a differentiable sampler",
        _nodes("relu 0, relu 0, identity 1, relu 1, tanh 0, relu 2, identity 4, identity 2"),
        title="Gradient-based search by a differentiable architecture sampler (GDAS)",
        reference=DONG_2019,
        verified=(
            "authors' code: https://github.com/D-X-Y/AutoDL-Projects/blob/13e908f4df86/lib/nas_rnn/genotypes.py and "
            "basemodel.py"
        ),
    ),
    NamedCell(
        "ednas",
        "a tree of highway steps, found with separate policies for structure and operations",
        _nodes("identity 0, tanh 1, relu 1, tanh 2, relu 4, relu 3, sigmoid 4, tanh 7"),
        title="Efficient decoupled neural architecture search (EDNAS)",
        reference=LEE_2019,
        verified=(
            "authors' code: https://github.com/logue311/EDNAS/blob/eed815b639d4/EDNAS_on_Penn_Treebank/genotypes.py"
        ),
    ),
    NamedCell(
        "sdarts-rs",
        "a tree of highway steps, found by DARTS smoothed with random noise",
        _nodes("sigmoid 0, sigmoid 1, identity 2, sigmoid 1, tanh 2, tanh 2, sigmoid 0, sigmoid 3"),
        title="SmoothDARTS with random smoothing (SDARTS-RS)",
        reference=CHEN_2020,
        verified=_SMOOTH,
        remarks=("The authors' code names it penn_random.",),
    ),
    NamedCell(
        "sdarts-adv",
        "a tree of highway steps, found by DARTS with adversarial perturbation",
        _nodes("relu 0, relu 1, tanh 2, relu 3, identity 2, relu 1, tanh 2, relu 7"),
        title="SmoothDARTS with adversarial perturbation (SDARTS-ADV)",
        reference=CHEN_2020,
        verified=_SMOOTH,
        remarks=("The authors' code names it penn_pgd.",),
    ),
    NamedCell(
        "nas-bench-nlp-7537",
        "the best cell on WikiText-2 of the benchmark's random cells, and the only one ahead of the GRU",
        """\
g = sigmoid(linear(h) + linear(x))
c' = sigmoid(linear(x) + linear(g))
n = tanh(linear(g) + linear(c'))
v = c * h + (1 - c) * n
h' = g * v + (1 - g) * c'""",
        title="NAS-Bench-NLP, cell 7537",
        reference=KLYUCHNIKOV_2020,
        verified=f"{_BENCH}, recipe 1007537",
        remarks=(_BENCH_REMARKS,),
    ),
    NamedCell(
        "nas-bench-nlp-7507",
        "the best cell on WikiText-2 after 7537 of the benchmark's random cells",
        """\
a = linear(c) + linear(h)
b = tanh(a)
d = tanh(linear(x) + linear(h))
e = linear(d) + linear(b)
c' = e * d + (1 - e) * a
h' = sigmoid(linear(b) + linear(x)) * c'""",
        title="NAS-Bench-NLP, cell 7507",
        reference=KLYUCHNIKOV_2020,
        verified=f"{_BENCH}, recipe 1007507",
        remarks=(_BENCH_REMARKS, "The release has the same cell as 9507.", "The gate `e` is not squashed."),
    ),
    NamedCell(
        "nas-bench-nlp-5141",
        "the third of the benchmark's random cells on WikiText-2, with leaky ReLUs",
        """\
a = leaky_relu(linear(h) + linear(x))
b = linear(h) + linear(a)
h' = b + sigmoid(linear(x) + linear(leaky_relu(b)))""",
        title="NAS-Bench-NLP, cell 5141",
        reference=KLYUCHNIKOV_2020,
        verified=f"{_BENCH}, recipe 1005141",
        remarks=(_BENCH_REMARKS,),
    ),
    NamedCell(
        "nas-bench-nlp-3096",
        "the fourth of the benchmark's random cells on WikiText-2",
        """\
a = sigmoid(linear(h) + linear(x))
b = linear(h) + linear(a)
h' = b + sigmoid(linear(a) + linear(h) + linear(x))""",
        title="NAS-Bench-NLP, cell 3096",
        reference=KLYUCHNIKOV_2020,
        verified=f"{_BENCH}, recipe 1003096",
        remarks=(_BENCH_REMARKS,),
    ),
    NamedCell(
        "nas-bench-nlp-2850",
        "the fifth of the benchmark's random cells on WikiText-2",
        """\
a = sigmoid(linear(x) + linear(h))
b = tanh(linear(a) + linear(h))
d = sigmoid(linear(x) + linear(h))
h' = b * (linear(d) + linear(a) + linear(x))""",
        title="NAS-Bench-NLP, cell 2850",
        reference=KLYUCHNIKOV_2020,
        verified=f"{_BENCH}, recipe 1002850",
        remarks=(_BENCH_REMARKS,),
    ),
)
"""Cells of the family."""
