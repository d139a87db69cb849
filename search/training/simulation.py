"""Trials that are drawn instead of trained: to try a search's procedure, a cluster or a disk without paying for it.

A simulated outcome is a function of the cell, the task, the setting, the budget and the seed, as a trained one is, and
looks like one: a curve that levels off, schedules that run out, targets that are reached, cells that never get above
guessing, cells that diverge. What it says about cells is made up, but not at random: there is something to find.

- *Ability*: every local structure of a graph (an operation with those that it reads) is worth something between 0 and 1
  on each task, by a hash; a cell's ability is the mean over its structures. A child shares most of them with its
  parent, so ability is inherited (Kauffman's NK landscapes are made in this way: "The Origins of Order", 1993,
  chapter 2). Those of the LSTM and the GRU are worth at least one half: what was found by hand is good, not perfect.
- *Stability* is one more such mean: cells that lack it diverge, more often at large learning rates.
- Every cell has a learning rate of its own that suits it best on a task.

Shares of the states are about those of real runs (`tests/test_search/test_training/test_simulation.py` holds them to
ranges), and so are the seconds, which are the simulated ones, the same in every run.
"""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS
from search.cells.operations import Op
from search.core.errors import BudgetError
from search.core.keys import generator_of
from search.training.model import count_parameters, units_for
from search.training.settings import Setting
from search.training.trial import CHANCE_ERRORS, Budget, LearningRate, Point, TrialResult
from tasks.task import Task

MARK = "simulated: "
"""Every simulated trial's reason begins so."""

EVALUATED_STEPS = 10_000
"""Counted steps of the evaluation sets that standard errors stand for."""

STEP_SECONDS, LAYER_SECONDS, SECONDS_PER_PRODUCT = 0.6e-3, 0.3e-3, 9e-11
"""Of a training step: once, for each layer, for each parameter at each place of a batch. Fitted to trials of the quick
profile on one core of a Zen 4 server, within 20 % of their means on every task."""


@dataclass(frozen=True)
class Simulation:
    """Draws trials instead of training them. With `delays`, each takes that many times its simulated seconds."""

    delays: float = 0.0

    def trial(
        self,
        graph: GateGraph,
        task: str,
        data: Task,
        setting: Setting,
        budget: Budget,
        seed: int,
        constant_baseline: float,
        on_batch: Callable[[], None] | None = None,
    ) -> TrialResult:
        """The outcome of a trial, once its time has passed; `data` gives the metric and the sizes of task `task`.

        `on_batch` is called now and then while it passes, as it is in a real trial.
        """
        result = draw_trial(graph, task, data, setting, budget, seed, constant_baseline)
        self.wait(result.seconds, on_batch)
        return result

    def wait(self, seconds: float, on_batch: Callable[[], None] | None = None) -> None:
        """Let a trial's simulated seconds pass."""
        until = time.monotonic() + self.delays * seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            if on_batch is not None:
                on_batch()


