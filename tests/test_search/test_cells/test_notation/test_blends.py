"""Blends that are found in a sum have its value, and are found wherever the sum was made of blends."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np
import pytest

from search.cells.notation.blends import Blend, Product, find_blends


def value(terms: Counter[Product], numbers: list[float]) -> float:
    return sum(count * prod(numbers[i] for i in product) for product, count in terms.items())


@pytest.mark.parametrize("seed", range(40))
def test_a_sum_of_blends_is_written_with_as_many_blends(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def drawn(most: int) -> Product:
        return tuple(sorted(rng.integers(30, size=rng.integers(1, most + 1)).tolist()))

    made = [Blend(drawn(2), drawn(2), drawn(2)) for _ in range(rng.integers(1, 4))]
    total = Counter(drawn(3) for _ in range(rng.integers(0, 3)))
    for gate, a, b in made:
        total[tuple(sorted(gate + a))] += 1
        total[b] += 1
        total[tuple(sorted(gate + b))] -= 1
    positive, negative = +total, -total
    found = find_blends(positive, negative)
    assert found is not None
    blends, left = found
    assert len(blends) == sum(negative.values()) <= len(made)
    numbers = rng.uniform(-2, 2, size=30).tolist()
    written = value(left, numbers)
    for gate, a, b in blends:
        z, one, other = (prod(numbers[i] for i in part) for part in (gate, a, b))
        written += z * one + (1 - z) * other
    assert written == pytest.approx(value(positive, numbers) - value(negative, numbers))


def test_differences_that_are_no_blends_have_none() -> None:
    x, h, z, r = (0,), (1,), (2,), (3,)
    for positive, negative in (
        ([x], [h]),
        ([x], [(1, 2)]),
        ([h], [(1, 2)]),  # nothing that the gate multiplies
        ([h, z], [(1, 2)]),  # the gate alone: times one, which is no value
        ([h, (0, 2)], [(1, 2), (1, 2)]),
        ([h, (0, 2), (0, 3)], [(1, 2), (1, 3)]),  # h is needed twice
        ([r, (0, 3)], [(1, 2)]),
    ):
        assert find_blends(Counter(positive), Counter(negative)) is None
    assert find_blends(Counter([x]), Counter()) == ([], Counter([x]))
