"""The same table whatever the number of workers, with workers slowed down at random, for each window on its own."""

import gc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from results.tables.leaderboard import TIME_COLUMNS, leaderboard
from search.engine.engine import Engine
from search.profiles.profile import Profile
from search.training.simulation import Simulation
from search.workers.executor import Executor, make_executor
from tasks.task import Task
from tests.test_search.searches import PROFILE, TASKS, Rows, make_store, rows
from tests.test_search.small import Slowed, Sluggish

WINDOWS = (1, 4, 32)
SLOW: dict[str, Task] = {**TASKS, "xml": Sluggish(min_letters=1, max_letters=2, validation=600, test=900)}


def search(
    folder: Path, profile: Profile, tasks: Mapping[str, Task], executor: Executor, simulation: Simulation | None
) -> Rows:
    """All rows of a search, and the CSV without the columns of times."""
    with make_store(folder, profile) as store:
        Engine(profile, 0, tasks, store, executor, simulation=simulation).run()
        table = leaderboard(store, profile.ranked).drop(columns=list(TIME_COLUMNS))
        return rows(store) | {"csv": [table.to_csv(index=False)]}


def widened(window: int, proposals: int) -> Profile:
    return replace(PROFILE, search=replace(PROFILE.search, window=window, proposals=proposals))


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray's own: sockets and files that its processes leave to the collector
def test_every_window_gives_one_table_with_0_1_and_2_workers_that_are_slowed_down_at_random(tmp_path: Path) -> None:
    found: dict[tuple[str, int], list[Rows]] = {}
    for workers in (0, 1, 2):
        executor = make_executor(SLOW, workers, None)
        try:
            for window in WINDOWS:
                folder = tmp_path / f"simulated-{window}-{workers}"
                slowed = search(folder, widened(window, 24), SLOW, executor, Slowed() if workers else Simulation())
                found.setdefault(("simulated", window), []).append(slowed)
                folder = tmp_path / f"trained-{window}-{workers}"
                found.setdefault(("trained", window), []).append(
                    search(folder, widened(window, 6), SLOW, executor, None)
                )
        finally:
            executor.close()
            gc.collect()
    for name, runs in found.items():
        assert len(runs) == 3
        assert runs[1] == runs[0], name
        assert runs[2] == runs[0], name
    tables = [found["simulated", window][0]["csv"] for window in WINDOWS]
    assert tables[0] != tables[1] != tables[2]  # the window is part of the run
