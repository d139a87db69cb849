"""Exported Equinox modules: their text everywhere, and where JAX is installed, their numbers against PyTorch's."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.export.equinox import export_equinox
from search.cells.export.module import Exported, export_module
from search.cells.library import LIBRARY
from tests.test_search.test_cells.test_export.loading import Load, load
from tests.test_search.test_cells.test_export.unusual import FORMULAS, STARTED

__all__ = ["load"]

T, B, H, L = 5, 3, 8, 2
NEEDS_JAX = pytest.mark.skipif(
    find_spec("jax") is None or find_spec("equinox") is None, reason="JAX and Equinox are not installed"
)

FEW = ("lstm", "block-diagonal matrices", "layer norms", "a gate one way")
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in FEW else pytest.mark.exact) for name in FORMULAS]


def jax_module(load: Load, formula: str, name: str | None = None) -> Any:
    return load(Exported(export_equinox(formula, "cell", name=name), name or "Cell", ()))


def arrays(tensors: Any) -> list[Any]:
    return [tensor.detach().numpy() for tensor in ((tensors,) if isinstance(tensors, Tensor) else tensors)]


def test_every_text_is_laid_out_as_ruff_formats_and_has_nothing_to_lint(tmp_path: Path) -> None:
    for k, (name, formula) in enumerate((FORMULAS | {"starts": STARTED}).items()):
        label = name if k % 3 else "a name that is longer than any class should have, of 70 letters or so"
        text = export_equinox(formula, label, ("An origin.",))
        statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
        imported = {part.name for node in statements for part in node.names}
        assert imported - {"math"} == {"equinox", "jax", "jax.numpy", "numpy"}
        (tmp_path / f"m{k}.py").write_text(text, "utf-8")
    for command in (["format", "--check"], ["check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout


@NEEDS_JAX
@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_states_are_those_of_the_torch_module(name: str, load: Load) -> None:
    import jax

    torch.manual_seed(0)
    theirs = load(export_module(FORMULAS[name], "cell")).Cell(H, H, L)
    module = jax_module(load, FORMULAS[name])
    state = theirs.state_dict()
    cell = module.from_torch(module.Cell(H, H, L, key=jax.random.key(0)), state)
    x = torch.randn(T, B, H, generator=torch.Generator().manual_seed(3))
    expected, last = theirs(x)
    found, states = cell(x.numpy())
    for own, other in zip((found, *states), (*arrays(expected), *arrays(last)), strict=True):
        np.testing.assert_allclose(np.asarray(own), other, rtol=1e-4, atol=1e-5 * max(1.0, np.nanmax(np.abs(other))))
    found, _ = cell(x[:, 0].numpy(), tuple(state[:, 0] for state in states))
    expected, _ = theirs(x, last)
    np.testing.assert_allclose(
        np.asarray(found), expected[:, 0].detach().numpy(), rtol=1e-4, atol=1e-5 * max(1.0, expected.abs().max().item())
    )
    after = cell.layers[0](x[0].numpy())
    own = load(export_module(FORMULAS[name], "cell")).CellCell(H, H)
    own.load_state_dict(theirs.layers[0].state_dict())
    for one, other in zip(after, arrays(own(x[0])), strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-4, atol=1e-5 * max(1.0, np.nanmax(np.abs(other))))


@NEEDS_JAX
@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_gradients_are_those_of_the_torch_module(name: str, load: Load) -> None:
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    torch.manual_seed(0)
    theirs = load(export_module(FORMULAS[name], "cell")).Cell(H, H, L)
    module = jax_module(load, FORMULAS[name])
    cell = module.from_torch(module.Cell(H, H, L, key=jax.random.key(0)), theirs.state_dict())
    x = torch.randn(T, B, H, generator=torch.Generator().manual_seed(3))

    def loss(cell: Any) -> Any:
        outputs, states = cell(x.numpy())
        return jnp.square(outputs).sum() + sum(state.sum() for state in states)

    outputs, states = theirs(x)
    total = outputs.square().sum() + sum(s.sum() for s in ((states,) if isinstance(states, Tensor) else states))
    torch.autograd.backward(total)
    found = jax.tree_util.tree_flatten_with_path(eqx.filter_grad(loss)(cell))[0]
    gradients = {jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf) for path, leaf in found}
    parameters = dict(theirs.named_parameters())
    assert gradients.keys() == parameters.keys()
    assert any(np.abs(gradient).max() > 0.1 for gradient in gradients.values())
    for key, parameter in parameters.items():
        assert parameter.grad is not None
        np.testing.assert_allclose(gradients[key], parameter.grad.numpy(), rtol=1e-3, atol=1e-4)


@NEEDS_JAX
@pytest.mark.slow
def test_parameters_start_as_those_of_the_torch_module(load: Load) -> None:
    import jax
    from scipy.stats import ks_2samp

    torch.manual_seed(0)
    units = 120
    drawn = [load(export_module(STARTED, "cell")).Cell(units, units).state_dict() for _ in range(2)]
    exported = export_module(STARTED, "cell")
    module = jax_module(load, STARTED)
    cell = module.Cell(units, units, key=jax.random.key(0))
    leaves = {
        jax.tree_util.keystr(path, simple=True, separator="."): torch.tensor(np.asarray(leaf))
        for path, leaf in jax.tree_util.tree_flatten_with_path(cell)[0]
    }
    assert leaves.keys() == drawn[0].keys()
    fixed = 0
    for parameter in exported.parameters:
        name = f"layers.0.{parameter.name}"
        parts = [tensors[name].chunk(len(parameter.sources)) for tensors in (*drawn, leaves)]
        for one, other, ours in zip(*parts, strict=True):
            assert ours.shape == one.shape
            if torch.equal(one, other):
                torch.testing.assert_close(ours, one, rtol=1e-6, atol=1e-6)
                fixed += 1
            else:
                assert ks_2samp(one.flatten(), ours.flatten()).pvalue > 1e-3, name
    assert fixed > 5
    eye = torch.eye(units // 4)
    for block in leaves["layers.0.from_i.weight"][1]:
        torch.testing.assert_close(block @ block.T, eye, rtol=0.0, atol=1e-5)


@NEEDS_JAX
@pytest.mark.slow
def test_a_state_dict_of_another_cell_is_refused(load: Load) -> None:
    import jax

    module = jax_module(load, LIBRARY["gru"].formula, "Reader")
    cell = module.Reader(6, H, key=jax.random.key(0))
    other = load(export_module(LIBRARY["gru"].formula, "cell"))
    for state, message in (
        (other.Cell(6, H, 2).state_dict(), "the state dict has 12 parameters; this cell has 6"),
        (other.Cell(5, H).state_dict(), r"layers.0.from_x.weight is \(24, 5\); it must be \(24, 6\)"),
        ({}, "the state dict has no layers.0.from_x.weight"),
    ):
        with pytest.raises(ValueError, match=message):
            module.from_torch(cell, state)
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: cell(np.zeros((T, B, 7))), "the last of 6"),
        (lambda: cell(np.zeros((T, B, 6)), (np.zeros((1, 2, H)),)), "this cell has 1 of"),
        (lambda: module.Reader(6, H, 0, key=jax.random.key(0)), "num_layers 0 must be at least 1"),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()


@NEEDS_JAX
@pytest.mark.slow
def test_it_learns_under_jit_and_grad(load: Load) -> None:
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    module = jax_module(load, LIBRARY["mut1"].formula)
    cell = module.Cell(H, H, key=jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (T, B, H))

    def loss(cell: Any) -> Any:
        return jnp.square(cell(x)[0][1:] - 0.5 * x[:-1]).mean()

    step: Any = eqx.filter_jit(eqx.filter_value_and_grad(loss))
    first = value = step(cell)[0]
    for _ in range(30):
        value, gradients = step(cell)
        cell = eqx.apply_updates(cell, jax.tree_util.tree_map(lambda g: -1.0 * g, gradients))
    assert value < 0.8 * first
