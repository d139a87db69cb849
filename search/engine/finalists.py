"""Finalists: the best cells found and all given cells, retrained on fresh seeds. The first round, which ranks.

The best of many settings and many cells is biased in favour of the winner (Jozefowicz et al. 2015 report that best
value). Therefore each finalist is retrained at its best setting on every task, `repeats` times, and the leaderboard
ranks by the test metrics of these trials. Repeat r of a task has one seed for all cells: they see the same data in the
same order, so the differences between two cells are paired. (The seed also draws the initial weights, whose shapes
differ between cells; they are not paired.)

A trial of a finalist is identified by cell, task, setting and repeat (1, 2, ...; repeat 0 is the search's own trial).
It is stored as soon as it is finished, and not trained again. Retraining depends on nothing but the store, the seed and
the profile, and is resumed by calling it again. The found cells that are best in this round are judged on other seeds
(`search.engine.confirmation`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results.scores.estimates import GRU, best_found, picks
from results.store.graphs import graph_of
from results.store.queries import mean_seconds, retrained_cells
from results.store.store import Store
from search.cells.graph import GateGraph
from search.core.errors import SearchError
from search.engine.failures import FailureWatch
from search.engine.fresh_trials import FreshTrial, is_stored, train_fresh
from search.engine.progress import Progress
from search.profiles.sections import Profile
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor
from tasks.task import Task


@dataclass(frozen=True)
class Finalist:
    """Cell to retrain, with its best setting on each task on which it has a result."""

    graph: GateGraph
    settings: Mapping[str, Setting]


def choose_finalists(profile: Profile, store: Store) -> list[Finalist]:
    """Return the given cells and the best found ones of a store; none if the profile asks for no finalists.

    Cells that were retrained before remain finalists, even if the profile asks for fewer now.

    Raises:
        SearchError: the GRU has no result on a ranked task yet, so no cell has a score.
        StoreError: the store cannot be read.
    """
    if profile.finalists.cells == 0:
        return []
    best = picks(store)
    settings: dict[str, dict[str, Setting]] = {}
    for cell, task, key in best[["cell", "task", "setting"]].itertuples(index=False):
        if task in profile.tasks:
            settings.setdefault(cell, {})[task] = Setting.from_key(key)
    lacking = [task for task in profile.ranked if task not in settings.get(GRU, {})]
    if lacking:
        raise SearchError(
            f"run {store.name!r} has no result of the GRU on {lacking[0]!r} yet, so nothing can be compared with it; "
            "finish the search with --resume first"
        )
    graphs = {graph.id: graph for graph in profile.given_in(store.form).values()}
    for cell in best_found(store, profile.ranked, profile.finalists.cells):
        graphs.setdefault(cell, graph_of(store.cell(cell)))
    for cell in retrained_cells(store):
        graphs.setdefault(cell, graph_of(store.cell(cell)))
    return [Finalist(graph, settings.get(cell, {})) for cell, graph in graphs.items()]


def trials_of(finalists: Sequence[Finalist], profile: Profile) -> list[FreshTrial]:
    """Return the trials of the finalists in the order of training."""
    return [
        (finalist.graph, task, finalist.settings[task], repeat)
        for repeat in range(1, profile.finalists.repeats + 1)  # outermost, so that an interruption leaves whole repeats
        for task in profile.visited
        for finalist in finalists
        if task in finalist.settings
    ]


def finalists_seconds(profile: Profile, store: Store, finalists: Sequence[Finalist]) -> float:
    """Return the estimated seconds of one core for the finalists' missing trials.

    A trial is expected to take the mean time of the cell's stored trials on the task.
    """
    means = mean_seconds(store)
    missing = (trial for trial in trials_of(finalists, profile) if not is_stored(store, trial))
    return sum(means[graph.id, task] for graph, task, _, _ in missing)


def retrain(
    profile: Profile,
    seed: int,
    tasks: Mapping[str, Task],
    store: Store,
    executor: Executor,
    progress: Progress,
    *,
    simulation: Simulation | None = None,
    on_change: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train the finalists' trials that the store does not have.

    The number of repeats that the leaderboard counts is kept in the store's information. It is raised only when all
    finalists have that many repeats.

    Args:
        profile: profile of the run; its section `finalists` says how many cells and repeats.
        seed: seed of the run.
        tasks: every task of the profile, by name.
        store: store of the run.
        executor: trains the trials.
        progress: counts to update.
        simulation: draws the results of trials instead of training them.
        on_change: called after every trial.

    Raises:
        SearchError: the GRU has no result on a ranked task yet.
        TaskError: a trial failed in the code of its task.
        StoreError: the store cannot be read or written.
    """
    finalists = choose_finalists(profile, store)
    if not finalists:
        return
    repeats = profile.finalists.repeats
    _mark(store, tasks, repeats, only_if_new=True)
    wanted = trials_of(finalists, profile)
    missing = [trial for trial in wanted if not is_stored(store, trial)]
    progress.finalists, progress.finalists_done = len(wanted), len(wanted) - len(missing)
    progress.trials_known += len(wanted) - len(missing)
    on_change(progress)

    watch = FailureWatch(store, fresh=True)

    def on_trial(task: str, result: TrialResult) -> None:
        progress.trials_run += 1
        progress.trials_failed += result.state.is_lost
        progress.finalists_done += 1
        on_change(progress)
        watch.count(task, result)

    train_fresh(profile, seed, tasks, store, executor, missing, simulation=simulation, on_trial=on_trial)
    _mark(store, tasks, repeats)


def _mark(store: Store, tasks: Mapping[str, Task], repeats: int, *, only_if_new: bool = False) -> None:
    """Store how many repeats count, and the constant baseline that stands in for a diverged or failed repeat."""
    before = store.finalist_repeats
    if before and (only_if_new or before >= repeats):
        return
    baselines = {name: float(task.constant_baseline()) for name, task in tasks.items()}
    store.mark(retrained={"repeats": repeats, "constant_guess": baselines})
