"""Simulated trials, drawn instead of trained: they exercise a search, a cluster or a disk at no cost.

A simulated outcome is a function of the cell, the task, the setting, the budget and the seed, like a trained one, and
has the same forms: curves that level off, schedules that run out, targets that are reached, cells at the level of the
constant baseline, cells that diverge. The quality of a cell is invented, but heritable, so a search can find good ones.

- *Ability*: a hash gives every local structure of a graph (an operation with its operands) a worth between 0 and 1 on
  each task; a cell's ability is the mean over its structures. A child shares most of them with its parent, so ability
  is inherited, as in Kauffman's NK landscapes ("The Origins of Order", 1993, chapter 2). The structures of the LSTM and
  the GRU are worth at least one half: cells found by hand are good, but not perfect.
- *Stability* is another such mean: cells with little of it diverge, more often at large learning rates.
- Every cell has its own best learning rate on each task.
- Trials with one seed share a part of their luck, whatever the cell, as trials that read the same data do.

Three kinds of simulation have a known truth, to measure how often a search finds it. With `equal`, all cells are
equally able: whatever a run shows is noise. With `planted`, cells that have a relu learn more than they otherwise would
(no named cell has one, and about 8 % of the children of LSTM and GRU). With `optimum`, cells are the abler the closer
they are to a known best cell (`search.training.optimum`), and all have the same best learning rate and stability.

The shares of the states are close to those of real runs (`tests/test_search/test_training/test_simulation.py` checks
their ranges). So are the seconds, which are simulated and the same in every run.
"""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from results.store.store import Store
from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS
from search.cells.operations import Op
from search.core.errors import BudgetError, SearchError
from search.core.keys import generator_of
from search.kernels.optimisers import OPTIMISERS
from search.training.model import count_parameters, units_for
from search.training.optimum import optimum_ability, optimum_graph
from search.training.schedule import Budget, Ending, EpochRules, pause_at
from search.training.settings import Setting
from search.training.trial import SIMULATED, Point, TrialResult
from tasks.task import Task

MARK = SIMULATED
"""Prefix of every simulated trial's reason."""

_CHECKPOINT = b"simulated seconds "
"""Prefix of the checkpoint of a paused simulated trial, which holds the seconds that it took."""

EVALUATED_STEPS = 10_000
"""Number of steps in the loss mask that standard errors assume for the evaluation sets."""

EQUAL_ABILITY = 0.8
"""Ability and stability of every cell if all are equally able."""

SHARED_LUCK = 0.5
"""Share of the variance over seeds that is common to all cells with one seed."""

ADAPTIVE_RATE = 0.01
"""Best learning rate of an optimiser that adapts its steps, as a share of that of SGD."""

STEP_SECONDS, LAYER_SECONDS, SECONDS_PER_PRODUCT = 0.6e-3, 0.3e-3, 9e-11
"""Seconds of a training step: fixed, per layer, and per parameter and position of a batch. They were fitted to trials
of the quick profile on one core of a Zen 4 server, within 20 % of their means on every task."""


@dataclass(frozen=True)
class Simulation:
    """Source of simulated trials. Each takes `delays` times its simulated seconds.

    With `equal` all cells are equally able. Cells with the planted structure learn `planted` more, as a share of what
    can be learnt. `optimum`, a named cell or a formula, is the best cell, and others are the abler the closer they are.

    Raises:
        SearchError: the optimum is neither a named cell nor a formula, or all cells are to be equal.
    """

    delays: float = 0.0
    equal: bool = False
    planted: float = 0.0
    optimum: str | None = None

    def __post_init__(self) -> None:
        if self.optimum is not None:
            optimum_graph(self.optimum)
            if self.equal:
                raise SearchError("a simulation with an optimum cannot have equal cells; leave out one of the two")

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
        *,
        until: int | None = None,
        checkpoint: bytes | None = None,
    ) -> TrialResult:
        """Return the outcome of a trial after its time has passed; `data` gives the metric and sizes of task `task`.

        `on_batch` is called at least once a second meanwhile, as in a real trial. `until` and `checkpoint` are those of
        `search.training.trial.train_trial`. A checkpoint saves the time up to its step.
        """
        result = draw_trial(graph, task, data, setting, budget, seed, constant_baseline, self, until)
        self.wait(result.seconds - (0.0 if checkpoint is None else simulated_seconds(checkpoint)), on_batch)
        paused = result.state is TrialState.PAUSED
        return replace(result, checkpoint=_CHECKPOINT + repr(result.seconds).encode()) if paused else result

    def wait(self, seconds: float, on_batch: Callable[[], None] | None = None) -> None:
        """Wait for `delays` times a trial's simulated seconds."""
        until = time.monotonic() + self.delays * seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            if on_batch is not None:
                on_batch()


