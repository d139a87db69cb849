"""Where a trial's time goes: data, arithmetic, evaluation, and what is neither.

A trial of a profile is trained as a search would, a few times as it is and a few times with timers around the reading
of data and around the parts of a step in machine code. Of each kind the fastest counts. What the timers cost is kept
out: it is taken off each part, and the rest is what remains of a trial without timers. All is time of the CPU, so that
a machine with other work to do shows about the same.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from search.cells.graph import GateGraph
from search.engine.engine import budgets
from search.kernels.runtime.commands import Watch, watched
from search.kernels.runtime.compiled import compiled
from search.profiles.sections import MEMORIZATION, Profile
from search.profiles.tasks import load_task_of
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget
from search.training.stepper import stepper_for
from search.training.trial import train_trial
from tasks.task import Batch, Split, Task

MOST_STEPS = 2000
"""A longer schedule is cut to so many training steps, at least one epoch."""


@dataclass(frozen=True)
class Breakdown:
    """A trial's time in milliseconds of the CPU a training step, evaluation divided among the steps.

    `arithmetic` is the share of products and pointwise stages: layers (with embedding or projection), readout and loss,
    norm and update, in training and in evaluation. `data_ms` is the reading of batches, `counting_ms` the search for
    the steps that count, `rest_ms` all else, Python's part of each step included. Only the native backend is measured
    in parts; all of another one's steps is `rest_ms`. `compile_ms`, once a cell and process, is in none of the others.
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
    counting_ms: float
    rest_ms: float
    total_ms: float
    arithmetic: float
    compile_ms: float


def break_down(graph: GateGraph, profile: Profile, repeats: int) -> Iterator[Breakdown]:
    """A trial of each task of a profile, one after the other, each with the first setting of its grid."""
    for name, budget in budgets(profile).items():
        section = profile.memorization if name == MEMORIZATION else profile.tasks[name]
        task = load_task_of(profile, name)
        setting = profile.grid_of(section).settings[0]
        epochs = max(1, min(budget.epochs, MOST_STEPS // budget.epoch_steps))
        # No early ends: the time a step is what counts here.
        budget = replace(budget, epochs=epochs, patience=epochs, chance_epochs=epochs + 1, target=None)
        units = units_for(graph, setting, task.output_size, task.output)
        model = SequenceModel(graph, units, setting.layers, task.output_size, task.output)
        model.initialise(setting.scale, torch.Generator().manual_seed(0))
        compiled.cache_clear()
        started = time.thread_time()
        stepper = stepper_for(model)
        compile_ms = (time.thread_time() - started) * 1e3

        def trial(task: Task, budget: Budget = budget) -> tuple[int, float]:
            started = time.thread_time()
            result = train_trial(graph, task, setting, budget, 0, constant_baseline=_hopeless(task))  # noqa: B023
            return result.steps, time.thread_time() - started

        # In turn, so that a change in the machine's speed meets both.
        runs = [(trial(task), _watched_trial(task, trial)) for _ in range(repeats)]
        steps, plain = min((run for run, _ in runs), key=lambda run: run[1])
        parts = min((seconds for _, seconds in runs), key=lambda seconds: sum(seconds.values()))
        milliseconds = {part: 1e3 * seconds / steps for part, seconds in parts.items()}
        total = 1e3 * plain / steps
        arithmetic = sum(milliseconds.get(part, 0.0) for part in ("layers", "readout", "update", "evaluation"))
        known = arithmetic + milliseconds["data"] + milliseconds.get("counting", 0.0)
        timed = ("data", "layers", "readout", "update", "evaluation", "counting")
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


def _hopeless(task: Task) -> float:
    """A metric that every model beats."""
    return -1.0 if task.metric.higher_is_better else 1e9


def _watched_trial(task: Task, trial: Callable[[Task], tuple[int, float]]) -> dict[str, float]:
    """The seconds of each part of a trial."""
    with watched() as watch:
        trial(_timed(task, watch))
    return watch.seconds


def _timed(task: Task, watch: Watch) -> Task:
    """The same task, with what it takes to read its batches added to the part "data"."""
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
