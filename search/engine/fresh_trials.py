"""Trials on fresh seeds: of finalists and of contenders, at settings that the search chose."""

from collections.abc import Callable, Mapping, Sequence

from results.scores.score import chance_of
from results.store.store import Store
from search.cells.graph import GateGraph
from search.core.keys import finalist_seed
from search.engine.budgets import budgets
from search.engine.trial_writer import TrialWriter
from search.profiles.sections import Profile
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor
from search.workers.job import Job
from tasks.task import Task

FreshTrial = tuple[GateGraph, str, Setting, int]
"""Cell, task, setting, repeat."""


def is_stored(store: Store, trial: FreshTrial) -> bool:
    """Return whether the store has a trial. Raise `StoreError` if it cannot be read."""
    graph, task, setting, repeat = trial
    return store.trial(graph.id, task, setting.key, repeat) is not None


def train_fresh(
    profile: Profile,
    seed: int,
    tasks: Mapping[str, Task],
    store: Store,
    executor: Executor,
    trials: Sequence[FreshTrial],
    *,
    simulation: Simulation | None = None,
    on_trial: Callable[[str, TrialResult], None] = lambda task, result: None,
) -> None:
    """Train trials and store each as soon as it is finished.

    Args:
        profile: profile of the run.
        seed: seed of the run; that of a trial follows from it, the task and the repeat.
        tasks: every task of the profile, by name.
        store: store of the run.
        executor: trains the trials, the first ones first.
        trials: trials that the store does not have.
        simulation: draws the results of trials instead of training them.
        on_trial: called with the task and the result of every trial that was stored; it may stop the training.

    Raises:
        StoreError: the store cannot be written.
        TaskError: a trial failed in the code of its task.
    """
    limits = budgets(profile)
    known = chance_of(store)  # an older run has none
    chance = {
        name: known[name] if name in known else tasks[name].constant_baseline()
        for name in {task for _, task, _, _ in trials}
    }
    waiting: dict[int, FreshTrial] = {}
    for priority, (graph, task, setting, repeat) in enumerate(trials):
        own_seed = finalist_seed(seed, task, repeat)
        job = Job(graph, task, setting, limits[task], own_seed, chance[task], simulation)
        waiting[executor.submit(job, priority)] = (graph, task, setting, repeat)
    writer = TrialWriter(store, tasks)
    while waiting:
        ticket, result = executor.next()
        graph, task, setting, repeat = waiting.pop(ticket)
        writer.write(graph.id, task, setting, repeat, finalist_seed(seed, task, repeat), result)
        on_trial(task, result)
