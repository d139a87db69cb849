"""What a search will cost, before it starts: trials counted from the profile, seconds measured on the GRU.

The measuring trains nothing that is kept and draws from no generator of the run, so it changes no result.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from search.cells.library import LIBRARY
from search.core.errors import BudgetError
from search.engine.engine import budgets
from search.profiles.sections import MEMORIZATION, Profile
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.stepper import Stepper, stepper_for
from search.training.trial import EVALUATION_BATCH, EVALUATION_STEPS
from tasks.task import Split, Task

MEASURED_STEPS = 5


@dataclass(frozen=True)
class Cost:
    """Seconds of one core. `least`: every new cell is given up early in memorization; `most`: all go all the way.
    Both have the finalists' trials in them.

    Trials that diverge or stop early, and cells with more matrices than the GRU, make the truth differ from both.
    """

    baselines: float
    baseline_trials: int
    least: float
    most: float


def estimate(profile: Profile, tasks: Mapping[str, Task]) -> Cost:
    """The cost of a profile's search on one core of this machine, in seconds.

    Leaves PyTorch with one thread in this process, which is what a worker has.
    """
    torch.set_num_threads(1)
    times = {name: _trial_seconds(profile, name, tasks[name], budget) for name, budget in budgets(profile).items()}
    gate = profile.memorization
    baseline_trials = gate.baseline_settings
    baseline = gate.baseline_settings * times[MEMORIZATION].full
    candidate = times[MEMORIZATION].full
    for name, section in profile.tasks.items():
        grid = len(profile.grid_of(section))
        count = grid if section.baseline_settings == "all" else min(section.baseline_settings, grid)
        baseline_trials += count
        baseline += count * times[name].full
        candidate += min(section.settings, grid) * times[name].full
    given, proposals = len(profile.given), profile.search.proposals
    fresh = profile.search.reexamine if profile.search.strategy == "paper" else 0.0
    again = candidate - times[MEMORIZATION].full
    least = gate.settings * times[MEMORIZATION].hopeless
    finals = profile.finalists
    finalist = finals.repeats * sum(times[name].full for name in profile.tasks) if finals.cells else 0.0
    return Cost(
        given * baseline,
        given * baseline_trials,
        given * (baseline + finalist) + proposals * (fresh * again + (1 - fresh) * least),
        given * (baseline + finalist)
        + proposals * (fresh * again + (1 - fresh) * candidate)
        + min(finals.cells, proposals) * finalist,
    )


@dataclass(frozen=True)
class _Seconds:
    full: float
    hopeless: float


def _trial_seconds(profile: Profile, name: str, task: Task, budget: Budget) -> _Seconds:
    section = profile.memorization if name == MEMORIZATION else profile.tasks[name]
    grid = profile.grid_of(section)
    layers = sorted(grid.layers)[len(grid.layers) // 2]
    middle = sorted(grid.parameter_budgets)[len(grid.parameter_budgets) // 2]
    setting = Setting(1.0, 0.1, 1.0, layers, middle)
    graph = LIBRARY["gru"].graph
    try:
        units = units_for(graph, setting, task.output_size, task.output)
    except BudgetError:
        return _Seconds(0.0, 0.0)  # such a trial fails at once
    model = SequenceModel(graph, units, layers, task.output_size, task.output)
    model.initialise(0.1, torch.Generator().manual_seed(0))
    stepper = stepper_for(model)
    step = _step_seconds(stepper, task, budget)
    look = _look_seconds(stepper, task)
    epoch = budget.epoch_steps * step + look
    return _Seconds(budget.epochs * epoch, min(budget.chance_epochs, budget.epochs) * epoch)


def _step_seconds(stepper: Stepper, task: Task, budget: Budget) -> float:
    stream = task.training(budget.batch, budget.unroll, np.random.default_rng(0))
    spans = []
    for _ in range(MEASURED_STEPS + 1):
        started = time.process_time()  # whatever else this machine does now
        stepper.train(next(stream), 0.0, 1.0)
        spans.append(time.process_time() - started)
    return float(np.median(spans[1:]))  # the first one compiles


def _look_seconds(stepper: Stepper, task: Task) -> float:
    """Seconds of one look at the validation set, from its first windows."""
    started, done, windows = time.process_time(), 0, 0
    for batch in task.evaluation(Split.VALIDATION, EVALUATION_BATCH, EVALUATION_STEPS):
        windows += 1
        if done < MEASURED_STEPS:
            stepper.score(batch)
            done += 1
            spent = time.process_time() - started
    return spent / done * windows