def simulated_seconds(checkpoint: bytes) -> float:
    """Return the simulated seconds of a trial up to its checkpoint; 0 if that is not one of a simulated trial."""
    try:
        seconds = float(checkpoint.removeprefix(_CHECKPOINT)) if checkpoint.startswith(_CHECKPOINT) else 0.0
    except ValueError:
        return 0.0
    return seconds if seconds > 0.0 and math.isfinite(seconds) else 0.0


def simulation_of(store: Store) -> Simulation | None:
    """Return the simulation that a run was started with; None if its trials are trained."""
    stored = store.simulation
    if stored is None:
        return None
    return Simulation(stored.delays, stored.equal, stored.planted, stored.optimum)


def draw_trial(
    graph: GateGraph,
    task: str,
    data: Task,
    setting: Setting,
    budget: Budget,
    seed: int,
    constant_baseline: float,
    simulation: Simulation | None = None,
    until: int | None = None,
) -> TrialResult:
    """Return the simulated outcome of a trial; `simulation` says what the cells are worth.

    A budget that no cell size fits gives a failed trial. With `until` the trial is paused after so many steps, unless
    it has ended by then, and is the same up to there. It has no checkpoint: nothing has to be kept to go on.

    Raises:
        ValueError: `until` is neither a mark nor the end of an epoch.
    """
    budget.check_pause(until)
    try:
        units = units_for(graph, setting, data.interface)
    except BudgetError as error:
        return TrialResult(TrialState.FAILED, MARK + str(error))
    parameters = count_parameters(graph, units, setting.layers, data.interface, tied=setting.tied)
    equal = simulation is not None and simulation.equal
    optimum = None if simulation is None or simulation.optimum is None else optimum_graph(simulation.optimum)
    planted = simulation.planted if simulation is not None and has_planted(graph) else 0.0
    rng = _generator(seed, graph)
    noise = rng.standard_normal(budget.epochs)
    shared = float(np.random.default_rng(seed).standard_normal())
    luck = math.sqrt(SHARED_LUCK) * shared + math.sqrt(1.0 - SHARED_LUCK) * float(rng.standard_normal())
    moment, tested = float(rng.random()), float(rng.standard_normal())

    if optimum is not None:
        # One best learning rate for all, or a cell's own would count for more than a step towards the optimum.
        able, stable, best_rate = optimum_ability(graph, optimum), EQUAL_ABILITY, _best_rate(optimum, task)
    elif equal:
        able = stable = EQUAL_ABILITY
    else:
        able, stable, best_rate = ability(graph, task), ability(graph, "stability"), _best_rate(graph, task)
    # Equal cells are equal at every setting: two cells at different settings would differ otherwise.
    rate = 0.0 if equal else math.log(setting.learning_rate) - best_rate
    if not equal and OPTIMISERS[setting.optimiser].adaptive:
        rate -= math.log(ADAPTIVE_RATE)
    diverges = rng.random() < _logistic(20.0 * (0.45 - stable) + rate)
    lost = 1 + int(moment**6 * budget.steps)  # the step at which it would diverge; mostly early
    # Share of what can be learnt that is learnt in the end. A task with a target is easy for every able cell.
    steep, middle = (8.0, 0.55) if budget.target is None else (40.0, 0.64)
    level = _logistic(steep * (able - middle) - 0.1 * rate * rate + 0.15 * luck)
    level = min(max(level + planted, 0.0), 1.0)
    pace = 1.0 + 0.1 * budget.epochs * math.exp(0.3 * luck)  # epochs until all but 1 / e of it is learnt
    metric, loss = data.metric, data.uniform_loss()
    ceiling = 1.0 if metric.higher_is_better else constant_baseline - 0.5 * abs(constant_baseline)

    rules = EpochRules(budget, setting.learning_rate, metric, constant_baseline)
    curve: list[Point] = []
    steps = 0
    spread = _error(constant_baseline, metric.higher_is_better)
    ending: Ending | None = None
    for point in _measured(budget):
        if diverges and lost <= point:
            ending = Ending(TrialState.DIVERGED, f"the loss is not finite at step {lost}")
            steps = lost
            break
        steps = point
        epochs, within = divmod(steps, budget.epoch_steps)
        # An epoch's end has the same noise whatever marks there are, and a mark that of its step.
        luck = float(noise[epochs - 1]) if not within else float(_generator(seed, graph, steps).standard_normal())
        learnt = level * (1.0 - math.exp(-(epochs if not within else steps / budget.epoch_steps) / pace))
        value = constant_baseline + learnt * (ceiling - constant_baseline) + 0.5 * spread * luck
        value = min(max(value, 0.0), 1.0) if metric.higher_is_better else value
        curve.append(Point(steps, loss * (1.0 - 0.6 * learnt), value))
        ending = rules.mark(steps, value, spread) if within else rules.end_epoch(steps, value, spread)
        if ending is not None:
            break
        if steps == until:
            ending = pause_at(steps)
            break
    assert ending is not None, "the last epoch ends the schedule"

    seconds = steps * (
        STEP_SECONDS + LAYER_SECONDS * setting.layers + SECONDS_PER_PRODUCT * budget.batch * budget.unroll * parameters
    )
    best, state, reason = rules.best, ending.state, MARK + ending.reason
    if best is None or not state.is_ranked:
        paused = state is TrialState.PAUSED
        return TrialResult(
            state,
            reason,
            validation=curve[-1].validation if paused else None,
            best_step=steps if paused else 0,
            steps=steps,
            seconds=seconds,
            parameters=parameters,
            units=units,
            curve=tuple(curve),
        )
    spread = _error(best, metric.higher_is_better)
    nats = (
        loss * (1.0 - 0.6 * abs(best - constant_baseline) / abs(ceiling - constant_baseline))
        if metric.higher_is_better
        else best
    )
    return TrialResult(
        state,
        reason,
        validation=best,
        validation_se=spread,
        validation_loss=nats,
        test=min(best + spread * tested, 1.0) if metric.higher_is_better else best + spread * tested,
        test_se=spread,
        test_loss=nats * (1.0 + 0.005 * tested),
        best_step=rules.best_step,
        steps=steps,
        seconds=seconds,
        parameters=parameters,
        units=units,
        curve=tuple(curve),
    )


