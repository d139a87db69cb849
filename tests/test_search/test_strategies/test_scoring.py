"""Scores calculated by hand: the smallest ratio over the ranked tasks."""

import pytest

from search.strategies.scoring import best_values, score_of
from tasks.task import ACCURACY, NATS_PER_STEP, Metric

METRICS: dict[str, Metric] = {"xml": ACCURACY, "music": NATS_PER_STEP}
REFERENCE = {"xml": 0.5, "music": 4.0}


def test_the_best_value_follows_the_direction_of_the_metric_and_skips_missing_ones() -> None:
    results: dict[str, list[float | None]] = {"xml": [0.2, None, 0.4], "music": [3.0, 2.5, None], "other": [1.0]}
    assert best_values(results, METRICS) == {"xml": 0.4, "music": 2.5}
    assert best_values({"xml": [None], "music": []}, METRICS) == {}


@pytest.mark.parametrize(
    ("bests", "expected"),
    [
        ({"xml": 0.4, "music": 2.0}, 0.8),  # 0.4 / 0.5 and 4 / 2
        ({"xml": 0.6, "music": 5.0}, 0.8),  # 0.6 / 0.5 and 4 / 5
        ({"xml": 0.4}, None),
        ({}, None),
    ],
)
def test_a_score_is_the_smallest_ratio_and_needs_every_ranked_task(
    bests: dict[str, float], expected: float | None
) -> None:
    found = score_of(bests, REFERENCE, ("xml", "music"), METRICS)
    assert found == (expected and pytest.approx(expected))


def test_tasks_that_do_not_rank_do_not_count() -> None:
    assert score_of({"xml": 0.5, "music": 40.0}, REFERENCE, ("xml",), METRICS) == 1.0
