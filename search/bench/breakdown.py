"""Breakdown of a trial's CPU time into data, arithmetic, evaluation and the rest.

A trial of a profile is trained as in a search, several times without timers and several times with timers around the
reading of data and the parts of a step in machine code. The fastest trial of each kind counts. The cost of the timers
is subtracted from each part, and the rest is what remains of a trial without timers. CPU time is measured, so that
other work on the machine changes little.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from search.cells.graph import GateGraph
from search.engine.budgets import budgets
from search.kernels.runtime.commands import Watch, watched
from search.kernels.runtime.compiled import compile_cell
from search.profiles.sections import Profile
from search.profiles.tasks import load_task_of, section_of
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget
from search.training.stepper import dropout_of, stepper_for, updates_of
from search.training.trial import train_trial
from tasks.task import Batch, Split, Task

MOST_STEPS = 2000
"""Largest number of training steps; a longer schedule is cut, to one epoch at least."""


@dataclass(frozen=True)
class Breakdown:
    """CPU time of a trial in milliseconds per training step; evaluation is divided among the steps.

    Only the native backend is measured in parts; the steps of another backend are `rest_ms` as a whole.

    Attributes:
        data_ms: reading batches.
        layers_ms: layers, with embedding or projection.
        readout_ms: output layer and loss.
        update_ms: gradient norm and weight update.
        evaluation_ms: evaluation on the validation and test sets.
        mask_ms: finding the steps in the loss mask.
        rest_ms: everything else, including Python's share of each step.
        total_ms: the whole trial without timers.
        arithmetic: share of layers, readout, update and evaluation in the total.
        compile_ms: compiling the cell, once per process; not part of the total.
    """

    task: str
    backend: str
    units: int
    steps: int
    data_ms: float
    layers_ms: float
    readout_ms: float
    update_ms: float
    evaluation_ms: float
    mask_ms: float
    rest_ms: float
    total_ms: float
    arithmetic: float
    compile_ms: float


def break_down(graph: GateGraph, profile: Profile, repeats: int) -> Iterator[Breakdown]:
    """Yield the breakdown of a trial of each task of a profile, each with the first setting of its grid.

    Args:
        graph: cell to train.
        profile: profile whose tasks and budgets are used.
        repeats: number of trials of each kind.
    """
    for name, budget in budgets(profile).items():
        section = section_of(profile, name)
        task = load_task_of(profile, name)
        setting = profile.grid_of(section).settings[0]
        epochs = max(1, min(budget.epochs, MOST_STEPS // budget.epoch_steps))
        # No early stopping: the time per step is measured.
        warmup = min(budget.warmup, epochs * budget.epoch_steps - 1)
        budget = replace(budget, epochs=epochs, patience=epochs, chance_epochs=epochs + 1, target=None, warmup=warmup)
        units = units_for(graph, setting, task.interface)
        model = SequenceModel(graph, units, setting.layers, task.interface, tied=setting.tied)
        model.initialise(setting.scale, torch.Generator().manual_seed(0))
        compile_cell.cache_clear()
        started = time.thread_time()
        stepper = stepper_for(model, updates_of(model, setting.optimiser, setting.weight_decay), dropout_of(setting, 0))
        compile_ms = (time.thread_time() - started) * 1e3

        def trial(task: Task, budget: Budget = budget) -> tuple[int, float]:
            started = time.thread_time()
            result = train_trial(graph, task, setting, budget, 0, chance=_unreachable(task))  # noqa: B023
            return result.steps, time.thread_time() - started

        # Alternating, so that a change in the machine's speed affects both kinds.
        runs = [(trial(task), _watched_trial(task, trial)) for _ in range(repeats)]
        steps, plain = min((run for run, _ in runs), key=lambda run: run[1])
        parts = min((seconds for _, seconds in runs), key=lambda seconds: sum(seconds.values()))
        milliseconds = {part: 1e3 * seconds / steps for part, seconds in parts.items()}
        total = 1e3 * plain / steps
        arithmetic = sum(milliseconds.get(part, 0.0) for part in ("layers", "readout", "update", "evaluation"))
        known = arithmetic + milliseconds["data"] + milliseconds.get("mask", 0.0)
        timed = ("data", "layers", "readout", "update", "evaluation", "mask")
        yield Breakdown(
            task=name,
            backend=stepper.backend,
            units=units,
            steps=steps,
            **{f"{part}_ms": milliseconds.get(part, 0.0) for part in timed},
            rest_ms=max(total - known, 0.0),
            total_ms=total,
            arithmetic=arithmetic / total,
            compile_ms=compile_ms,
        )


def _unreachable(task: Task) -> float:
    """Return a level of chance that every model beats, so that no trial is stopped at it."""
    return -1.0 if task.metric.higher_is_better else 1e9


def _watched_trial(task: Task, trial: Callable[[Task], tuple[int, float]]) -> dict[str, float]:
    """Return the seconds of each part of a trial."""
    with watched() as watch:
        trial(_timed(task, watch))
    return watch.seconds


def _timed(task: Task, watch: Watch) -> Task:
    """Return the task with the time to read its batches added to the part "data" of `watch`."""
    timed = copy.copy(task)

    def read(batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            started = time.thread_time()
            batch = next(batches, None)
            watch.add("data", started)
            if batch is None:
                return
            yield batch

    def training(*arguments: Any) -> Iterator[Batch]:
        return read(task.training(*arguments))

    def evaluation(split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return read(task.evaluation(split, batch, steps))

    object.__setattr__(timed, "training", training)
    object.__setattr__(timed, "evaluation", evaluation)
    return timed
