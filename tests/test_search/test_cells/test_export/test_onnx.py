"""Exported modules keep their numbers through torch.export and ONNX, for other batch sizes and lengths too."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from search.cells.export.module import export_module
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_written

STEPS, INPUTS, UNITS, LAYERS = 3, 4, 8, 2
FORMULAS = {
    "lstm": LIBRARY["lstm"].formula,
    "mut3": LIBRARY["mut3"].formula,
    "three states": "c' = tanh(leaky_relu(linear(x, bias=1) * c) - h); d' = sigmoid(relu(linear(c')) + d);"
    "h' = (1 - d) * d' + tanh(linear(h, 0.9))",
    "peephole LSTM": "i = sigmoid(linear(x) + linear(h) + param(uniform(-1, 1)) * c)\n"
    "f = sigmoid(linear(x, bias=1) + linear(h) + param(uniform(-1, 1)) * c)\n"
    "c' = f * c + i * tanh(linear(x) + linear(h))\n"
    "o = sigmoid(linear(x) + linear(h) + param(uniform(-1, 1)) * c')\nh' = o * tanh(c')",
    # The stabilised sLSTM of xLSTM (Beck et al. 2024) without exp and division, with block-diagonal recurrence.
    "sLSTM": "z = tanh(linear(x) + linear(h, bias=False, groups=4))\no = sigmoid(linear(x) + linear(h, groups=4))\n"
    "i = linear(x) + linear(h, groups=4)\nf = linear(x, bias=linspace(3, 6)) + linear(h, groups=4)\n"
    "s = l - i - softplus(-f)\ng = sigmoid(s)\nq' = g * q + (1 - g) * z\nl' = i + softplus(s)\nh' = o * q'",
    "layer-norm LSTM": "i = sigmoid(norm(linear(x, bias=False)) + norm(linear(h, bias=False)))\n"
    "f = sigmoid(norm(linear(x, bias=False)) + norm(linear(h, bias=False)) + param(1))\n"
    "g = tanh(norm(linear(x, bias=False)) + norm(linear(h, bias=False)))\n"
    "o = sigmoid(norm(linear(x, bias=False)) + norm(linear(h, bias=False)))\n"
    "c' = f * c + i * g\nh' = o * tanh(norm(c'))",
}
NEW = ["peephole LSTM", "sLSTM", "layer-norm LSTM"]
# PyTorch's exporters warn of functions that PyTorch itself deprecates, and that two axes share a name.
QUIET = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
BATCH, LENGTH = Dim("batch", max=64), Dim("length", min=1, max=1000)


class Subject:
    """Two layers of a cell, and arguments for it."""

    def __init__(self, name: str, folder: Path, bidirectional: bool = False) -> None:
        self.states = len(parse_written(FORMULAS[name]).states)
        path = folder / "exported.py"
        path.write_text(export_module(FORMULAS[name], "cell").text, "utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # where torch.export looks for the code
        spec.loader.exec_module(module)
        torch.manual_seed(0)
        self.module: Any = module
        self.places = LAYERS * (2 if bidirectional else 1)
        self.cell: Any = module.Cell(INPUTS, UNITS, LAYERS, bidirectional=bidirectional)

    def arguments(self, steps: int, batch: int) -> tuple[Tensor, Any]:
        states = [torch.randn(self.places, batch, UNITS) for _ in range(self.states)]
        return torch.randn(steps, batch, INPUTS), states[0] if self.states == 1 else tuple(states)

    def shapes(self) -> dict[str, Any]:
        along = {1: BATCH}
        return {"input": {0: LENGTH, 1: BATCH}, "hx": along if self.states == 1 else (along,) * self.states}


def train(cell: nn.Module) -> None:
    """Train a cell by Adam to say what it read the step before; assert that it learns, and by all its parameters."""
    before = {key: value.clone() for key, value in cell.state_dict().items()}
    readout = nn.Linear(UNITS, INPUTS)
    optimiser = torch.optim.Adam([*cell.parameters(), *readout.parameters()], 0.02)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(80):
        x = torch.randn(8, 16, INPUTS, generator=generator)
        loss = nn.functional.mse_loss(readout(cell(x)[0])[1:], x[:-1])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1.1, abs=0.2)  # the variance of x is 1
    assert np.mean(losses[-5:]) < 0.75 * losses[0]
    after = cell.state_dict()
    assert all(not torch.equal(after[key], value) for key, value in before.items())


def flat(pair: Any) -> list[Tensor]:
    """Return tensors and tuples of tensors one after the other."""
    if isinstance(pair, Tensor):
        return [pair]
    return [tensor for part in pair for tensor in flat(part)]


def run_onnx(path: Path, module: Any, arguments: tuple[Any, ...], shapes: Any, calls: list[tuple[Any, ...]]) -> None:
    """Write a module to ONNX with these arguments; assert that the file computes the same for other ones."""
    program = torch.onnx.export(module, arguments, dynamic_shapes=shapes, dynamo=True, verbose=False)
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    for call in calls:
        given = [value.numpy() for value in flat(call)]
        found = session.run(None, dict(zip(names, given, strict=True)))
        for got, expected in zip(found, flat(module(*call)), strict=True):
            torch.testing.assert_close(torch.from_numpy(got), expected.detach())


@QUIET
@pytest.mark.parametrize(
    ("name", "bidirectional"),
    [
        pytest.param("lstm", True, marks=pytest.mark.slow),
        *(
            pytest.param(name, bidirectional, marks=pytest.mark.exact)
            for name in ("lstm", "mut3", "three states", "sLSTM")
            for bidirectional in (False, True)
            if (name, bidirectional) != ("lstm", True)
        ),
    ],
)
def test_torch_export_keeps_the_numbers_and_takes_any_batch_and_any_length(
    name: str, bidirectional: bool, tmp_path: Path
) -> None:
    subject = Subject(name, tmp_path, bidirectional)
    subject.cell.eval()
    program = torch.export.export(subject.cell, subject.arguments(STEPS, 3), dynamic_shapes=subject.shapes())
    for steps, batch in ((STEPS, 5), (17, 2), (1, 1)):
        arguments = subject.arguments(steps, batch)
        for found, expected in zip(flat(program.module()(*arguments)), flat(subject.cell(*arguments)), strict=True):
            torch.testing.assert_close(found, expected)


@QUIET
@pytest.mark.parametrize(
    ("name", "bidirectional"),
    [
        *(pytest.param(name, False, marks=pytest.mark.exact) for name in FORMULAS),
        pytest.param("lstm", True, marks=pytest.mark.slow),
    ],
)
def test_onnx_goes_through_sequences_of_any_length_after_training(
    name: str, bidirectional: bool, tmp_path: Path
) -> None:
    subject = Subject(name, tmp_path, bidirectional)
    if name in NEW:
        train(subject.cell)
    subject.cell.eval()
    calls = [subject.arguments(steps, batch) for steps, batch in ((STEPS, 3), (29, 5), (1, 1))]
    run_onnx(tmp_path / "cell.onnx", subject.cell, subject.arguments(STEPS, 3), subject.shapes(), calls)


@QUIET
@pytest.mark.parametrize("name", ["lstm", pytest.param("mut3", marks=pytest.mark.exact)])
def test_one_step_in_onnx_continues_from_its_states(name: str, tmp_path: Path) -> None:
    subject = Subject(name, tmp_path)
    step = subject.module.CellCell(INPUTS, UNITS)
    step.load_state_dict(subject.cell.layers[0].state_dict())
    subject.cell.layers = subject.cell.layers[:1]
    subject.cell.num_layers = 1
    x, states = subject.arguments(4, 5)
    first = (states[:1],) if subject.states == 1 else tuple(state[:1] for state in states)
    now = tuple(state[0] for state in first)
    along = {0: BATCH}
    shapes = (along, along if subject.states == 1 else (along,) * subject.states)

    def packed(given: tuple[Tensor, ...]) -> Any:
        return given[0] if subject.states == 1 else given

    run_onnx(
        tmp_path / "step.onnx",
        step,
        (x[0], packed(now)),
        shapes,
        [(x[1], packed(now)), (x[1, :2], packed(tuple(s[:2] for s in now)))],
    )
    outputs = []
    for k in range(len(x)):
        after = step(x[k], packed(now))
        now = (after,) if subject.states == 1 else after
        outputs.append(now[0])
    expected, last = subject.cell(x, packed(first))
    torch.testing.assert_close(torch.stack(outputs), expected)
    torch.testing.assert_close(packed(tuple(state[None] for state in now)), last)