def _generator(seed: int, graph: GateGraph, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, int(graph.id, 16), *more])


def _measured(budget: Budget) -> list[int]:
    """Return the steps of a trial at which validation is measured, in order."""
    return sorted({*budget.marks, *range(budget.epoch_steps, budget.steps + 1, budget.epoch_steps)})


def has_planted(graph: GateGraph) -> bool:
    """Return whether a graph has the planted structure, a relu."""
    return any(node.op is Op.RELU for node in graph.nodes)


@lru_cache(maxsize=4096)
def ability(graph: GateGraph, trait: str) -> float:
    """Return the mean worth, 0 to 1, of a canonical graph's local structures for a trait: a task, or stability."""
    worths = [_worth(structure, trait) for structure in sorted(_structures(graph))]
    return sum(worths) / len(worths)


def _structures(graph: GateGraph) -> set[str]:
    """Return every inner node as its operation and operands, independent of the numbering of the nodes."""
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
    """Return the structures of the cells that a search starts from."""
    return frozenset(structure for name in SEEDS for structure in _structures(LIBRARY[name].graph))


@lru_cache(maxsize=4096)
def _best_rate(graph: GateGraph, task: str) -> float:
    """Return the logarithm of a cell's best learning rate on a task, which is between 0.2 and 1."""
    return float(generator_of("rate", graph.id, task).uniform(math.log(0.2), 0.0))


def _error(value: float, accuracy: bool) -> float:
    """Return the standard error of a metric that is due to the size of the evaluation set."""
    spread = math.sqrt(max(value * (1.0 - value), 1e-4)) if accuracy else 0.2 * abs(value)
    return spread / math.sqrt(EVALUATED_STEPS)


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))
