"""Equations of a cell as lines of PyTorch: those that one would write by hand, in the names of the formula."""

from __future__ import annotations

import pytest

from search.cells.export.layer_code import layer_code
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_written

WRITTEN = {
    "the GRU": (
        LIBRARY["gru"].formula,
        """\
x_r, x_z, x_n = self.from_x(x).chunk(3, dim=-1)
return x_r, x_z, x_n""",
        """\
x_r, x_z, x_n = parts
(h,) = states
h_r, h_z = self.from_h(h).chunk(2, dim=-1)
r = torch.sigmoid(x_r + h_r)
z = torch.sigmoid(x_z + h_z)
n = torch.tanh(x_n + self.from_r_h(r * h))
h = z * h + (1 - z) * n
return (h,)""",
    ),
    "the LSTM": (
        LIBRARY["lstm"].formula,
        """\
x_i, x_f, x_g, x_o = self.from_x(x).chunk(4, dim=-1)
return x_i, x_f, x_g, x_o""",
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
return h, c""",
    ),
    "a complement, and what x alone decides": (
        "h' = (1 - h) * tanh(x)",
        "return (torch.tanh(x),)",
        "(tanh_x,) = parts\n(h,) = states\nh = (1 - h) * tanh_x\nreturn (h,)",
    ),
    "a product with a name is no complement": (
        "k = h * x; h' = x - k",
        "return (x,)",
        "(x,) = parts\n(h,) = states\nk = h * x\nh = x - k\nreturn (h,)",
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
    assert [(block.attribute, block.reads_input, block.targets, block.biases) for block in code.blocks] == [
        ("from_x", True, ("i", "f", "g", "o"), (0.0, 1.0, 0.0, 0.0)),
        ("from_h", False, ("i", "f", "g", "o"), (0.0, 0.0, 0.0, 0.0)),
    ]
    graph = LIBRARY["lstm-b"].graph
    numbers = [number for block in code.blocks for number in block.matrices]
    assert sorted(numbers) == list(range(len(graph.linears)))
    assert graph.nodes[graph.linears[code.blocks[0].matrices[1]]].bias == 1.0


@pytest.mark.parametrize(("formula", "square"), [("h' = tanh(linear(x) + h)", False), ("h' = tanh(x + h)", True)])
def test_a_layer_is_square_if_x_itself_is_combined_with_states(formula: str, square: bool) -> None:
    assert layer_code(parse_written(formula)).square is square
