"""The same table whatever the number of workers, with workers slowed down at random, for each window."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from results.tables.leaderboard import TIME_COLUMNS, leaderboard
from search.engine.engine import Engine
from search.profiles.sections import Profile
from search.training.simulation import Simulation
from search.workers.executor import Executor, LocalExecutor, make_executor
from tasks.task import Task
from tests.test_search.small import Slowed, Sluggish
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, make_store, rows

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),  # Ray leaves sockets and files to the garbage collector
]

WINDOWS = (1, 4, 32)
SLOW: dict[str, Task] = {**TASKS, "xml": Sluggish(min_letters=1, max_letters=2, validation=600, test=900)}


def search(
    folder: Path, profile: Profile, tasks: Mapping[str, Task], executor: Executor, simulation: Simulation | None
) -> Rows:
    """Return all rows of a search, and the CSV without the columns of times."""
    with make_store(folder, profile) as store:
        Engine(profile, 0, tasks, store, executor, simulation=simulation).run()
        table = leaderboard(store, profile.ranked).drop(columns=list(TIME_COLUMNS))
        return rows(store) | {"csv": [table.to_csv(index=False)]}


def widened(window: int, proposals: int) -> Profile:
    return replace(PROFILE, search=replace(PROFILE.search, window=window, proposals=proposals))


@contextmanager
def ray_workers(count: int) -> Iterator[Executor]:
    executor = make_executor(SLOW, count, None)
    try:
        yield executor
    finally:
        executor.close()
        gc.collect()


@pytest.mark.slow
def test_two_workers_that_are_slowed_down_at_random_give_the_table_of_one_process(tmp_path: Path) -> None:
    local, tables = LocalExecutor(SLOW), []
    with ray_workers(2) as remote:
        for window in WINDOWS:
            profile = widened(window, 24)
            expected = search(tmp_path / f"local-{window}", profile, SLOW, local, Simulation())
            assert search(tmp_path / f"remote-{window}", profile, SLOW, remote, Slowed()) == expected, window
            tables.append(expected["csv"])
        trained = widened(4, 2)
        expected = search(tmp_path / "trained-local", trained, TASKS, local, None)
        assert search(tmp_path / "trained-remote", trained, SLOW, remote, None) == expected
    assert tables[0] != tables[1] != tables[2]  # the window is part of the run


@pytest.mark.slow
def test_every_window_gives_one_table_with_0_1_and_2_workers_that_train(tmp_path: Path) -> None:
    """One worker is simulated as well; two were above."""
    for workers, windows in ((1, WINDOWS[1:2]), (2, WINDOWS)):
        with ray_workers(workers) as remote:
            for window in windows:
                profile, local = widened(window, 4), tmp_path / f"local-{window}-{workers}"
                expected = search(local, profile, SLOW, LocalExecutor(SLOW), None)
                assert search(tmp_path / f"remote-{window}-{workers}", profile, SLOW, remote, None) == expected, window
            if workers == 1:
                simulated = search(tmp_path / "simulated", profile, SLOW, remote, Slowed())
                assert simulated == search(tmp_path / "alone", profile, SLOW, LocalExecutor(SLOW), Simulation())
