"""Training of one cell on one task, outside a search."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import torch

from search.cells.graph import GateGraph
from search.core.errors import SearchError
from search.core.keys import trial_seed
from search.core.ranges import MAX_SEED, check_positive, check_whole
from search.engine.budgets import budget_of
from search.kernels.optimisers import OPTIMISERS, OptimiserName
from search.profiles.fields import Scalar
from search.profiles.sections import Profile
from search.profiles.tasks import load_named_task, section_like
from search.training.schedule import Budget
from search.training.settings import Grid, Setting
from search.training.trial import Point, TrialResult, train_trial
from search.training.tying import check_tied
from tasks.checking import check_task
from tasks.task import Task


@dataclass(frozen=True)
class Overrides:
    """Values to use instead of the profile's; None keeps the profile's. `Setting` and `Budget` document them."""

    scale: float | None = None
    learning_rate: float | None = None
    max_norm: float | None = None
    layers: int | None = None
    parameter_budget: int | None = None
    epochs: int | None = None
    epoch_steps: int | None = None
    optimiser: str | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    variational: bool | None = None
    tied: bool | None = None


UNCHANGED = Overrides()

MAX_POSITIVE, MAX_LAYERS, MAX_COUNT, MAX_DROPOUT, MAX_ADAPTIVE_RATE = 1e6, 16, 10_000_000, 0.99, 1.0
"""Largest values that replace the profile's: those that a profile may have."""


@dataclass(frozen=True)
class SingleTrial:
    """Task, setting and budget of a trial, chosen and ready to train any cell."""

    task: Task
    setting: Setting
    budget: Budget

    def train(self, graph: GateGraph, seed: int = 0, on_epoch: Callable[[Point], None] | None = None) -> TrialResult:
        """Train a cell, and return the result; one without metrics if the trial diverged or failed.

        Leaves PyTorch with one thread in this process, as every trial has.

        Args:
            graph: the cell.
            seed: seed of the trial; initial weights and training data also depend on cell, task and setting.
            on_epoch: called after each evaluation with the new point of the learning curve.

        Raises:
            SearchError: the seed is not a whole number from 0 to 2**63 - 1.
        """
        derived = self.seed_of(graph.id, check_whole("seed", seed, 0, MAX_SEED))
        torch.set_num_threads(1)
        return train_trial(graph, self.task, self.setting, self.budget, derived, on_epoch=on_epoch)

    def seed_of(self, cell: str, seed: int) -> int:
        """Return the seed of the trial of a cell (a whole id) that follows from the user's seed."""
        return trial_seed(seed, cell, self.task.name, self.setting.key, 0)


def plan_trial(
    profile: Profile,
    task: str | Task,
    overrides: Overrides = UNCHANGED,
    options: Mapping[str, Scalar] | None = None,
) -> SingleTrial:
    """Choose setting and budget of a trial: those given, else the profile's, and the middle value of each grid list.

    Args:
        profile: source of grids, sizes and budgets.
        task: a task; or the name of one of the profile, of a registered task, or `package.module:Class`. The sizes of
            the profile's first task apply to a task that the profile does not have.
        overrides: values to use instead of the profile's.
        options: arguments of the task's constructor, on top of the profile's; only for a task given by name.

    Raises:
        SearchError: a value of `overrides` is out of range.
        TaskError: there is no such task, its data cannot be read, or it breaks a rule of tasks.
    """
    check_overrides(overrides)
    if not isinstance(task, str | Task):
        raise SearchError(f"task = {task!r}; it must be a task, or the name or import path of one")
    section = section_like(profile, task if isinstance(task, str) else task.name)
    if isinstance(task, str):
        task = load_named_task(profile, task, options)
    else:
        check_task(task)
    grid = profile.grid_of(section)
    return trained_for(task, overridden(grid.middle, grid, overrides), budget_of(section), overrides)


def trained_for(task: Task, setting: Setting, budget: Budget, overrides: Overrides) -> SingleTrial:
    """Return the trial of a task with this setting, and this budget but for what `overrides` change of it.

    Raises:
        SearchError: the task has no embedding that can be tied, or the schedule does not fit the steps.
    """
    if setting.tied:
        check_tied(task.interface)
    epochs = budget.epochs if overrides.epochs is None else overrides.epochs
    epoch_steps = budget.epoch_steps if overrides.epoch_steps is None else overrides.epoch_steps
    if (epochs, epoch_steps) != (budget.epochs, budget.epoch_steps):
        budget = replace(budget, epochs=epochs, epoch_steps=epoch_steps, marks=())
    return SingleTrial(task, setting, budget)


def check_overrides(given: Overrides) -> None:
    """Check that values that replace a profile's are within the bounds of a profile.

    Raises:
        SearchError: one is not.
    """
    for name, value in (("scale", given.scale), ("learning_rate", given.learning_rate), ("max_norm", given.max_norm)):
        if value is not None:
            check_positive(name, value, MAX_POSITIVE)
    if given.optimiser is not None and given.optimiser not in list(OptimiserName):
        raise SearchError(f"optimiser is {given.optimiser!r}; it must be one of {', '.join(OptimiserName)}")
    if given.weight_decay is not None:
        check_positive("weight_decay", given.weight_decay, 1.0, zero=True)
    if given.dropout is not None:
        check_positive("dropout", given.dropout, MAX_DROPOUT, zero=True)
    if given.layers is not None:
        check_whole("layers", given.layers, 1, MAX_LAYERS)
    counts = ("parameters", given.parameter_budget), ("epochs", given.epochs), ("epoch_steps", given.epoch_steps)
    for name, value in counts:
        if value is not None:
            check_whole(name, value, 1, MAX_COUNT)


def overridden(setting: Setting, grid: Grid, given: Overrides) -> Setting:
    """Return a setting with the values that are given.

    Another optimiser than the setting's has the learning rate and the weight decay in the middle of its grid.

    Args:
        setting: the setting to start from.
        grid: the grid that it is of.
        given: the values.

    Raises:
        SearchError: a value is given that nothing in the setting uses, which a profile would refuse too.
    """
    values = {field.name: getattr(given, field.name) for field in fields(Setting) if field.name != "optimiser"}
    if given.optimiser is not None and given.optimiser != setting.optimiser:
        middle = grid.middle_of(OptimiserName(given.optimiser))
        setting = replace(
            setting,
            optimiser=middle.optimiser,
            learning_rate=middle.learning_rate,
            weight_decay=middle.weight_decay,
        )
    if given.dropout == 0.0 and given.variational is None:
        values["variational"] = False
    elif given.dropout is not None and given.variational is None:
        values["variational"] = grid.variational  # of the grid, though its middle may have no dropout
    chosen = replace(setting, **{name: value for name, value in values.items() if value is not None})
    kind = OPTIMISERS[chosen.optimiser]
    if kind.adaptive and given.learning_rate is not None:
        check_positive(f"learning_rate of {chosen.optimiser}", given.learning_rate, MAX_ADAPTIVE_RATE)
    if given.weight_decay is not None and not kind.decays:
        raise SearchError(
            f"weight_decay is {given.weight_decay:g}, but the optimiser {chosen.optimiser} has no weight decay; use "
            f"{OptimiserName.ADAMW}, or leave it out"
        )
    return chosen
