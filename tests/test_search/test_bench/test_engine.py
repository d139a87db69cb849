"""What `gatesearch bench --engine` measures, on a search of a second: the counts are right and the sizes are sizes."""

import gc
from dataclasses import replace

import pytest

from search.bench.engine import measure
from tests.test_search.searches import PROFILE


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray's own: sockets and files that its processes leave to the collector
def test_a_small_search_is_measured_in_every_way() -> None:
    options = {"validation": 300, "test": 300}
    memorization = replace(PROFILE.memorization, options={"length": 2, **options})
    xml = replace(PROFILE.tasks["xml"], options={"max_letters": 2, "min_letters": 1, **options})
    profile = replace(PROFILE, memorization=memorization, tasks={"xml": xml})
    found = measure(profile, proposals=30, ray_proposals=6, cluster_proposals=30, processors=2, seed=0)
    gc.collect()
    assert (found.proposals, found.processors, found.window) == (30, 2, 4)
    assert found.trials >= 30
    assert 6 <= found.ray_trials < found.trials
    assert 0 < found.cpu_seconds < 60
    assert found.ray_ms > 0
    assert 0 < found.resume_seconds < 60
    assert 0 < found.leaderboard_seconds < 60
    assert 0.05 < found.store_mb < 5
    assert abs(found.second_half_mb) < 100
    assert 0.5 < found.busy < 1
