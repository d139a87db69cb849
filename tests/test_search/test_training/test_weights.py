"""Weights that are taken along: the exported network, with nothing of ours, has the stored trial's metric."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from search.cells.export.module import export_module
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import EVALUATION_BATCH, EVALUATION_STEPS, train_trial
from search.training.weights import is_same, module_weights, network_of, retrain_trial, write_weights
from tasks.registry import load_task
from tasks.task import Output, Split, Task

BUDGET = Budget(batch=10, unroll=20, epoch_steps=20, epochs=3, halvings=1, chance_epochs=9)


EVERY_KIND = """\
f = sigmoid(norm(linear(x, bias=False)) + linear(h, groups=4) + param(0) * c)
i = sigmoid(linear(x) + linear(h, bias=False) + linear(h, groups=4) + param(chrono(20)))
c' = f * c + i * tanh(linear(x) + linear(h, bias=False)) + 0.5 * linear(0)
h' = softplus(norm(c')) * param(0.5) - param(1)"""
"""Formula with matrices, blocks, biases and vectors of all kinds."""


def loaded(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@torch.no_grad()
def metric_of(network: Any, task: Task, split: Split) -> float:
    """The task's metric, as its definition says: over the steps that count, with the states carried over."""
    total, count, states = 0.0, 0, None
    for batch in task.evaluation(split, EVALUATION_BATCH, EVALUATION_STEPS):
        states = None if batch.starts else states
        logits, states = network(torch.tensor(batch.inputs), states)
        counted, targets = torch.tensor(batch.loss_mask, dtype=torch.bool), torch.tensor(batch.targets)
        if task.output is Output.SYMBOLS:
            values = (logits.argmax(-1) == targets).double()
        else:
            values = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)
        total += float(values[counted].double().sum())
        count += int(counted.sum())
    return total / count


@pytest.mark.parametrize(
    ("cell", "task", "layers"),
    [("lstm-b", "xml", 2), ("mut1", "xml", 1), ("gru", "music", 1), ("every kind of parameter", "xml", 2)],
    ids=str,
)
def test_the_exported_network_has_the_trials_metrics(cell: str, task: str, layers: int, tmp_path: Path) -> None:
    options = {"validation": 400, "test": 400} if task == "xml" else {}
    data = load_task(task, **options)
    setting = Setting(1.0, 0.5 if task == "xml" else 0.02, 5.0, layers, 20_000)
    formula = EVERY_KIND if cell not in LIBRARY else LIBRARY[cell].formula
    graph = parse_formula(formula).canonical()
    trained = retrain_trial(graph, data, setting, BUDGET, seed=3, chance=None)
    assert trained.model is not None
    stored = train_trial(graph, data, setting, BUDGET, seed=3, chance=None)
    assert is_same(trained.result, [(p.step, p.loss, p.validation) for p in stored.curve], stored.validation)
    assert not is_same(trained.result, [(p.step, p.loss, p.validation + 1) for p in stored.curve], stored.validation)

    weights = tmp_path / "trained.safetensors"
    exported = export_module(formula, cell, (), network_of(trained.model, weights))
    write_weights(weights, module_weights(trained.model, exported.parameters), {"task": task})
    (tmp_path / "exported.py").write_text(exported.text, "utf-8")
    network = loaded(tmp_path / "exported.py", f"{exported.name}Network")()
    network.load_state_dict(load_file(weights))
    assert sum(p.numel() for p in network.parameters()) == trained.result.parameters
    with safe_open(weights, "pt") as file:
        assert file.metadata() == {"format": "pt", "task": task}
    for split, expected in ((Split.VALIDATION, trained.result.validation), (Split.TEST, trained.result.test)):
        assert metric_of(network, data, split) == pytest.approx(expected, rel=1e-4)


def test_a_trial_that_came_to_nothing_has_no_model() -> None:
    task = load_task("xml", validation=400, test=400)
    unbounded = parse_formula("h' = linear(x) + linear(h)").canonical()
    trained = retrain_trial(unbounded, task, Setting(1.0, 1e9, 1e9, 1, 20_000), BUDGET, seed=0, chance=None)
    assert trained.model is None
    assert not trained.result.state.is_ranked
