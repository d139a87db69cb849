"""Whole models trained by each optimiser, against torch.optim with PyTorch's clipping, and both backends."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.optimisers import OPTIMISERS, OptimiserName
from search.training.model import SequenceModel
from search.training.stepper import EagerStepper, NativeStepper, Stepper, stepper_for, updates_of
from tasks.interface import Input, Interface, Output
from tests.test_search.small import small_task
from tests.test_search.test_kernels.hosts import require_host

XML = small_task("xml")
RATES = {OptimiserName.SGD: 0.3, OptimiserName.ADAM: 0.005, OptimiserName.ADAMW: 0.005}
DECAY = 0.1


def made(name: OptimiserName, native: bool, units: int = 13) -> Stepper:
    """Return a stepper of a model of two layers of a GRU with layer norm, which has learned vectors."""
    model = SequenceModel(LIBRARY["gru-layer-norm"].graph, units, 2, XML.interface)
    model.initialise(1.0, torch.Generator().manual_seed(0))
    updates = updates_of(model, name, DECAY if OPTIMISERS[name].decays else 0.0)
    if not native:
        return EagerStepper(model, updates)
    require_host()
    stepper = stepper_for(model, updates)
    assert isinstance(stepper, NativeStepper)
    return stepper


def torch_optimiser(name: OptimiserName, model: SequenceModel) -> torch.optim.Optimizer:
    """Return PyTorch's optimiser; weight decay applies to the parameters whose names say that they are matrices."""
    rate = RATES[name]
    if name is OptimiserName.SGD:
        return torch.optim.SGD(model.parameters(), lr=rate)
    if name is OptimiserName.ADAM:
        return torch.optim.Adam(model.parameters(), lr=rate)
    named = dict(model.named_parameters())
    plain = {key for key in named if "bias" in key or "vectors" in key or key == "log_scale"}
    assert plain == {
        "entry_bias",
        "readout_bias",
        "log_scale",
        *(f"{kind}.{k}" for kind in ("biases", "vectors") for k in (0, 1)),
    }
    groups = [
        {"params": [p for key, p in named.items() if (key in plain) == is_plain], "weight_decay": decay}
        for is_plain, decay in ((False, DECAY), (True, 0.0))
    ]
    return torch.optim.AdamW(groups, lr=rate)


@pytest.mark.parametrize(
    "native", [pytest.param(True, id="native"), pytest.param(False, id="eager", marks=pytest.mark.exact)]
)
@pytest.mark.parametrize("name", list(OptimiserName))
def test_training_is_that_of_torch_optim(name: OptimiserName, native: bool) -> None:
    """Each step starts from equal weights: rounding errors of the gradient would grow otherwise."""
    stepper, other = made(name, native), made(name, native=False)
    model = other.model
    optimiser = torch_optimiser(name, model)
    stream = XML.training(4, 8, np.random.default_rng(0))
    states = model.zero_states(4)
    for _ in range(200):
        batch = next(stream)
        found = stepper.train(batch, RATES[name], 1.0)
        loss, _, states = model.loss(batch, model.zero_states(4) if batch.starts else states)
        optimiser.zero_grad(set_to_none=False)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        optimiser.step()
        assert found.nats == pytest.approx(loss.item() * 4, rel=1e-4)
        assert found.norm == pytest.approx(norm, rel=1e-3)
        assert (stepper.model.flat - model.flat).abs().max() <= 1e-4 * model.flat.abs().max()
        model.flat.copy_(stepper.model.flat)
    assert stepper.updates.steps == 200


@pytest.mark.parametrize("native", [True, False], ids=["native", "eager"])
@pytest.mark.parametrize("name", list(OptimiserName))
def test_a_loss_that_is_not_finite_changes_neither_weights_nor_state(name: OptimiserName, native: bool) -> None:
    stepper = made(name, native)
    stream = XML.training(4, 8, np.random.default_rng(0))
    stepper.train(next(stream), RATES[name], 1.0)
    weight = stepper.model.readout_bias.data[0].item()
    stepper.model.readout_bias.data[0] = math.nan
    before, moments = stepper.model.flat.clone(), stepper.updates.moments.clone()
    assert stepper.train(next(stream), RATES[name], 1.0).trouble == "loss"
    torch.testing.assert_close(stepper.model.flat, before, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(stepper.updates.moments, moments)
    assert stepper.updates.steps == 1
    stepper.model.readout_bias.data[0] = weight
    assert stepper.train(next(stream), RATES[name], 1.0).trouble is None
    assert stepper.updates.steps == 2


def test_weight_decay_applies_to_matrices_and_neither_to_biases_nor_to_learned_vectors() -> None:
    graph = parse_formula("h' = tanh(linear(x, groups=2) + linear(h)) * param(1) + norm(h)").canonical()
    for kind, output in product(Input, Output):
        model = SequenceModel(graph, 4, 2, Interface(kind, 3, output, 5))
        model.flat.fill_(1.0)
        for part in model.decayed():
            model.flat[part] = 0.0
        for name, parameter in model.named_parameters():
            kept = 0.0 if name.startswith(("entry", "weights", "blocks", "readout")) and "bias" not in name else 1.0
            assert (parameter == kept).all(), name
