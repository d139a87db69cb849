"""Adaptive choice of transformations: those that made good children are drawn more often.

A child is a success if its score is at least its parent's, at the highest rung at which both have one. It counts for
each transformation that made it, once, and is judged again when it is trained further. The weights are a function of
the outcomes that were told, so a run stays a function of its seed. (Probability matching with a least probability, as
in Thierens 2005, "An adaptive pursuit strategy for allocating operator probabilities", section 2.)
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from search.cells.transformations import Transformation

FLOOR = 0.1
"""Smallest weight of a transformation; the largest is 1."""


@dataclass(frozen=True)
class _Child:
    parent: str
    transformations: frozenset[Transformation]
    success: bool


class Adaptation:
    """Children and successes of each transformation.

    Attributes:
        children: number of children that each transformation took part in.
        successes: number of those that were successes.
    """

    def __init__(self) -> None:
        self.children: Counter[Transformation] = Counter()
        self.successes: Counter[Transformation] = Counter()
        self._known: dict[str, _Child] = {}

    def parent(self, cell: str) -> str | None:
        """Return the parent of a child that was told; None if the cell is none."""
        return self._known[cell].parent if cell in self._known else None

    def tell(self, cell: str, parent: str, transformations: Iterable[Transformation], success: bool) -> None:
        """Enter a child, by its id."""
        child = _Child(parent, frozenset(transformations), success)
        self._known[cell] = child
        self.children.update(child.transformations)
        if success:
            self.successes.update(child.transformations)

    def judge(self, cell: str, success: bool) -> None:
        """Judge a child again."""
        child = self._known[cell]
        if success is not child.success:
            change = self.successes.update if success else self.successes.subtract
            change(child.transformations)
            self._known[cell] = _Child(child.parent, child.transformations, success)

    def weights(self) -> dict[Transformation, float]:
        """Return the weight of each transformation: its rate of success, divided by the highest; never below `FLOOR`.

        Rates are smoothed by Laplace's rule of succession, (successes + 1) / (children + 2).
        """
        rates = {t: (self.successes[t] + 1) / (self.children[t] + 2) for t in Transformation}
        # Crossover has a probability of its own in the profile.
        highest = max(rate for t, rate in rates.items() if t is not Transformation.CROSSOVER)
        return {t: min(1.0, max(FLOOR, rate / highest)) for t, rate in rates.items()}

    def summary(self) -> dict[str, dict[str, float]]:
        """Return children, successes and weight of each transformation that made a child, by its name."""
        return {
            t.value: {"children": self.children[t], "successes": self.successes[t], "weight": weight}
            for t, weight in self.weights().items()
            if self.children[t]
        }
