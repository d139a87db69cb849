"""The finalists: the best cells found, and all that were given, trained again with fresh seeds.

Picking the best of many settings and many cells flatters the winner (Jozefowicz et al. 2015 report the best as it is).
So each finalist is trained again at its best setting on every task, `repeats` times, and the leaderboard ranks by the
test metrics of these trials. Repeat r of a task has one seed for all cells: they see the same data in the same order,
and the differences between two cells are paired. (The seed also draws the initial weights, which are of different
shapes; no pairing is claimed for them.)

A finalist's trial is known by cell, task, setting and repeat (1, 2, ...; 0 is the search's own), is stored as soon as
it is finished, and not trained again. So this is resumed by doing it again, and depends on nothing but the store, the
seed and the profile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results.scores.estimates import GRU, best_found, picks
from results.store.graphs import graph_of
from results.store.store import Store
from search.cells.graph import GateGraph
from search.core.errors import SearchError
from search.core.keys import finalist_seed
from search.engine.engine import Progress, budgets
from search.engine.trial_writer import Recorder
from search.profiles.sections import Profile
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.workers.executor import Executor
from search.workers.job import Job
from tasks.task import Task


@dataclass(frozen=True)
class Finalist:
    """A cell that is trained again, with its best setting on each task on which it has a result."""

    graph: GateGraph
    settings: Mapping[str, Setting]


def choose_finalists(profile: Profile, store: Store) -> list[Finalist]:
    """The given cells and the best found ones, as the store has them now; none where the profile wants no cells.

    Cells that were trained again before stay among them, however few are asked for now: what is known is kept.

    Raises:
        SearchError: the GRU has no result on some ranked task yet, so no cell has a score.
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
            "go on with the search by --resume first"
        )
    graphs = {graph.id: graph for graph in profile.given.values()}
    for cell in best_found(store, profile.ranked, profile.finalists.cells):
        graphs.setdefault(cell, graph_of(store.cell(cell)))
    for (cell,) in store.typed("SELECT DISTINCT cell FROM trials WHERE repeat > 0 ORDER BY cell", {"cell": str}):
        graphs.setdefault(cell, graph_of(store.cell(cell)))
    return [Finalist(graph, settings.get(cell, {})) for cell, graph in graphs.items()]


Trial = tuple[GateGraph, str, Setting, int]
"""Cell, task, setting, repeat."""


def trials_of(finalists: Sequence[Finalist], profile: Profile) -> list[Trial]:
    """The trials of the finalists, in the order in which they are trained."""
    return [
        (finalist.graph, task, finalist.settings[task], repeat)
        for repeat in range(1, profile.finalists.repeats + 1)  # outermost: an interruption leaves whole repeats
        for task in profile.visited
        for finalist in finalists
        if task in finalist.settings
    ]


def finalists_seconds(profile: Profile, store: Store, finalists: Sequence[Finalist]) -> float:
    """Seconds of one core that their missing trials will take, by the mean of the cell's trials so far on the task."""
    sql = "SELECT cell, task, avg(seconds) FROM trials GROUP BY cell, task"
    means = {
        (cell, task): seconds for cell, task, seconds in store.typed(sql, {"cell": str, "task": str, "seconds": float})
    }
    missing = (trial for trial in trials_of(finalists, profile) if not _stored(store, trial))
    return sum(float(means[graph.id, task]) for graph, task, _, _ in missing)


def _stored(store: Store, trial: Trial) -> bool:
    graph, task, setting, repeat = trial
    return store.trial(graph.id, task, setting.key, repeat) is not None


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
    """Train the finalists' trials that the store does not have yet.

    The number of repeats that the table counts is kept in the store's information, and goes up only once all the
    finalists have that many: until then the table stays with the earlier ones.

    Raises:
        SearchError: as `choose_finalists`.
        StoreError: the store cannot be read or written.
    """
    finalists = choose_finalists(profile, store)
    if not finalists:
        return
    repeats = profile.finalists.repeats
    _mark(store, tasks, repeats, only_if_new=True)
    limits = budgets(profile)
    constant_baseline = {name: tasks[name].constant_baseline() for name in profile.visited}
    wanted = trials_of(finalists, profile)
    missing = [trial for trial in wanted if not _stored(store, trial)]
    progress.finalists, progress.finalists_done = len(wanted), len(wanted) - len(missing)
    progress.trials_known += len(wanted) - len(missing)
    waiting: dict[int, Trial] = {}
    for priority, (graph, task, setting, repeat) in enumerate(missing):
        own_seed = finalist_seed(seed, task, repeat)
        job = Job(graph, task, setting, limits[task], own_seed, constant_baseline[task], simulation)
        waiting[executor.submit(job, priority)] = (graph, task, setting, repeat)
    recorder = Recorder(store, {name: task.metric for name, task in tasks.items()})
    on_change(progress)
    while waiting:
        ticket, result = executor.next()
        graph, task, setting, repeat = waiting.pop(ticket)
        recorder.record(graph.id, task, setting, repeat, finalist_seed(seed, task, repeat), result)
        progress.trials_run += 1
        progress.finalists_done += 1
        on_change(progress)
    _mark(store, tasks, repeats)


def _mark(store: Store, tasks: Mapping[str, Task], repeats: int, *, only_if_new: bool = False) -> None:
    """Note how many repeats count, and what a lost trial counts as: the best constant guess."""
    before = store.finalist_repeats
    if before and (only_if_new or before >= repeats):
        return
    guesses = {name: float(task.constant_baseline()) for name, task in tasks.items()}
    store.mark(retrained={"repeats": repeats, "constant_guess": guesses})
