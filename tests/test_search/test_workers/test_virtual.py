"""A cluster in virtual time: its clock and its shares, by hand and from a whole search."""

from dataclasses import replace
from pathlib import Path

import pytest

from search.cells.library import LIBRARY
from search.engine.engine import Engine
from search.training.simulation import Simulation, draw_trial
from search.workers.job import Job
from search.workers.virtual import VirtualCluster
from tests.test_search.test_engine.searches import PROFILE, TASKS, make_store, rows
from tests.test_search.test_workers.jobs import BUDGET, SETTING, XML


def jobs(count: int) -> list[tuple[Job, float]]:
    """Jobs of one, two, ... epochs, and the seconds that they take."""
    made = []
    for k in range(count):
        budget = replace(BUDGET, epochs=k + 1, halvings=k, chance_epochs=100)
        job = Job(LIBRARY["gru"].graph, "xml", SETTING, budget, k, 0.1, Simulation())
        made.append((job, draw_trial(job.graph, "xml", XML, SETTING, budget, k, 0.1).seconds))
    return made


def test_one_processor_takes_the_sum_and_many_the_longest() -> None:
    for processors in (1, 9):
        cluster = VirtualCluster({"xml": XML}, processors)
        made = jobs(4)
        for job, _ in made:
            cluster.submit(job, 0)
        ends = []
        for _ in made:
            cluster.next()
            ends.append(cluster.now)
        seconds = [seconds for _, seconds in made]
        assert len(set(seconds)) == 4
        assert ends == sorted(ends)
        assert cluster.now == pytest.approx(sum(seconds) if processors == 1 else max(seconds))
        assert cluster.busy == pytest.approx(1.0 if processors == 1 else sum(seconds) / max(seconds) / 9)


def test_a_continued_trial_takes_the_time_of_its_remaining_steps() -> None:
    cluster = VirtualCluster({"xml": XML}, 1)
    budget = replace(BUDGET, epochs=4, halvings=1, chance_epochs=100, marks=(1,))
    job = Job(LIBRARY["gru"].graph, "xml", SETTING, budget, 0, 0.1, Simulation())
    seconds = draw_trial(job.graph, "xml", XML, SETTING, budget, 0, 0.1).seconds
    checkpoint = None
    for until, steps in ((1, 1), (6, 6), (None, 12)):
        cluster.submit(replace(job, until=until, checkpoint=checkpoint), 0)
        _, result = cluster.next()
        checkpoint = result.checkpoint
        assert result.steps == steps
        assert result.seconds == pytest.approx(seconds * steps / 12)
        assert cluster.now == pytest.approx(result.seconds)  # the parts add up to the whole
    cluster.submit(replace(job, until=6, checkpoint=b"damaged"), 0)
    assert cluster.next()[1].steps == 6
    assert cluster.now == pytest.approx(1.5 * seconds)
    assert cluster.busy == pytest.approx(1.0)


def test_a_free_processor_takes_the_next_job_at_once() -> None:
    cluster = VirtualCluster({"xml": XML}, 2)
    made = sorted(jobs(3), key=lambda entry: entry[1])
    tickets = [cluster.submit(job, priority) for priority, (job, _) in enumerate(made)]
    (a, b, c) = (seconds for _, seconds in made)
    assert [cluster.next()[0] for _ in range(3)] == [tickets[0], *([tickets[1], tickets[2]])]
    assert cluster.now == pytest.approx(max(b, a + c))
    assert cluster.busy == pytest.approx((a + b + c) / 2 / max(b, a + c))


def test_a_search_on_it_gives_the_rows_of_one_process_and_a_wider_window_keeps_it_busier(tmp_path: Path) -> None:
    shares = []
    for window in (1, 16):
        profile = replace(PROFILE, search=replace(PROFILE.search, proposals=60, window=window))
        found = []
        for processors in (1, 8):
            with make_store(tmp_path / f"{window}-{processors}", profile) as store:
                cluster = VirtualCluster(TASKS, processors)
                Engine(profile, 0, TASKS, store, cluster, simulation=Simulation()).run()
                found.append(rows(store))
        assert found[0] == found[1]
        shares.append(cluster.busy)
    assert shares[0] < 0.5 * shares[1] < 0.5
