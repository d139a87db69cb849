"""Scores calculated by hand: the smallest share of the reference's result over the ranked tasks."""

import pytest

from results.store.words import ScoreKind
from search.strategies.scoring import ScoreRule
from tasks.task import ACCURACY, NATS_PER_STEP, Metric

METRICS: dict[str, Metric] = {"xml": ACCURACY, "music": NATS_PER_STEP}
CONSTANTS = {"xml": 0.3, "music": 6.0}
REFERENCE = {"xml": 0.5, "music": 4.0}
RANKED = ("xml", "music")
RATIO, GAIN = (ScoreRule(kind, RANKED, METRICS, CONSTANTS, REFERENCE) for kind in (ScoreKind.RATIO, ScoreKind.GAIN))


def test_the_best_value_follows_the_direction_of_the_metric_and_skips_missing_ones() -> None:
    results: dict[str, list[float | None]] = {"xml": [0.2, None, 0.4], "music": [3.0, 2.5, None], "other": [1.0]}
    assert RATIO.bests(results) == {"xml": 0.4, "music": 2.5}
    assert RATIO.bests({"xml": [None], "music": []}) == {}


@pytest.mark.parametrize(
    ("bests", "ratio", "gain"),
    [
        ({"xml": 0.4, "music": 2.0}, 0.8, 0.5),  # 0.4 / 0.5 and 4 / 2; 0.1 / 0.2 and 4 / 2
        ({"xml": 0.6, "music": 5.0}, 0.8, 0.5),  # 0.6 / 0.5 and 4 / 5; 0.3 / 0.2 and 1 / 2
        ({"xml": 0.2, "music": 4.0}, 0.4, -0.5),  # 0.2 / 0.5; -0.1 / 0.2: worse than a constant prediction
        ({"xml": 0.4}, None, None),
        ({}, None, None),
    ],
)
def test_a_score_is_the_smallest_share_and_needs_every_ranked_task(
    bests: dict[str, float], ratio: float | None, gain: float | None
) -> None:
    assert RATIO.score(bests) == (ratio and pytest.approx(ratio))
    assert GAIN.score(bests) == (gain and pytest.approx(gain))


@pytest.mark.parametrize("rule", [RATIO, GAIN])
def test_the_reference_has_exactly_one_and_others_are_compared_with_it_alone(rule: ScoreRule) -> None:
    assert rule.score(REFERENCE) == 1.0
    assert rule.against({}).score(REFERENCE) is None
    assert rule.against({"xml": 0.7, "music": 4.0}).share("xml", 0.7) == 1.0


def test_tasks_that_do_not_rank_do_not_count() -> None:
    alone = ScoreRule(ScoreKind.RATIO, ("xml",), METRICS, CONSTANTS, REFERENCE)
    assert alone.score({"xml": 0.5, "music": 40.0}) == 1.0


def test_a_gain_needs_a_constant_baseline_and_a_reference_that_exceeds_it() -> None:
    assert ScoreRule(ScoreKind.GAIN, RANKED, METRICS, {}, REFERENCE).share("xml", 0.4) is None
    assert GAIN.against({"xml": 0.3}).share("xml", 0.4) is None
    assert GAIN.against({"xml": 0.2}).share("xml", 0.4) is None
    assert GAIN.gain("music", 5.5) == pytest.approx(0.5)
    assert GAIN.gain("xml", 0.25) == pytest.approx(-0.05)
