"""Cells of the public API, against `torch.nn`, the library and the exported file."""

from pathlib import Path

import pytest
import torch
from torch import nn

import gatesearch
from search.cells.errors import CellError, UnknownCellError
from search.cells.export.module import export_module
from search.cells.ids import printed_id
from search.cells.library import LIBRARY, display_formula
from search.cells.parameters import layout_of
from search.kernels.reference import run_reference
from search.training.model import SequenceModel
from search.training.weights import layer_weights
from tasks.interface import Interface
from tasks.task import Output

FORMULA = "z = sigmoid(linear(x) + linear(h))\nh' = z * h + (1 - z) * tanh(linear(x))"


def test_a_cell_is_found_by_name_formula_and_file(tmp_path: Path) -> None:
    file = tmp_path / "my.cell"
    file.write_text(FORMULA)
    by_file, by_path, by_formula = gatesearch.cell(file), gatesearch.cell(str(file)), gatesearch.cell(FORMULA)
    assert by_file == by_path == by_formula
    assert (by_file.name, by_formula.name) == ("my", None)
    assert by_file.formula == FORMULA
    assert {name: cell.id for name, cell in gatesearch.cells().items()} == {
        name: printed_id(known.graph.id) for name, known in LIBRARY.items()
    }
    assert gatesearch.cell("gru").id == printed_id(LIBRARY["gru"].graph.id)


def test_an_id_and_a_number_are_told_what_to_give() -> None:
    with pytest.raises(UnknownCellError, match=r"for a cell of a run, give its formula in load\(RUN\)\.cells$"):
        gatesearch.cell("gdb0d472a")
    with pytest.raises(CellError, match=r"^3 is no cell; give a name, a formula, or a file$"):
        gatesearch.cell(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["gruu", "h' = ", "missing.cell", "h' = unknown(x)"])
def test_what_is_no_cell_is_refused_in_one_line(source: str) -> None:
    with pytest.raises(CellError) as caught:
        gatesearch.cell(source)
    assert "\n" not in str(caught.value)


def test_a_notebook_shows_the_drawing_of_the_formula() -> None:
    svg = gatesearch.cell("lstm")._repr_svg_()
    assert svg.startswith("<svg")
    assert svg.rstrip().endswith("</svg>")
    assert "lstm" in svg


def blocks_of(layer: nn.Module) -> dict[str, torch.Tensor]:
    return dict(layer.named_parameters())


def test_the_lstm_is_that_of_torch() -> None:
    torch.manual_seed(0)
    layer = gatesearch.cell("lstm").module(units=5, layers=2, input_size=3, dtype=torch.float64)
    peer = nn.LSTM(3, 5, 2, dtype=torch.float64)
    values = blocks_of(layer)
    for k in range(2):
        order = orders(layer, k)
        for ours, theirs in (("from_x", "ih"), ("from_h", "hh")):
            for kind in ("weight", "bias"):
                rows = values[f"layers.{k}.{ours}.{kind}"].detach().chunk(4)
                stacked = torch.cat([rows[order.index(gate)] for gate in "ifgo"])
                getattr(peer, f"{kind}_{theirs}_l{k}").data.copy_(stacked)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    (output, (h, c)), (expected, (expected_h, expected_c)) = layer(x), peer(x)
    for found, wanted in ((output, expected), (h, expected_h), (c, expected_c)):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def orders(layer: nn.Module, k: int) -> list[str]:
    """The gates in the order in which the layer's source stacks them."""
    import inspect
    import re

    source = inspect.getsource(type(layer.get_submodule(f"layers.{k}")).__bases__[0])
    found = re.search(r"self\.from_h = .*#\s*(.*)", source)
    assert found is not None
    return [name.strip() for name in found[1].split(",")]


def test_it_is_the_class_of_the_exported_file(tmp_path: Path) -> None:
    cell = gatesearch.cell("gru")
    scope: dict[str, type[nn.Module]] = {"__name__": "exported"}  # type: ignore[dict-item]
    exec(compile(cell.source(), "exported.py", "exec"), scope)  # noqa: S102 - what a user would import
    torch.manual_seed(1)
    ours = cell.module(units=8, layers=2)
    exported = scope["GRU"](8, 8, 2)
    exported.load_state_dict(ours.state_dict())
    x = torch.randn(5, 2, 8)
    assert torch.equal(ours(x)[0], exported(x)[0])


def test_a_module_of_any_formula_trains() -> None:
    torch.manual_seed(2)
    layer = gatesearch.cell(FORMULA).module(units=16, input_size=4, batch_first=True)
    readout = nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *readout.parameters()], lr=0.02)
    x = torch.randn(64, 6, 4)
    target = x[:, :, :1].sum(1)
    losses = []
    for _ in range(80):
        loss = nn.functional.mse_loss(readout(layer(x)[0][:, -1]), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^units is 0; it must be at least 1$"):
        gatesearch.cell("gru").module(units=0)
    with pytest.raises(ValueError, match=r"^layers is 0; it must be at least 1$"):
        gatesearch.cell("gru").module(units=4, layers=0)
    with pytest.raises(ValueError, match="must all be at least 1"):
        gatesearch.cell("gru").module(units=4, input_size=0)
    with pytest.raises(ValueError, match="are 6 and 6; this cell's blocks need multiples of 4"):
        gatesearch.cell("h' = tanh(linear(x) + linear(h, groups=4))").module(units=6)


@pytest.mark.slow
def test_every_cell_of_the_library_is_a_module_that_computes_it() -> None:
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(0)
    for name, cell in gatesearch.cells().items():
        units = 4 * layout_of(cell.graph).unit_multiple
        module = cell.module(units, dtype=torch.float64)
        model = SequenceModel(cell.graph, units, 1, Interface.same(Output.SYMBOLS, 4))
        model.initialise(1.0, generator)
        layer = model.layer_parameters()[0].map(lambda tensor: tensor.detach().double())
        parameters = export_module(display_formula(cell.graph), name).parameters
        module.get_submodule("layers.0").load_state_dict(layer_weights(cell.graph, layer, parameters))
        x = torch.randn(4, 2, units, dtype=torch.float64)
        outputs, _ = module(x)
        zeros = tuple(torch.zeros(2, units, dtype=torch.float64) for _ in range(cell.states))
        expected, _ = run_reference(cell.graph, layer, x, zeros)
        assert (outputs - expected).abs().max() <= 1e-10 * max(1.0, expected.abs().max().item()), name
