"""Exported modules keep their numbers through torch.export and ONNX, for other batch sizes too."""

from __future__ import annotations

import importlib.util
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
BATCH = Dim("batch", min=2, max=64)


class Subject:
    """Two layers of a cell, and arguments for it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.states = len(parse_written(FORMULAS[name]).states)
        path = folder / "exported.py"
        path.write_text(export_module(FORMULAS[name], "cell").text, "utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        torch.manual_seed(0)
        self.text: str = path.read_text("utf-8")
        self.cell: Any = module.Cell(INPUTS, UNITS, LAYERS)

    def arguments(self, steps: int, batch: int) -> tuple[Tensor, Any]:
        states = [torch.randn(LAYERS, batch, UNITS) for _ in range(self.states)]
        return torch.randn(steps, batch, INPUTS), states[0] if self.states == 1 else tuple(states)

    def shapes(self) -> dict[str, Any]:
        along = {1: BATCH}
        return {"input": along, "hx": along if self.states == 1 else (along,) * self.states}


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


def flat(pair: tuple[Tensor, Any]) -> list[Tensor]:
    first, states = pair
    return [first, states] if isinstance(states, Tensor) else [first, *states]


@pytest.mark.parametrize("name", ["lstm", "mut3", "three states", "sLSTM"])
def test_torch_export_keeps_the_numbers_and_takes_any_batch(name: str, tmp_path: Path) -> None:
    subject = Subject(name, tmp_path)
    subject.cell.eval()
    program = torch.export.export(subject.cell, subject.arguments(STEPS, 3), dynamic_shapes=subject.shapes())
    arguments = subject.arguments(STEPS, 5)
    for found, expected in zip(flat(program.module()(*arguments)), flat(subject.cell(*arguments)), strict=True):
        torch.testing.assert_close(found, expected)


# torch's exporter warns of functions that PyTorch itself deprecates, and that two axes share a name.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    "name",
    ["lstm", "sLSTM", *(pytest.param(n, marks=pytest.mark.slow) for n in ("three states", *NEW) if n != "sLSTM")],
)
def test_one_step_in_onnx_goes_through_a_sequence_of_any_length_after_training(name: str, tmp_path: Path) -> None:
    subject = Subject(name, tmp_path)
    if name in NEW:
        train(subject.cell)
    subject.cell.eval()
    path = tmp_path / "step.onnx"
    program = torch.onnx.export(
        subject.cell, subject.arguments(1, 3), dynamic_shapes=subject.shapes(), dynamo=True, verbose=False
    )
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    x, states = subject.arguments(7, 5)
    outputs, now = [], [value.numpy() for value in flat((x, states))[1:]]
    for step in torch.split(x, 1):
        output, *now = session.run(None, dict(zip(names, [step.numpy(), *now], strict=True)))
        outputs.append(output)
    found = [np.concatenate(outputs), *now]
    for got, expected in zip(found, flat(subject.cell(x, states)), strict=True):
        torch.testing.assert_close(torch.from_numpy(got), expected.detach())
