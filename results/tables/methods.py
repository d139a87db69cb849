"""Tables of a comparison of search methods: curves, one row for each method, one for each pair, and the verdict."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from results.scores.anytime import Course, PairedTest, first_reach, paired_tests, quartiles, smallest_p
from results.scores.comparison import Verdict

CHECKPOINTS = 40
"""Number of equal steps of compute from 0 to the budget in the table of curves."""


@dataclass(frozen=True)
class SearchFigures:
    """Search of a method with one seed.

    Attributes:
        seed: seed of the search.
        course: confirmed score of its incumbent.
        proposals: number of proposals that ended within the budget.
        complete: number of these that have a score.
        compute: multiply-adds of these proposals.
        total: multiply-adds of all proposals.
        given: multiply-adds of the given cells, which are not counted in the budget.
        seconds: sum of the durations of all its trials.
    """

    seed: int
    course: Course
    proposals: int
    complete: int
    compute: float
    total: float
    given: float
    seconds: float


@dataclass(frozen=True)
class MethodFigures:
    """Method with its searches, in the order of the seeds."""

    name: str
    strategy: str
    allocation: str
    searches: tuple[SearchFigures, ...]

    @property
    def courses(self) -> tuple[Course, ...]:
        """Courses of the searches."""
        return tuple(search.course for search in self.searches)


@dataclass(frozen=True)
class Compared:
    """Comparison of methods over the same seeds.

    Attributes:
        methods: methods in the order of the plan.
        budget: multiply-adds of each search.
        training: multiply-adds of one training of the GRU on every ranked task.
        baseline: name of the method that the others are measured by.
        pairs: (method, other) that are tested.
        confirm: fresh seeds behind each score; 0 if the scores are those of recorded trials.
        confirm_seconds: durations of the trials on fresh seeds.
        simulated: whether the trials are simulated.
        description: one line about the comparison.
        found_only: whether searches are measured by the best cell that they found, not by what they would return.
    """

    methods: tuple[MethodFigures, ...]
    budget: float
    training: float
    baseline: str
    pairs: tuple[tuple[str, str], ...]
    confirm: int
    confirm_seconds: float = 0.0
    simulated: bool = False
    description: str = ""
    found_only: bool = False

    def method(self, name: str) -> MethodFigures:
        """Return the method of this name."""
        return next(method for method in self.methods if method.name == name)

    @property
    def seeds(self) -> int:
        """Number of search seeds."""
        return len(self.methods[0].searches)

    @cached_property
    def finals(self) -> dict[str, list[float]]:
        """Final score of each search, by method."""
        return {m.name: [course.at(self.budget) for course in m.courses] for m in self.methods}

    @cached_property
    def areas(self) -> dict[str, list[float]]:
        """Mean score over the compute of each search, by method."""
        return {m.name: [course.area(self.budget) for course in m.courses] for m in self.methods}

    @cached_property
    def final_tests(self) -> list[PairedTest]:
        """Tests of the final scores."""
        return paired_tests(self.finals, self.pairs)

    @cached_property
    def area_tests(self) -> list[PairedTest]:
        """Tests of the areas under the courses."""
        return paired_tests(self.areas, self.pairs)

    @property
    def level(self) -> float:
        """Median final score of the baseline."""
        return float(np.median(self.finals[self.baseline]))

    def reach(self, name: str) -> float | None:
        """Return the first compute at which a method's median reaches the baseline's median final score."""
        return first_reach(self.method(name).courses, self.level, self.budget)


CURVE_COLUMNS = {
    "method": "name of the method",
    "compute": "multiply-adds of the proposals so far",
    "trainings": "the same in trainings of the GRU on every ranked task",
    "low": "lower quartile, over the search seeds, of the incumbent's confirmed score",
    "median": "median of the incumbents' confirmed scores",
    "high": "upper quartile of the incumbents' confirmed scores",
}
"""Columns of `comparison.csv`."""

METHOD_COLUMNS = {
    "method": "name of the method",
    "strategy": "strategy of its searches",
    "allocation": "rule that allots training to candidates",
    "seeds": "number of search seeds",
    "proposals": "median number of proposals within the budget",
    "complete": "median number of proposals with a score",
    "final_low": "lower quartile of the final confirmed score",
    "final_median": "median final confirmed score over the search seeds",
    "final_high": "upper quartile of the final confirmed score",
    "area_low": "lower quartile of the mean score over the compute: the area under the curve over the budget",
    "area_median": "median, over the search seeds, of the mean score over the compute",
    "area_high": "upper quartile of the mean score over the compute",
    "reach_compute": "first compute at which the median reaches the baseline's median final score; missing if never",
    "reach_share": "share of the budget at which the median first reaches the baseline's median final score",
    "reach_ratio": "the same compute over that at which the baseline's own median first gets there",
    "difference": "mean difference of the final score to the baseline's, over matched seeds",
    "difference_low": "lower end of the difference's 95 % interval (t distribution, not corrected)",
    "difference_high": "upper end of that interval",
    "effect": "mean difference over the standard deviation of the differences",
    "p": "two-sided p value of the permutation test against the baseline",
    "p_adjusted": "the p value that decides (of the t-test with fewer than 6 seeds), corrected over all pairs",
    "verdict": "better, worse or undecided against the baseline at equal compute",
    "compute": "median multiply-adds of the proposals within the budget",
    "given_compute": "median multiply-adds of the given cells, which are outside the budget",
    "hours": "core-hours of all searches of the method",
}
"""Columns of `methods.csv`."""

TIME_COLUMNS = ("hours",)
"""Columns of `methods.csv` in which two equal comparisons differ."""

PAIR_COLUMNS = {
    "measure": "final (score at the end of the budget) or area (mean score over the compute)",
    "method": "name of the method",
    "other": "method that it is compared with",
    "seeds": "number of matched search seeds",
    "difference": "mean difference, above 0 if `method` is better",
    "low": "lower end of the difference's 95 % interval (t distribution, not corrected)",
    "high": "upper end of that interval",
    "effect": "mean difference over the standard deviation of the differences",
    "wins": "seeds on which `method` is better",
    "losses": "seeds on which it is worse",
    "p": "two-sided p value of the permutation test",
    "p_adjusted": "the same, corrected by Holm's method over the pairs of this measure",
    "p_normal": "two-sided p value of the paired t-test",
    "p_normal_adjusted": "the same, corrected by Holm's method over the pairs of this measure",
    "verdict": "better, worse or undecided; by the t-test with fewer than 6 seeds",
}
"""Columns of `pairs.csv`."""


def curve_table(compared: Compared) -> pd.DataFrame:
    """Return one row for each method and checkpoint of compute (`CURVE_COLUMNS`)."""
    rows = []
    for method in compared.methods:
        for k in range(CHECKPOINTS + 1):
            compute = compared.budget * k / CHECKPOINTS
            rows.append((method.name, compute, compute / compared.training, *quartiles(method.courses, compute)))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def method_table(compared: Compared) -> pd.DataFrame:
    """Return one row for each method (`METHOD_COLUMNS`)."""
    against = {test.method: test for test in compared.final_tests if test.other == compared.baseline}
    own = compared.reach(compared.baseline)
    rows = []
    for method in compared.methods:
        reach = compared.reach(method.name)
        test = against.get(method.name)
        searches = method.searches
        row: dict[str, object] = {
            "method": method.name,
            "strategy": method.strategy,
            "allocation": method.allocation,
            "seeds": len(searches),
            "proposals": float(np.median([s.proposals for s in searches])),
            "complete": float(np.median([s.complete for s in searches])),
            "reach_compute": reach,
            "reach_share": None if reach is None else reach / compared.budget,
            "reach_ratio": None if reach is None or not own else reach / own,
            "compute": float(np.median([s.compute for s in searches])),
            "given_compute": float(np.median([s.given for s in searches])),
            "hours": sum(s.seconds for s in searches) / 3600,
        }
        for name, values in (("final", compared.finals), ("area", compared.areas)):
            quarters = np.percentile(values[method.name], [25, 50, 75]).tolist()
            row |= dict(zip((f"{name}_low", f"{name}_median", f"{name}_high"), quarters, strict=True))
        if test is not None:
            row |= {
                "difference": test.difference,
                "difference_low": test.low,
                "difference_high": test.high,
                "effect": test.effect,
                "p": test.p,
                "p_adjusted": test.adjusted if test.by_permutation else test.adjusted_normal,
                "verdict": str(test.verdict),
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(METHOD_COLUMNS))


def pair_table(compared: Compared) -> pd.DataFrame:
    """Return one row for each measure and tested pair (`PAIR_COLUMNS`)."""
    rows = [
        (
            *(measure, t.method, t.other, t.seeds, t.difference, t.low, t.high, t.effect, t.wins, t.losses),
            *(t.p, t.adjusted, t.p_normal, t.adjusted_normal, str(t.verdict)),
        )
        for measure, tests in (("final", compared.final_tests), ("area", compared.area_tests))
        for t in tests
    ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def verdict_lines(compared: Compared) -> list[str]:
    """Return the verdict: a sentence on the best method, one on each other method, and one on the tests."""
    others = [m.name for m in compared.methods if m.name != compared.baseline]
    reaches = {name: compared.reach(name) for name in others}
    ordered = sorted(
        others,
        key=lambda name: (
            math.inf if (reach := reaches[name]) is None else reach,
            -float(np.median(compared.finals[name])),
        ),
    )
    lines = [_sentence(compared, name, reaches[name]) for name in ordered]
    if not _baseline_gains(compared):
        lines.append(
            f"The median final score of {compared.baseline}, {compared.level:.4f}, is not above that of the given "
            "cells, so no compute to reach it is told."
        )
    return [*lines, words_on_tests(compared)]


def _baseline_gains(compared: Compared) -> bool:
    """Return whether the baseline finds anything better than the given cells: reaching less costs nothing."""
    return compared.level > quartiles(compared.method(compared.baseline).courses, 0.0)[1]


def _sentence(compared: Compared, name: str, reach: float | None) -> str:
    level, baseline = f"{compared.level:.4f}", compared.baseline
    if not _baseline_gains(compared):
        reached = f"{name} against {baseline}:"
    elif reach is None:
        final = float(np.median(compared.finals[name]))
        reached = f"{name} does not reach the median final score of {baseline} ({level}); its own is {final:.4f};"
    else:
        share = reach / compared.budget
        reached = f"{name} reaches the median final score of {baseline} ({level}) at {share:.2f} of its compute;"
    test = next(t for t in compared.final_tests if {t.method, t.other} == {name, baseline})
    sign = 1.0 if test.method == name else -1.0
    low, high = sorted((sign * test.low, sign * test.high))
    verdict = test.verdict if sign > 0 else test.verdict.reversed
    p = test.adjusted if test.by_permutation else test.adjusted_normal
    wins = test.wins if sign > 0 else test.losses
    said = {
        Verdict.BETTER: "its final score is better",
        Verdict.WORSE: "its final score is worse",
        Verdict.UNDECIDED: "it is undecided which final score is better",
    }[verdict]
    return (
        f"{reached} at equal compute {said}; mean difference {sign * test.difference:+.4f}, 95 % interval "
        f"{low:+.4f} to {high:+.4f}, better on {wins} of {test.seeds} seeds, corrected p = {p:.3g}."
    )


def words_on_tests(compared: Compared) -> str:
    """Return a sentence on the tests behind the verdict."""
    seeds, pairs = compared.seeds, len(compared.pairs)
    family = f"corrected by Holm's method over {pairs} pair{'s' if pairs > 1 else ''}"
    least = smallest_p(seeds)
    if compared.final_tests and compared.final_tests[0].by_permutation:
        return f"Tests: paired permutation tests over {seeds} matched search seeds, {family}."
    return (
        f"Tests: paired t-tests over {seeds} matched search seeds, {family}; they assume normal differences. With "
        f"{seeds} seeds a permutation test has no p value below {least:.4g}, so it can decide nothing; 6 seeds or more "
        "are judged by it."
    )
