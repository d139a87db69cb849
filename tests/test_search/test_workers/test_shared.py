"""Several searches over one executor: each gives what it gives alone, and one failure stops all."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from search.core.errors import SearchError
from search.training.trial import TrialResult
from search.workers.executor import LocalExecutor
from search.workers.shared import SearchView, SharedExecutor
from tasks.task import Task
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, run
from tests.test_search.test_workers.executors import Counting, Shuffled
from tests.test_search.test_workers.jobs import XML, make_job

SHORT = replace(PROFILE, search=replace(PROFILE.search, proposals=5))


class Failing(LocalExecutor):
    """Loses its workers after some jobs."""

    def __init__(self, tasks: Mapping[str, Task], jobs: int) -> None:
        super().__init__(tasks)
        self._left = jobs

    def next(self) -> tuple[int, TrialResult]:
        if self._left == 0:
            raise SearchError("workers failed")
        self._left -= 1
        return super().next()


@pytest.mark.slow
def test_two_searches_side_by_side_give_the_rows_that_each_gives_alone(tmp_path: Path) -> None:
    executor = Shuffled(TASKS, 3)
    shared, found = SharedExecutor(executor), dict[int, Rows]()

    def search(seed: int, view: SearchView) -> None:
        found[seed] = run(tmp_path / f"shared-{seed}", view, SHORT, seed)[0]

    threads = [threading.Thread(target=search, args=(seed, shared.view())) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    shared.serve(threads)
    assert executor.trained.total() == sum(len(rows["trials"]) for rows in found.values())
    for seed in (0, 1):
        assert found[seed] == run(tmp_path / f"alone-{seed}", profile=SHORT, seed=seed)[0]


def test_each_search_gets_its_own_results() -> None:
    executor = Counting({"xml": XML})
    shared, found = SharedExecutor(executor), dict[int, list[tuple[int, int]]]()

    def ask(number: int, view: SearchView) -> None:
        tickets = {view.submit(make_job(10 * number + k), k): k for k in range(3)}
        got = [view.next() for _ in range(3)]
        found[number] = [(tickets[ticket], result.steps) for ticket, result in got]

    threads = [threading.Thread(target=ask, args=(number, shared.view())) for number in range(3)]
    for thread in threads:
        thread.start()
    shared.serve(threads)
    assert [sorted(k for k, _ in found[number]) for number in range(3)] == [[0, 1, 2]] * 3
    assert executor.trained.total() == 9


def test_an_executor_that_fails_stops_every_search() -> None:
    shared, stopped = SharedExecutor(Failing({"xml": XML}, 2)), list[int]()

    def ask(number: int, view: SearchView) -> None:
        for k in range(5):
            view.submit(make_job(k), k)
        try:
            while True:
                view.next()
        except KeyboardInterrupt:
            stopped.append(number)

    threads = [threading.Thread(target=ask, args=(number, shared.view())) for number in range(2)]
    for thread in threads:
        thread.start()
    with pytest.raises(SearchError, match="workers failed"):
        shared.serve(threads)
    assert sorted(stopped) == [0, 1]
    assert not any(thread.is_alive() for thread in threads)
