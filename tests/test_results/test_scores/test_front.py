"""The front against its definition, by brute force over random points with many ties."""

import math

import numpy as np

from results.scores.front import on_front, on_fronts
from results.scores.ratio import Floats


def brute(scores: Floats, costs: Floats, same: float) -> list[bool]:
    points = list(zip(scores.tolist(), costs.tolist(), strict=True))
    known = [point for point in points if not any(math.isnan(number) for number in point)]

    def beaten(score: float, cost: float) -> bool:
        return any((s > score and c <= cost * (1 + same)) or (s >= score and c * (1 + same) < cost) for s, c in known)

    return [point in known and not beaten(*point) for point in points]


def test_the_front_is_its_definition_whatever_the_ties() -> None:
    rng = np.random.default_rng(0)
    sizes = set()
    for _ in range(300):
        count = int(rng.integers(1, 30))
        values = rng.choice([0.5, 1.0, 2.0, 3.0, np.nan, np.inf], (2, count))
        if rng.random() < 0.5:
            values = np.where(rng.random((2, count)) < 0.1, np.nan, rng.lognormal(size=(2, count)).round(1))
        same = float(rng.choice([0.0, 0.03, 0.5]))
        found = on_front(values[0], values[1], same)
        assert found.tolist() == brute(values[0], values[1], same), values
        sizes.add(int(found.sum()))
    assert len(sizes) > 5


def test_equal_points_are_on_the_front_together_and_an_equal_score_at_more_cost_is_not() -> None:
    scores, costs = np.array([1.0, 1.0, 1.0, 0.9, 1.2]), np.array([2.0, 2.0, 3.0, 2.0, 9.0])
    assert on_front(scores, costs).tolist() == [True, True, False, False, True]


def test_costs_that_differ_by_the_rounding_of_units_are_equal() -> None:
    scores, costs = np.array([1.0, 0.7, 0.9]), np.array([1.0, 0.995, 0.95])
    assert on_front(scores, costs).tolist() == [True, False, True]
    assert on_front(scores, costs, 0.0).tolist() == [True, False, True]  # the last dominates the second anyway
    assert on_front(scores[:2], costs[:2], 0.0).tolist() == [True, True]
    assert on_front(scores[:2], costs[:2]).tolist() == [True, False]


def test_fronts_are_named_by_their_costs() -> None:
    found = on_fronts(
        np.array([1.0, 0.9, np.nan]), {"parameters": np.array([2.0, 1, 0]), "adds": np.array([1.0, 1, 0])}
    )
    assert found == ["parameters adds", "parameters", ""]
