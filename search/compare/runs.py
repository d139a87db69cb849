"""Searches of a comparison: one ordinary run for each method and seed, all over one executor.

A run is a function of its seed and profile, so it may be interrupted, resumed, and trained beside others. Its folder is
that of any run: `gatesearch verify FOLDER/METHOD-SEED` checks it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.store.store import FILE, Store
from search.compare.plan import Plan, method_profile
from search.core.errors import SearchError
from search.engine.observer import RunObserver
from search.engine.progress import Progress
from search.engine.run import resume_search, run_search
from search.engine.trust import imported_paths
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.workers.executor import Executor
from search.workers.shared import SearchView, SharedExecutor
from tasks.task import Task

MOST_TOGETHER = 32
"""Largest number of searches that are run side by side."""


@dataclass(frozen=True)
class SearchRun:
    """Search of a method with a seed, and the folder of its run."""

    method: str
    seed: int
    folder: Path
    profile: Profile

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.folder.name


def searches_of(folder: Path, plan: Plan, compute: float) -> list[SearchRun]:
    """Return the searches of a plan, each with `compute` multiply-adds; the first seed of all methods comes first."""
    profiles = {name: method_profile(plan, name, compute=compute) for name in plan.methods}
    return [
        SearchRun(name, seed, folder / f"{name}-{seed}", profile)
        for seed in plan.seeds
        for name, profile in profiles.items()
    ]


def run_searches(
    runs: Sequence[SearchRun],
    plan: Plan,
    tasks: Mapping[str, Task],
    executor: Executor,
    on_end: Callable[[SearchRun, Progress | None], None] = lambda run, progress: None,
    command: Sequence[str] = (),
) -> None:
    """Run all searches to their end, side by side; those that have ended are left alone.

    Args:
        runs: the searches.
        plan: their plan.
        tasks: memorization and every task, by name.
        executor: trains all trials.
        on_end: called when a search has ended, with its counts; with None for one that had ended before. It is called
            from the threads of the searches, one at a time.
        command: arguments of the command line, for the record.

    Raises:
        SearchError: a search cannot be run, or is another search than the plan's.
        StoreError: a store cannot be read or written.
        TaskError: a trial failed in the code of its task.
        KeyboardInterrupt: the process was interrupted; calling this again continues.
    """
    left = [run for run in runs if not _has_ended(run)]
    for run in runs:
        if run not in left:
            on_end(run, None)
    shared, lock = SharedExecutor(executor), threading.Lock()
    waiting, errors = list(left), {}

    def work() -> None:
        view = shared.view()
        while True:
            with lock:
                if not waiting or errors:
                    return
                run = waiting.pop(0)
            try:
                progress = _search(run, plan, tasks, view, command)
            except BaseException as error:
                with lock:
                    errors[left.index(run)] = error
                shared.stop()
                return
            with lock:
                on_end(run, progress)

    together = _together(left, executor.processors())
    threads = [threading.Thread(target=work, name=f"search {k}", daemon=True) for k in range(together)]
    for thread in threads:
        thread.start()
    shared.serve(threads)
    for _, error in sorted(errors.items()):
        if not isinstance(error, KeyboardInterrupt):  # which is how the others were stopped
            raise error


def _together(runs: Sequence[SearchRun], processors: int) -> int:
    """Return how many searches keep all processors busy: each has at most a window of trials in flight, often fewer."""
    if not runs:
        return 0
    window = min(run.profile.search.window for run in runs)
    return min(len(runs), MOST_TOGETHER, max(1, -(-2 * (processors - 1) // window)))


def _search(
    run: SearchRun, plan: Plan, tasks: Mapping[str, Task], executor: SearchView, command: Sequence[str]
) -> Progress:
    observer = RunObserver()
    if _is_begun(run):
        return resume_search(
            run.folder,
            trusted=list(imported_paths(run.profile).values()),
            load=lambda profile: tasks,
            executor=executor,
            command=command,
            observer=observer,
        )
    return run_search(
        run.folder,
        run.profile,
        seed=run.seed,
        simulation=None if plan.simulation is None else plan.simulation.simulation(),
        load=lambda profile: tasks,
        executor=executor,
        command=command,
        observer=observer,
    )


def _is_begun(run: SearchRun) -> bool:
    path = run.folder / FILE
    return path.is_file() and path.stat().st_size > 0


def _has_ended(run: SearchRun) -> bool:
    """Return whether a search has ended. Raise `SearchError` if its folder has another search."""
    if not _is_begun(run):
        return False
    with Store.open(run.folder, readonly=True) as store:
        if store.seed != run.seed or profile_of(store) != run.profile:
            raise SearchError(
                f"{str(run.folder)!r} has another search than the plan's (seed or profile differ); "
                "remove the folder, or compare in another one"
            )
        return store.finished is not None
