"""Cost of a search, estimated before it starts: trials counted from the profile, seconds measured on the GRU.

The measurement keeps no results and draws from no generator of the run, so it changes no result.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from results.store.words import MEMORIZATION
from search.cells.library import LIBRARY
from search.core.errors import BudgetError
from search.engine.budgets import budgets
from search.profiles.sections import Profile
from search.profiles.tasks import section_of
from search.strategies.registry import strategy_class
from search.training.model import SequenceModel, units_for
from search.training.schedule import Budget
from search.training.stepper import Stepper, dropout_of, stepper_for, updates_of
from search.training.trial import EVALUATION_BATCH, EVALUATION_STEPS
from tasks.task import Split, Task

MEASURED_STEPS = 5
"""Timed training steps, after one that compiles the cell."""


HALVING_WINDOW = 4
"""Proposals in flight that keep one processor busy with halving."""


@dataclass(frozen=True)
class Cost:
    """Estimated seconds of one core. Both totals include the baselines, the finalists' trials and the confirmation's.

    The actual time differs from both: trials may diverge or stop early, and cells may have more matrices than the GRU.

    Attributes:
        baselines: seconds for the trials of the given cells.
        baseline_trials: number of these trials.
        least: total if every new cell is stopped early in memorization, and the first look decides.
        most: total if every new cell passes every stage, and the confirmation takes its largest number of seeds.
    """

    baselines: float
    baseline_trials: int
    least: float
    most: float


def estimate(profile: Profile, tasks: Mapping[str, Task]) -> Cost:
    """Return the cost of a profile's search on one core of this machine, in seconds.

    Sets PyTorch to one thread in this process, as in a worker.

    Args:
        profile: profile of the search.
        tasks: memorization and every task of the profile, by name.
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
    if profile.search.allocation == "halving":
        least, most = _rungs(profile, {name: times[name].full for name in profile.visited})
    else:
        fresh = reexamined_share(profile)
        again = candidate - times[MEMORIZATION].full
        least = fresh * again + (1 - fresh) * gate.settings * times[MEMORIZATION].hopeless
        most = fresh * again + (1 - fresh) * candidate
    finals = profile.finalists
    finalist = finals.repeats * sum(times[name].full for name in profile.tasks) if finals.cells else 0.0
    plan, once = profile.confirmation, sum(times[name].full for name in profile.ranked) if finals.cells else 0.0
    named = len(plan.cells)
    contenders = named + min(plan.contenders, finals.cells, proposals)
    return Cost(
        given * baseline,
        given * baseline_trials,
        given * (baseline + finalist) + proposals * least + (named + 2 if named else 0) * plan.repeats * once,
        given * (baseline + finalist)
        + proposals * most
        + min(finals.cells, proposals) * finalist
        + (contenders + 2 if contenders else 0) * plan.max_repeats * once,  # with the GRU and the LSTM
    )


def _rungs(profile: Profile, full: Mapping[str, float]) -> tuple[float, float]:
    """Return the seconds of a candidate under halving: if it ends on the first task, and the mean if all get through.

    Args:
        profile: profile of the search.
        full: seconds of a whole training on each task.
    """
    section, total = profile.halving, sum(full.values())
    costs = rung_costs(profile)[: section.rungs]
    most = sum(cost * total / section.eta**rung for rung, cost in enumerate(costs))
    most += section.seeds * sum(full[name] for name in profile.ranked) / section.eta**section.rungs
    return section.settings[0] * section.shares[0] * full[profile.ranked[0]], most


def rung_costs(profile: Profile) -> tuple[float, ...]:
    """Return the cost of a candidate's training for each rung, from the first to that of further seeds.

    The unit is one whole training on all tasks. A promoted candidate continues with one setting of each task; its other
    settings are trained from the start. Empty without halving.
    """
    if profile.search.allocation != "halving":
        return ()
    section = profile.halving
    costs, before = [], 0.0
    for rung, share in enumerate(section.shares):
        grid = min(section.settings[rung], *(len(profile.grid_of(profile.tasks[name])) for name in profile.ranked))
        costs.append(share - before + (grid - 1) * share)
        before = share
    return (*costs, float(section.seeds)) if section.seeds else tuple(costs)


def reexamined_share(profile: Profile) -> float:
    """Return the share of proposals that examine a known cell again; 0 for strategies that do not.

    Raises:
        SearchError: the profile's strategy is unknown.
    """
    reexamines = strategy_class(profile.search.strategy).reexamines and profile.search.allocation == "stages"
    return profile.search.reexamine if reexamines else 0.0


def busy_processors(profile: Profile) -> int:
    """Return about how many processors the window keeps busy at least nine tenths of the time.

    Measured by `gatesearch bench --engine` for several windows. With stages, of three proposals in flight two wait, for
    their turn or for the slowest trial of their step. A proposal that examines a cell again trains all its settings at
    once; a new cell is usually one trial at a time. With halving, of four in flight three wait: short trainings to the
    first rung end while one whole training holds up the order of the outcomes. At the end of a search the last
    promotions follow each other, so a short search keeps fewer busy.

    Raises:
        SearchError: the profile's strategy is unknown.
    """
    if profile.search.allocation == "halving":
        return max(1, profile.search.window // HALVING_WINDOW)
    again = reexamined_share(profile)
    trials = 1.0 - again + again * min(profile.tasks[name].settings for name in profile.visited)
    return max(1, int(profile.search.window * trials / 3.0))


@dataclass(frozen=True)
class _Seconds:
    full: float  # of a trial that trains its whole schedule
    hopeless: float  # of a trial that is stopped at the level of a constant prediction


def _trial_seconds(profile: Profile, name: str, task: Task, budget: Budget) -> _Seconds:
    section = section_of(profile, name)
    setting = profile.grid_of(section).middle
    graph = LIBRARY["gru"].graph
    try:
        units = units_for(graph, setting, task.interface)
    except BudgetError:
        return _Seconds(0.0, 0.0)  # such a trial fails at once
    model = SequenceModel(graph, units, setting.layers, task.interface, tied=setting.tied)
    model.initialise(0.1, torch.Generator().manual_seed(0))
    stepper = stepper_for(model, updates_of(model, setting.optimiser, setting.weight_decay), dropout_of(setting, 0))
    step = _step_seconds(stepper, task, budget)
    evaluation = _evaluation_seconds(stepper, task)
    epoch = budget.epoch_steps * step + evaluation
    return _Seconds(budget.epochs * epoch, min(budget.chance_epochs, budget.epochs) * epoch)


def _step_seconds(stepper: Stepper, task: Task, budget: Budget) -> float:
    stream = task.training(budget.batch, budget.unroll, np.random.default_rng(0))
    spans = []
    for _ in range(MEASURED_STEPS + 1):
        started = time.process_time()  # CPU time, whatever else the machine does
        stepper.train(next(stream), 0.0, 1.0)
        spans.append(time.process_time() - started)
    return float(np.median(spans[1:]))  # the first one compiles


def _evaluation_seconds(stepper: Stepper, task: Task) -> float:
    """Return the seconds of one evaluation on the validation set, extrapolated from its first windows."""
    started, done, windows = time.process_time(), 0, 0
    for batch in task.evaluation(Split.VALIDATION, EVALUATION_BATCH, EVALUATION_STEPS):
        windows += 1
        if done < MEASURED_STEPS:
            stepper.score(batch)
            done += 1
            spent = time.process_time() - started
    return spent / done * windows
