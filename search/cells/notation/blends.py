"""Blends in a sum: terms z * a, b and -(z * b) of it are z * a + (1 - z) * b."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple, TypeAlias

Product: TypeAlias = tuple[int, ...]
"""A product of values that are named by numbers, in ascending order, repeated as often as they are factors."""

MOST_FACTORS = 6
"""Longest negative product in which gates of several factors are sought."""

VISITS = 2000
"""Limit of the choices that the search tries."""


class Blend(NamedTuple):
    """The sum gate * a + (1 - gate) * b."""

    gate: Product
    a: Product
    b: Product


def find_blends(positive: Counter[Product], negative: Counter[Product]) -> tuple[list[Blend], Counter[Product]] | None:
    """Return blends for all negative products of a sum, and the positive ones that are left; None if none are found.

    Args:
        positive: products that are added, with their numbers.
        negative: products that are subtracted.
    """
    return _Search().run(Counter(positive), sorted(negative.elements()))


class _Search:
    def __init__(self) -> None:
        self.visits = 0

    def run(self, left: Counter[Product], negative: list[Product]) -> tuple[list[Blend], Counter[Product]] | None:
        if not negative:
            return [], +left
        first, *others = negative
        for blend in _candidates(first, left):
            self.visits += 1
            if self.visits > VISITS:
                return None
            after = left.copy()
            after[blend.b] -= 1
            after[_times(blend.gate, blend.a)] -= 1
            found = self.run(after, others) if min(after.values()) >= 0 else None
            if found is not None:
                return [blend, *found[0]], found[1]
        return None


def _candidates(product: Product, left: Counter[Product]) -> Iterator[Blend]:
    """Yield blends with -(gate * b) equal to minus this product, whose other terms are among those that are left."""
    most = len(product) - 1 if len(product) <= MOST_FACTORS else 1
    for size in range(1, most + 1):
        for gate in sorted(set(combinations(product, size))):
            b = _without(product, gate)
            if left[b] <= 0:
                continue
            for term in sorted(left):
                a = _without(term, gate)
                if left[term] > 0 and a and len(a) == len(term) - size:
                    yield Blend(gate, a, b)


def _times(one: Product, other: Product) -> Product:
    return tuple(sorted(one + other))


def _without(product: Product, factors: Product) -> Product:
    return tuple(sorted((Counter(product) - Counter(factors)).elements()))
