"""Equations of a cell as lines of PyTorch: those that one would write by hand, in the names of the formula."""

from __future__ import annotations

import pytest
from torch import nn

from search.cells.export.layer_code import layer_code
from search.cells.export.layer_parts import RESERVED
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_written
from search.cells.operations import Op

WRITTEN = {
    "the GRU": (
        LIBRARY["gru"].formula,
        """\
x_r, x_z, x_n = self.from_x(x).chunk(3, dim=-1)
return [x_r, x_z, x_n]""",
        """\
x_r, x_z, x_n = parts
(h,) = states
h_r, h_z = self.from_h(h).chunk(2, dim=-1)
r = torch.sigmoid(x_r + h_r)
z = torch.sigmoid(x_z + h_z)
n = torch.tanh(x_n + self.from_r_h(r * h))
h = z * h + (1 - z) * n
return [h]""",
    ),
    "the LSTM": (
        LIBRARY["lstm"].formula,
        """\
x_i, x_f, x_g, x_o = self.from_x(x).chunk(4, dim=-1)
return [x_i, x_f, x_g, x_o]""",
        """\
x_i, x_f, x_g, x_o = parts
h, c = states
h_i, h_f, h_g, h_o = self.from_h(h).chunk(4, dim=-1)
i = torch.sigmoid(x_i + h_i)
f = torch.sigmoid(x_f + h_f)
g = torch.tanh(x_g + h_g)
o = torch.sigmoid(x_o + h_o)
c = f * c + i * g
h = o * torch.tanh(c)
return [h, c]""",
    ),
    "a complement, and what x alone decides": (
        "h' = (1 - h) * tanh(x)",
        "return [torch.tanh(x)]",
        "(tanh_x,) = parts\n(h,) = states\nh = (1 - h) * tanh_x\nreturn [h]",
    ),
    "a peephole LSTM": (
        """\
i = sigmoid(linear(x) + linear(h) + param(0) * c)
f = sigmoid(linear(x, bias=1) + linear(h) + param(0) * c)
c' = f * c + i * tanh(linear(x) + linear(h))
w_o = param(0)
o = sigmoid(linear(x) + linear(h) + w_o * c')
h' = o * tanh(c')""",
        """\
x_i, x_f, x_c, x_o = self.from_x(x).chunk(4, dim=-1)
return [x_i, x_f, x_c, x_o]""",
        """\
x_i, x_f, x_c, x_o = parts
h, c = states
h_i, h_f, h_c, h_o = self.from_h(h).chunk(4, dim=-1)
i = torch.sigmoid(x_i + h_i + self.p_c_i * c)
f = torch.sigmoid(x_f + h_f + self.p_c_f * c)
c = f * c + i * torch.tanh(x_c + h_c)
o = torch.sigmoid(x_o + h_o + self.w_o * c)
h = o * torch.tanh(c)
return [h, c]""",
    ),
    "a layer norm of products and of a state": (
        "z = sigmoid(norm(linear(x)) + norm(linear(h, bias=False))); h' = z * norm(h) + (1 - z) * tanh(linear(h))",
        "return [self.norm_x_z(self.from_x(x))]",
        """\
(x_z_norm,) = parts
(h,) = states
z = torch.sigmoid(x_z_norm + self.norm_h_z(self.from_h(h)))
h = z * self.norm_h(h) + (1 - z) * torch.tanh(self.from_h2(h))
return [h]""",
    ),
    "numbers, signs, and values of vectors and numbers alone": (
        "half = 0.5; a = sigmoid(param(0)); c' = a; d' = 0.25; "
        "h' = half * (c - 1) + a * linear(0) - softplus(-(x + d)) - 2 * -h + -3 + 1 - x",
        "return [x]",
        """\
(x,) = parts
h, c, d = states
a = torch.sigmoid(self.p_a)
v1 = 0.5 * (c - 1) + a * self.from_zero(h.new_zeros([self.hidden_size]))
h_new = v1 - nn.functional.softplus(-(x + d)) - 2 * (-h) - 3 + 1 - x
return [h_new, a.expand_as(h), torch.full_like(h, 0.25)]""",
    ),
    "a product with a name is no complement": (
        "k = h * x; h' = x - k",
        "return [x]",
        "(x,) = parts\n(h,) = states\nk = h * x\nh = x - k\nreturn [h]",
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_a_cell_is_written_as_by_hand(case: str) -> None:
    formula, prepare, step = WRITTEN[case]
    code = layer_code(parse_written(formula))
    assert "\n".join(code.prepare) == prepare
    assert "\n".join(code.step) == step


def test_blocks_name_what_their_matrices_compute_and_how_they_start() -> None:
    code = layer_code(parse_written(LIBRARY["lstm-b"].formula))
    biases = [tuple(node.bias for node in block.nodes) for block in code.blocks]
    assert [(block.attribute, block.reads_input, block.targets) for block in code.blocks] == [
        ("from_x", True, ("i", "f", "g", "o")),
        ("from_h", False, ("i", "f", "g", "o")),
    ]
    assert biases == [(0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)]
    graph = LIBRARY["lstm-b"].graph
    assert sorted(i for block in code.blocks for i in block.sources) == list(graph.linears)
    assert graph.nodes[code.blocks[0].sources[1]].bias == 1.0


def test_only_matrices_that_agree_on_bias_and_groups_are_stacked() -> None:
    written = parse_written(
        "h' = tanh(linear(h) + linear(h, bias=False) + linear(h, groups=2) + linear(h, 1) + linear(h, groups=4) "
        "+ linear(h, groups=2, bias=1) + linear(h, groups=2, bias=False) + linear(x, bias=False))"
    )
    code = layer_code(written)
    assert [(block.attribute, len(block.nodes), block.biased, block.groups) for block in code.blocks] == [
        ("from_h", 2, True, 1),
        ("from_h2", 1, False, 1),
        ("from_h3", 2, True, 2),
        ("from_h4", 1, True, 4),
        ("from_h5", 1, False, 2),
        ("from_x", 1, False, 1),
    ]


def test_learned_vectors_and_norms_have_names_of_their_own() -> None:
    formula = """\
half = param(1)
self = param(chrono(9))
u = param(0)
n = norm(half * h + self * x) + u * norm(h) + u * norm(linear(x))
h' = norm(n) + n * param(linspace(0, 1)) + param(2) * x * param(3)"""
    code = layer_code(parse_written(formula))
    assert [vector.attribute for vector in code.vectors] == ["half2", "self_", "u", "p_n", "p_x", "p_p_x"]
    assert [norm.attribute for norm in code.norms] == ["norm_n", "norm_h", "norm_x", "norm_n2"]
    graph = parse_written(formula).graph.canonical()
    assert sorted(vector.source for vector in code.vectors) == [i for i, n in enumerate(graph) if n.op is Op.PARAM]
    assert sorted(norm.source for norm in code.norms) == [i for i, n in enumerate(graph) if n.op is Op.NORM]
    assert all(graph.nodes[vector.source].start == vector.start for vector in code.vectors)


def test_no_attribute_of_a_module_is_taken_for_a_learned_vector() -> None:
    assert {name for name in dir(nn.Module()) if not name.startswith("_")} <= RESERVED


@pytest.mark.parametrize(
    ("formula", "square"),
    [
        ("h' = tanh(linear(x) + h)", False),
        ("h' = tanh(x + h)", True),
        ("h' = tanh(linear(0.5 * norm(softplus(x))) + h)", False),
        ("h' = tanh(linear(param(1) * x) + h)", True),
        ("h' = norm(x)", True),
        ("h' = linear(x, random=orthogonal)", False),
        ("h' = linear(x, 1)", True),
    ],
)
def test_a_layer_is_square_if_x_itself_is_combined_with_states(formula: str, square: bool) -> None:
    assert layer_code(parse_written(formula)).square is square