def draw_trial(
    graph: GateGraph, task: str, data: Task, setting: Setting, budget: Budget, seed: int, constant_baseline: float
) -> TrialResult:
    """What a trial of these inputs comes to in the simulation."""
    try:
        units = units_for(graph, setting, data.output_size, data.output)
    except BudgetError as error:
        return TrialResult(TrialState.FAILED, MARK + str(error))
    parameters = count_parameters(graph, units, setting.layers, data.output_size, data.output)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(budget.epochs)
    luck, moment, tested = float(rng.standard_normal()), float(rng.random()), float(rng.standard_normal())

    rate = math.log(setting.learning_rate) - _best_rate(graph, task)
    diverges = rng.random() < _logistic(20.0 * (0.45 - ability(graph, "stability")) + rate)
    lost = 1 + int(moment**6 * budget.steps)  # the step at which it would; early, as a rule
    # How much of what can be learnt is learnt in the end, 0 to 1. A gate with a target is easy for whoever can do it.
    steep, middle = (8.0, 0.55) if budget.target is None else (40.0, 0.64)
    level = _logistic(steep * (ability(graph, task) - middle) - 0.1 * rate * rate + 0.15 * luck)
    pace = 1.0 + 0.1 * budget.epochs * math.exp(0.3 * luck)  # epochs until all but 1 / e of it is learnt
    metric, loss = data.metric, data.uniform_loss()
    ceiling = 1.0 if metric.higher_is_better else 0.5 * constant_baseline

    schedule = LearningRate(setting.learning_rate, budget)
    curve: list[Point] = []
    best, best_step, steps = None, 0, 0
    spread = _error(constant_baseline, metric.higher_is_better)
    while True:
        if diverges and lost <= steps + budget.epoch_steps:
            state, reason, steps = TrialState.DIVERGED, f"the loss is not finite at step {max(lost, steps + 1)}", lost
            break
        steps += budget.epoch_steps
        learnt = level * (1.0 - math.exp(-(len(curve) + 1) / pace))
        value = constant_baseline + learnt * (ceiling - constant_baseline) + 0.5 * spread * float(noise[len(curve)])
        value = min(max(value, 0.0), 1.0) if metric.higher_is_better else value
        curve.append(Point(steps, loss * (1.0 - 0.6 * learnt), value))
        improved = best is None or metric.better(value, best)
        if improved:
            best, best_step = value, steps
        assert best is not None
        if budget.target is not None and not metric.better(budget.target, value):
            state, reason = TrialState.STOPPED, f"validation reached the target of {budget.target:g} at step {steps}"
            break
        over = schedule.epoch_ended(improved)
        if (schedule.epoch == budget.chance_epochs or over) and abs(best - constant_baseline) <= CHANCE_ERRORS * spread:
            state = TrialState.AT_CHANCE
            reason = f"not above the best constant guess, {constant_baseline:.4f}, at step {steps}"
            break
        if over:
            state, reason = TrialState.OK, "the schedule ran out"
            break

    seconds = steps * (
        STEP_SECONDS + LAYER_SECONDS * setting.layers + SECONDS_PER_PRODUCT * budget.batch * budget.unroll * parameters
    )
    if best is None or not state.is_ranked:
        return TrialResult(
            state, MARK + reason, steps=steps, seconds=seconds, parameters=parameters, units=units, curve=tuple(curve)
        )
    spread = _error(best, metric.higher_is_better)
    nats = (
        loss * (1.0 - 0.6 * abs(best - constant_baseline) / abs(ceiling - constant_baseline))
        if metric.higher_is_better
        else best
    )
    return TrialResult(
        state,
        MARK + reason,
        validation=best,
        validation_se=spread,
        validation_loss=nats,
        test=min(best + spread * tested, 1.0) if metric.higher_is_better else best + spread * tested,
        test_se=spread,
        test_loss=nats * (1.0 + 0.005 * tested),
        best_step=best_step,
        steps=steps,
        seconds=seconds,
        parameters=parameters,
        units=units,
        curve=tuple(curve),
    )


@lru_cache(maxsize=4096)
def ability(graph: GateGraph, trait: str) -> float:
    """The mean worth of a canonical graph's local structures for a trait (a task, or stability), 0 to 1."""
    worths = [_worth(structure, trait) for structure in sorted(_structures(graph))]
    return sum(worths) / len(worths)


def _structures(graph: GateGraph) -> set[str]:
    """Every inner node as its operation over those that it reads; the same for graphs that differ in numbering only."""
    names = [
        f"{node.op}{min(node.state, 1)}" if node.op is Op.STATE else f"{node.op}({node.identity:g})"
        for node in graph.nodes
    ]
    return {
        f"{names[i]}<{','.join(sorted(names[j] for j in node.inputs))}>"
        for i, node in enumerate(graph.nodes)
        if node.inputs
    } | {f"output<{names[graph.outputs[0]]}>"}


@lru_cache(maxsize=65_536)
def _worth(structure: str, trait: str) -> float:
    share = int.from_bytes(hashlib.sha256(f"{trait}\x1f{structure}".encode()).digest()[:6], "big") / 2**48
    return 0.5 + 0.5 * share if structure in _by_hand() else 0.9 * share


@lru_cache(maxsize=1)
def _by_hand() -> frozenset[str]:
    """The structures of the cells that a search starts from."""
    return frozenset(structure for name in SEEDS for structure in _structures(LIBRARY[name].graph))


@lru_cache(maxsize=4096)
def _best_rate(graph: GateGraph, task: str) -> float:
    """The logarithm of the learning rate that suits a cell best on a task: from 0.2 to 1."""
    return float(generator_of("rate", graph.id, task).uniform(math.log(0.2), 0.0))


def _error(value: float, accuracy: bool) -> float:
    """The standard error of a metric that comes from the size of the evaluation set."""
    spread = math.sqrt(max(value * (1.0 - value), 1e-4)) if accuracy else 0.2 * abs(value)
    return spread / math.sqrt(EVALUATED_STEPS)


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))
