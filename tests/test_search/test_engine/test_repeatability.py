"""The same table whatever the number of workers, with workers slowed down at random, for each window."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from results.tables.columns import TIME_COLUMNS
from results.tables.leaderboard import leaderboard
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


@pytest.mark.exact
def test_two_workers_that_are_slowed_down_at_random_give_the_table_of_one_process(tmp_path: Path) -> None:
    local, tables = LocalExecutor(SLOW), []
    with ray_workers(2) as remote:
        for window in WINDOWS:
            profile = widened(window, 24)
            expected = search(tmp_path / f"local-{window}", profile, SLOW, local, Simulation())
            assert search(tmp_path / f"remote-{window}", profile, SLOW, remote, Slowed()) == expected, window
            tables.append(expected["csv"])
            trained = widened(window, 2)
            expected = search(tmp_path / f"trained-local-{window}", trained, TASKS, local, None)
            assert search(tmp_path / f"trained-remote-{window}", trained, SLOW, remote, None) == expected
    assert tables[0] != tables[1] != tables[2]  # the window is part of the run
