"""Figures of `gatesearch bench --engine` on very small searches: the counts are right and the sizes are sizes."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from results.store.rungs import rungs_of
from results.store.store import Store
from search.bench.engine import measure_alone, measure_cluster, measure_engine, measure_resume
from search.engine.cost import busy_processors
from search.engine.engine import Engine
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.training.simulation import Simulation
from search.workers.executor import LocalExecutor
from tests.test_search.test_engine.searches import PROFILE


def small_profile() -> Profile:
    options = {"validation": 300, "test": 300}
    memorization = replace(PROFILE.memorization, options={"length": 2, **options})
    xml = replace(PROFILE.tasks["xml"], options={"max_letters": 2, "min_letters": 1, **options})
    return replace(PROFILE, memorization=memorization, tasks={"xml": xml})


def test_a_search_alone_ends_with_the_last_proposal_asked_for_and_is_resumed_at_the_next_trial(tmp_path: Path) -> None:
    profile = small_profile()
    tasks = load_tasks(profile)
    alone = measure_alone(profile, tasks, 30, 0, tmp_path / "run")
    with Store.open(tmp_path / "run", readonly=True) as store:
        before = len(store.trials())
        assert sum(row.index >= 0 for row in store.proposals()) == 30
        baselines = {cell.id for cell in store.cells() if cell.origin == "baseline"}
        assert alone.trials <= before <= alone.trials + sum(row.cell in baselines for row in store.trials())
    assert alone.trials >= 30
    assert alone.seconds > 0
    assert min(alone.memory_mb) > 10  # a Python process with PyTorch
    resume, table = measure_resume(tmp_path / "run", tasks, 0)
    assert min(resume, table) > 0
    with Store.open(tmp_path / "run", readonly=True) as store:
        assert len(store.trials()) == before
    with Store.open(tmp_path / "run") as store:  # to its end: no trial is left that it could be resumed with
        Engine(profile_of(store), 0, tasks, store, LocalExecutor(tasks), simulation=Simulation()).run()
    resume, table = measure_resume(tmp_path / "run", tasks, 0)
    assert min(resume, table) > 0
    assert (tmp_path / "run" / "leaderboard.csv").read_text().count("\n") > len(baselines)


def test_a_window_of_four_keeps_two_processors_busy_and_not_32(tmp_path: Path) -> None:
    profile = small_profile()
    tasks = load_tasks(profile)
    two, many = (measure_cluster(profile, tasks, 30, count, 0, tmp_path / str(count)) for count in (2, 32))
    assert 0.0 < many < 0.5 < two < 1.0


def halving_profile(window: int) -> Profile:
    profile = small_profile()
    schedule = replace(profile.tasks["xml"].schedule, epoch_steps=30, epochs=9)
    search = replace(profile.search, allocation="halving", window=window)
    return replace(profile, search=search, tasks={"xml": replace(profile.tasks["xml"], schedule=schedule)})


@pytest.mark.exact
def test_a_window_of_32_keeps_eight_processors_busy_with_halving(tmp_path: Path) -> None:
    profile = halving_profile(32)
    tasks = load_tasks(profile)
    assert busy_processors(profile) == 8
    few, many = (measure_cluster(profile, tasks, 900, count, 0, tmp_path / str(count)) for count in (8, 64))
    assert 0.0 < many < 0.5 < 0.8 < few < 1.0  # with its idle start and end; of ten times as many proposals 0.9


@pytest.mark.slow
def test_a_search_with_halving_keeps_its_memory_and_its_store_small(tmp_path: Path) -> None:
    """At 10,000 proposals: a store of at most 300 MB, and 150 MB of memory for what it knows of its cells."""
    profile = halving_profile(64)
    alone = measure_alone(profile, load_tasks(profile), 1200, 0, tmp_path / "run")
    with Store.open(tmp_path / "run", readonly=True) as store:
        found = rungs_of(store)
    assert found is not None
    assert [rung.tried > 0 for rung in found.rungs] == [True] * 5
    assert found.promotions > 0.2 * found.rungs[0].tried
    assert sum(file.stat().st_size for file in (tmp_path / "run").iterdir()) < 1200 * 30_000
    assert alone.memory_mb[2] - alone.memory_mb[1] < 600 * 15e-3


@pytest.mark.exact
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and files to the garbage collector
def test_a_small_search_is_measured_in_every_way() -> None:
    found = measure_engine(small_profile(), proposals=30, ray_proposals=4, cluster_proposals=30, processors=2, seed=0)
    gc.collect()
    assert (found.proposals, found.processors, found.window) == (30, 2, 4)
    assert found.trials >= 30
    assert 4 <= found.ray_trials < found.trials
    assert min(found.cpu_seconds, found.ray_ms, found.resume_seconds, found.leaderboard_seconds) > 0
    assert 0.05 < found.store_mb < 5
    assert abs(found.second_half_mb) < 100
    assert 0.5 < found.busy < 1
