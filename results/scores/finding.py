"""Findings: a run's ruling on a conclusion of the paper, the comparisons it rests on, and what would decide it."""

from dataclasses import dataclass
from enum import StrEnum

from results.scores.units import METRIC, Unit

ALL_TASKS = "all tasks"
"""Task of a figure over all ranked tasks together."""


class Ruling(StrEnum):
    """Ruling of the data on a claim."""

    HOLDS = "holds"
    PARTLY = "holds on some tasks"  # over all tasks together, but some task shows the opposite
    FAILS = "does not hold"
    OPEN = "not decided"


class Standing(StrEnum):
    """Verdict on a cell against another one. `unknown`: there are only search estimates."""

    BETTER = "better"
    WORSE = "worse"
    EVEN = "even"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"

    @property
    def reversed(self) -> "Standing":
        """Verdict on the other cell."""
        return {Standing.BETTER: Standing.WORSE, Standing.WORSE: Standing.BETTER}.get(self, self)

    @property
    def behind(self) -> bool:
        """True if the cell is shown not to be better."""
        return self in (Standing.WORSE, Standing.EVEN)


@dataclass(frozen=True)
class Figure:
    """Comparison of two cells, by name, on one task.

    `value` and `reference` are the metrics of `cell` and `other`: test means, or the search's best validation metrics.
    `advantage` is their difference in `unit`, above 0 if `cell` is better, and `error` its standard error. On all tasks
    together, `value` and
    `reference` are means of the shares of the GRU's gain, else geometric means of the ratios to the LSTM. `p` is the p
    value of the paired t-test, `even_p` that of the test that the advantage is within `margin`, both corrected within
    the finding. `repeats` is the number of seeds, and `needed` that which would probably decide it.
    """

    task: str
    cell: str
    other: str
    value: float
    reference: float
    advantage: float
    error: float | None
    p: float | None
    even_p: float | None
    standing: Standing
    needed: int | None = None
    unit: Unit = METRIC
    margin: float = METRIC.margin
    repeats: int = 0


class Way(StrEnum):
    """Way to decide an open question."""

    REPEAT = "more seeds for the finalists of this run"
    CONFIRM = "more seeds for a contender of this run"
    BASELINES = "a run of the profile baselines, which has the missing cells and tasks"
    LARGER = "a run of a larger profile: the cells differ too little here, more than 200 seeds would be needed"


@dataclass(frozen=True)
class Remedy:
    """Remedy for an open question; for `Way.REPEAT` the total number of repeats and the cost of the missing ones.

    `seconds` are of one core, by the times of the run; None if some cells lack some of the repeats, or for `CONFIRM`.
    That way has the contender (label) and the task that get `repeats` seeds; no task for all of them, and no seeds for
    the rest of its looks.
    """

    way: Way
    repeats: int | None = None
    seconds: float | None = None
    cell: str | None = None
    task: str | None = None


@dataclass(frozen=True)
class Finding:
    """Ruling of a run on a conclusion of the paper, with reason and figures."""

    key: str
    claim: str
    ruling: Ruling
    why: str
    figures: tuple[Figure, ...]
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Section:
    """Section of a run's findings beside the paper's conclusions: a title and lines of text."""

    title: str
    lines: tuple[str, ...]
