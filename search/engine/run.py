"""Runs: start a search, resume it, or retrain its finalists, from a profile to a finished store.

Each function creates or opens the store, starts the workers, records the provenance, runs the engine, the finalists and
the confirmation, writes the leaderboard, and marks the run as finished. A `RunObserver` sees the progress.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from results.store.errors import ResultsError
from results.store.queries import check_setting_keys
from results.store.store import FILE, Store
from results.store.words import OUTSIDE
from results.tables.files import write_tables
from search.core.errors import SearchError
from search.core.processors import usable_processors
from search.core.ranges import MAX_SEED, MAX_WORKERS, check_whole
from search.engine.confirmation import Demand, confirm, declaration
from search.engine.failures import FailureWatch
from search.engine.finalists import choose_finalists, retrain
from search.engine.observer import OpenRun, RunObserver
from search.engine.outside import engine_class
from search.engine.progress import Progress
from search.engine.provenance import (
    ceilings,
    check_metrics,
    check_moved,
    check_sizes,
    edited_profile,
    levels,
    load_stored,
    mark_resumed,
    provenance,
)
from search.engine.trust import check_trusted
from search.profiles.changes import moved_data
from search.profiles.loading import profile_of
from search.profiles.sections import FinalistsSection, Profile
from search.profiles.tasks import load_tasks
from search.strategies.proposal import Outcome
from search.strategies.registry import check_searches
from search.training.simulation import Simulation, simulation_of
from search.workers.executor import Executor, make_executor
from tasks.task import Task

TABLE_SECONDS, TABLE_SHARE = 5.0, 0.05
"""Shortest time between two writes of the leaderboard while a search runs, and their largest share of its time."""

TaskLoader = Callable[[Profile], Mapping[str, Task]]
"""Loads memorization and every task of a profile, by name."""


class LiveTable:
    """Leaderboard of an open run, written again now and then while the run goes forward."""

    def __init__(self, run: OpenRun) -> None:
        self._run = run
        self._due = time.monotonic() + TABLE_SECONDS

    def update(self, outcome: Outcome) -> None:
        """Write the table if a cell is complete and the last time is long enough ago."""
        started = time.monotonic()
        if outcome.is_complete and started >= self._due:
            self.write(trials=False)
            ended = time.monotonic()
            self._due = ended + max(TABLE_SECONDS, (ended - started) / TABLE_SHARE)

    def write(self, *, trials: bool) -> None:
        """Write the tables, as far as they can be written: the store matters more, and is the truth.

        `trials` says whether the trials are written too, which takes longer: at the end, as else they would be older
        than the tables.
        """
        with suppress(ResultsError):
            write_tables(self._run.store, self._run.profile.ranked, self._run.store.folder, trials=trials)
            self._run.store.fold_log()


def create_run(
    folder: Path,
    profile: Profile,
    tasks: Mapping[str, Task],
    seed: int,
    simulation: Simulation | None,
    command: Sequence[str],
) -> Store:
    """Create the store of a new run, with what it was started with.

    Raises:
        StoreError: the store cannot be written.
    """
    information = provenance(tasks) | levels(tasks, simulated=simulation is not None) | {"ceilings": ceilings(tasks)}
    information["command"] = list(command)
    if simulation is not None:
        information["simulated"] = asdict(simulation)
    return Store.create(
        folder,
        name=folder.name,
        seed=seed,
        profile=profile.to_toml(),
        strategy=profile.search.strategy,
        window=profile.search.window,
        information=information,
    )


def has_run(folder: Path) -> bool:
    """Return whether a folder holds a run."""
    return os.path.exists(folder / FILE) and os.path.getsize(folder / FILE) > 0


def checked_tasks(store: Store, profile: Profile, trusted: Collection[str], load: TaskLoader) -> Mapping[str, Task]:
    """Load the tasks of a stored run, after checking that the run can be continued by this version.

    Args:
        store: store of the run.
        profile: its profile.
        trusted: import paths of the run's own tasks that may be imported.
        load: loads the tasks.

    Raises:
        SearchError: a path is not trusted, or the metric or the sizes of a task are not those of the run.
        StoreError: the store cannot be read.
        TaskError: the data of a task cannot be loaded.
    """
    check_trusted(store.name, profile, trusted)
    check_setting_keys(store)
    tasks = load_stored(profile, load)
    check_metrics(store, tasks)
    check_sizes(store, tasks)
    return tasks


def run_search(
    folder: Path,
    profile: Profile,
    *,
    seed: int = 0,
    simulation: Simulation | None = None,
    load: TaskLoader = load_tasks,
    executor: Executor | None = None,
    workers: int | None = None,
    address: str | None = None,
    command: Sequence[str] = (),
    observer: RunObserver | None = None,
) -> Progress:
    """Run a new search to its end: baselines, proposals, finalists, confirmation, leaderboard.

    Args:
        folder: folder of the run, which is created; its last part is the name of the run.
        profile: profile of the search.
        seed: seed of the search, 0 to 2**63 - 1.
        simulation: draws the results of trials instead of training them.
        load: loads the tasks.
        executor: trains the trials; it is not closed. Without it, `workers` and `address` say what is started.
        workers: worker processes on this machine, 0 for this process; as many as usable processors if None.
        address: address of a Ray cluster, which takes precedence over `workers`.
        command: arguments of the command line, for the record.
        observer: sees the progress.

    Returns:
        The counts of the finished search.

    Raises:
        SearchError: the folder holds a run, the seed or the number of workers is out of range, the strategy is unknown,
            the workers cannot be started, or the GRU has no result or no gain on a ranked task.
        StoreError: the store cannot be written.
        TaskError: the data of a task cannot be loaded.
        KeyboardInterrupt: the search was interrupted; `resume_search` continues it.
    """
    seed = check_whole("seed", seed, 0, MAX_SEED)
    check_searches(profile.search.strategy)
    if has_run(folder):
        raise SearchError(
            f"run {folder.name!r} exists in {folder.parent}; resume it with --resume, or choose a new name"
        )
    tasks = load(profile)
    # Workers start before the run is created: a cluster that cannot be joined leaves no empty run behind.
    with open_executor(executor, tasks, profile, workers, address) as started:
        store = create_run(folder, profile, tasks, seed, simulation, command)
        with store, store.lock():
            return _search(OpenRun(store, profile, tasks, started), simulation, observer or RunObserver())


def resume_search(
    folder: Path,
    *,
    proposals: int | None = None,
    trusted: Collection[str] = (),
    data: Mapping[str, str | Path] | None = None,
    load: TaskLoader = load_tasks,
    executor: Executor | None = None,
    workers: int | None = None,
    address: str | None = None,
    command: Sequence[str] = (),
    observer: RunObserver | None = None,
) -> Progress:
    """Resume the search in a folder and run it to its end. Stored trials are not trained again.

    Args:
        folder: folder of the run.
        proposals: new number of proposals, at least the profile's; unchanged if None.
        trusted: import paths of the run's own tasks that may be imported.
        data: where the files or folders of tasks are now, by task, if they were moved. They must be the same data.
        load: loads the tasks.
        executor: trains the trials, as in `run_search`.
        workers: worker processes, as in `run_search`.
        address: address of a Ray cluster, as in `run_search`.
        command: arguments of the command line, for the record.
        observer: sees the progress.

    Returns:
        The counts of the finished search.

    Raises:
        SearchError: as `run_search`, and if a path is not trusted or there would be fewer proposals.
        StoreError: there is no run in the folder, another process drives it, or its store cannot be read or written.
        TaskError: the data of a task cannot be loaded.
        KeyboardInterrupt: the search was interrupted again.
    """
    observer = observer or RunObserver()
    with Store.open(folder) as store:
        profile = moved_data(profile_of(store), data or {})
        extended = _extended(store, profile, proposals)  # its error comes before data is loaded
        tasks = checked_tasks(store, profile, trusted, load)
        check_moved(store, tasks, data or {})
        edited = edited_profile(store)
        if edited is not None:
            observer.on_warning(edited)
        with open_executor(executor, tasks, profile, workers, address) as started, store.lock():
            if extended is not None:
                profile = extended
                store.extend(profile.to_toml(), command)
            elif data:
                store.replace_profile(profile.to_toml())
            for line in mark_resumed(store, tasks):
                observer.on_difference(line)
            return _search(OpenRun(store, profile, tasks, started), simulation_of(store), observer)


def retrain_finalists(
    folder: Path,
    *,
    cells: int | None = None,
    repeats: int | None = None,
    demand: Demand | None = None,
    data: Mapping[str, str] | None = None,
    trusted: Collection[str] = (),
    load: TaskLoader = load_tasks,
    executor: Executor | None = None,
    workers: int | None = None,
    address: str | None = None,
    observer: RunObserver | None = None,
) -> Progress:
    """Retrain the finalists of the run in a folder on fresh seeds, confirm its contenders, and write the leaderboard.

    Args:
        folder: folder of the run.
        cells: number of found cells; the profile's if None.
        repeats: seeds per task; if None the profile's, or as many as were trained before.
        demand: cells, tasks and seeds to confirm. With it, the first round is left as it is.
        data: where the data of tasks are now, if they were moved.
        trusted: import paths of the run's own tasks that may be imported.
        load: loads the tasks.
        executor: trains the trials, as in `run_search`.
        workers: worker processes, as in `run_search`.
        address: address of a Ray cluster, as in `run_search`.
        observer: sees the progress.

    Returns:
        The counts of the retraining.

    Raises:
        SearchError: the GRU has no result on a ranked task, a path is not trusted, or the demand names a cell or task
            that cannot be confirmed; or moved data are not those of the run.
        StoreError: there is no run in the folder, another process drives it, or its store cannot be read or written.
        TaskError: the data of a task cannot be loaded.
        KeyboardInterrupt: the retraining was interrupted; calling this again continues it.
    """
    observer = observer or RunObserver()
    with Store.open(folder, readonly=True) as reader:
        own = profile = moved_data(profile_of(reader), data or {})
        check_trusted(reader.name, profile, trusted)
        wanted = profile.finalists
        section = FinalistsSection(
            cells=cells if cells is not None else wanted.cells or FinalistsSection().cells,
            repeats=repeats if repeats is not None else max(wanted.repeats, reader.finalist_repeats),
        )
        profile = replace(profile, finalists=section)
        check_setting_keys(reader)
        # These raise their errors before data is loaded and workers are started.
        choose_finalists(profile, reader)
        if demand is not None:
            declaration(profile, reader, {}, demand)
        tasks = load_stored(profile, load)
        check_moved(reader, tasks, data or {})
        check_metrics(reader, tasks)
        check_sizes(reader, tasks)
    with (
        open_executor(executor, tasks, profile, workers, address) as started,
        Store.open(folder) as store,
        store.lock(),
    ):
        if data:
            store.replace_profile(own.to_toml())
        run, progress = OpenRun(store, profile, tasks, started), Progress()
        for line in mark_resumed(store, tasks):
            observer.on_difference(line)
        observer.on_start(run)
        try:
            if demand is None:
                _retrain(run, progress, simulation_of(store), observer)
            _confirm(run, progress, simulation_of(store), observer, demand)
        finally:
            write_tables(store, profile.ranked, store.folder, trials=True)
        observer.on_finish(run, progress)
        return progress


@contextmanager
def open_executor(
    executor: Executor | None, tasks: Mapping[str, Task], profile: Profile, workers: int | None, address: str | None
) -> Iterator[Executor]:
    """Yield the given executor, or one that is started for a run and closed after it; see `run_search`."""
    if executor is not None:
        yield executor
        return
    count = usable_processors() if workers is None else check_whole("workers", workers, 0, MAX_WORKERS)
    with closing(make_executor(tasks, count, address, profile.limits.of_trials())) as started:
        yield started


def _extended(store: Store, profile: Profile, proposals: int | None) -> Profile | None:
    """Return the profile with more proposals, or None if their number does not change.

    A proposal does not depend on how many follow. So the run becomes that of the larger number from the start, except
    that finalists of the smaller run stay in the leaderboard.

    Raises:
        SearchError: there would be fewer proposals.
    """
    planned = profile.search.proposals
    if proposals is None or proposals == planned:
        return None
    if profile.search.strategy == OUTSIDE:
        raise SearchError(
            f"--proposals {proposals}: run {store.name!r} proposes nothing by itself; "
            "tell it cells with 'gatesearch tell'"
        )
    if proposals < planned:
        raise SearchError(
            f"--proposals {proposals}: run {store.name!r} has {planned:,}, and what is done is kept; "
            f"with --resume, give a number above {planned:,}"
        )
    return replace(profile, search=replace(profile.search, proposals=proposals))


def _search(run: OpenRun, simulation: Simulation | None, observer: RunObserver) -> Progress:
    """Run the engine and the finalists over an open run; the leaderboard is up to date at any time."""
    store = run.store
    try:
        observer.on_start(run)
    except KeyboardInterrupt:  # there is a run already, which can be resumed
        observer.on_interrupt(run, Progress(len(run.profile.given), proposals=run.profile.search.proposals))
        raise
    table = LiveTable(run)

    def on_outcome(outcome: Outcome) -> None:
        table.update(outcome)
        observer.on_outcome(outcome)

    engine = engine_class(run.profile)(
        run.profile,
        store.seed,
        run.tasks,
        store,
        run.executor,
        simulation=simulation,
        on_change=observer.on_change,
        on_outcome=on_outcome,
        on_result=FailureWatch(store).count,  # a replay of stored trials has none
    )
    try:
        engine.run()
        engine.end()
        if engine.strategy.adaptation is not None:
            store.mark(transformations=engine.strategy.adaptation.summary())
        finish(run, engine.progress, simulation, observer)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            observer.on_interrupt(run, engine.progress)
        table.write(trials=True)  # the first error is the one to report
        raise
    observer.on_finish(run, engine.progress)
    return engine.progress


def finish(run: OpenRun, progress: Progress, simulation: Simulation | None, observer: RunObserver) -> None:
    """Retrain the finalists of a run whose proposals have ended, confirm its contenders, and mark it as finished.

    Args:
        run: the run.
        progress: its counts, which are updated.
        simulation: draws the results of trials instead of training them.
        observer: sees the progress.

    Raises:
        SearchError: the leaderboard cannot be written.
        StoreError: the store cannot be read or written.
        TaskError: a trial failed in the code of its task.
    """
    _retrain(run, progress, simulation, observer)
    _confirm(run, progress, simulation, observer, None)
    try:
        write_tables(run.store, run.profile.ranked, run.store.folder, trials=True)
    except ResultsError as error:
        raise SearchError(f"{error}; all trials are kept, and --resume writes the tables again") from error
    run.store.mark(finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _retrain(run: OpenRun, progress: Progress, simulation: Simulation | None, observer: RunObserver) -> None:
    retrain(
        run.profile,
        run.store.seed,
        run.tasks,
        run.store,
        run.executor,
        progress,
        simulation=simulation,
        on_change=observer.on_change,
    )


def _confirm(
    run: OpenRun, progress: Progress, simulation: Simulation | None, observer: RunObserver, demand: Demand | None
) -> None:
    if demand is None and run.profile.finalists.cells == 0:
        return
    confirm(
        run.profile,
        run.store.seed,
        run.tasks,
        run.store,
        run.executor,
        progress,
        demand=demand,
        simulation=simulation,
        on_change=observer.on_change,
    )
