"""Confirmation of contenders on fresh seeds: few tests, declared beforehand, looked at a planned number of times.

A cell that was chosen because its trials were good looks better in them than it is. Its contenders are therefore
trained again on seeds that took no part in the choice, beside the GRU and the LSTM, and judged on these trials alone.
What is tested is declared in the run's information before the first such trial
(`results.store.information.Confirming`): each contender against the GRU and the LSTM on each ranked task.

*Looks.* A test is looked at when it has 10, 20, 30 seeds, say, and stops as soon as it is decided. With K planned
looks, its p value is K times the smallest p value of the paired t-test over the looks so far, at most 1. By the union
bound, that is a valid p value whatever the rule of stopping. (Pocock 1977 shows how an uncorrected test at each look
errs; his bounds are a little tighter than 1 / K, and hold for normal differences with known variance.) Its interval
has the level 1 - 0.05 / K for the same reason: all K intervals of a test are right at once with probability 95 %.

*Families.* Holm's correction over all declared tests (1979) controls the probability that any equal pair is called
better or worse, at 5 %. Tests that are not decided yet count with their p value so far. Whether a pair is *even*, that
is, differs by less than a margin (`results.scores.units`), has two one-sided tests (Schuirmann 1987), the same K looks,
and a family of its own over the same pairs, at 5 % too: two kinds of verdict, each with at most 5 % of runs in which
any is wrong. Declaring another cell later enlarges both families; the 5 % hold for a family that does not depend on the
results. A look that is added after the planned ones, because they did not decide, costs level, too: with K planned
looks and one more, the bound is 5 % x (1 + 1 / (K + 1)).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from results.scores.comparison import even_rows, holm, paired_rows
from results.scores.estimates import GRU, LSTM
from results.scores.finding import Standing
from results.scores.power import repeats_needed
from results.scores.ratio import Floats, direction
from results.scores.units import GAIN, METRIC, Unit, mean_and_error, signed_units, unit_gain
from results.store.information import FIRST_CONFIRMATION, Confirming
from results.store.store import Store
from results.store.words import RANKED_STATES, TrialState

_TRIALS = f"""
    SELECT cell, task, setting, repeat, higher_is_better, state, test FROM trials
    WHERE repeat >= ? AND state <> '{TrialState.PAUSED}' ORDER BY cell, task, repeat"""
_TRIAL_KINDS = {
    **{"cell": str, "task": str, "setting": str, "repeat": int, "higher_is_better": bool},
    **{"state": str, "test": float | None},
}


@dataclass(frozen=True)
class DeclaredTest:
    """Test of a contender against the GRU or the LSTM on a task.

    `looks` are the numbers of seeds at which it is looked at. So many as `least` are trained, even if fewer decide.
    """

    task: str
    cell: str
    other: str
    looks: tuple[int, ...]
    least: int = 0


@dataclass(frozen=True)
class Measurements:
    """Test metrics of the confirmation's trials, by (task, cell): entry i is that of repeat 1001 + i.

    A list ends before the first repeat that is missing. `diverged` says which entries diverged or failed: they count as
    the constant baseline. `constants` has the constant baseline on the test set of the tasks where it is known, and
    `signed` the unit of the metric where that may be negative.
    """

    values: Mapping[tuple[str, str], Floats]
    diverged: Mapping[tuple[str, str], list[bool]]
    higher: Mapping[str, bool]
    constants: Mapping[str, float] = field(default_factory=dict)
    signed: Mapping[str, Unit] = field(default_factory=dict)

    def count(self, task: str, cell: str) -> int:
        """Return the number of seeds that a cell has on a task."""
        found = self.values.get((task, cell))
        return 0 if found is None else found.size

    def difference(self, test: DeclaredTest, seeds: int) -> Floats:
        """Return the differences of a test's first `seeds` seeds, above 0 if the contender is better."""
        own, other = self.values[test.task, test.cell][:seeds], self.values[test.task, test.other][:seeds]
        return np.asarray(direction(self.higher[test.task]) * (own - other), np.float64)

    def unit(self, test: DeclaredTest, seeds: int) -> tuple[float, Unit]:
        """Return the unit of a test's effect: its size in the metric's own unit, and what it is.

        The unit is taken as exact: its own error changes an effect of a few percent by a few percent of itself. That
        does not hold for a gain within its noise, which is therefore no unit (`unit_gain`).
        """
        constant = self.constants.get(test.task)
        reference = self.values.get((test.task, GRU))
        if constant is not None and reference is not None and reference.size:
            found = unit_gain(*mean_and_error(reference[:seeds]), constant, self.higher[test.task])
            if found is not None:
                return found, GAIN
        if test.task in self.signed:
            return 1.0, self.signed[test.task]
        return abs(float(self.values[test.task, test.other][:seeds].mean())), METRIC


@dataclass(frozen=True)
class Course:
    """Course of the tests over their looks so far. Arrays have one entry for each test.

    Attributes:
        seeds: seeds of the last look; 0 before the first.
        p: p value over the looks so far, 1 before the first.
        sign: direction of the difference at the look with the smallest p value.
        even_p: the same p value of the test that the cells are even.
        adjusted: `p`, corrected over the tests.
        even_adjusted: `even_p`, corrected over the tests.
        wanted: seeds that the next look needs, by (task, cell); empty when the confirmation has ended.
    """

    seeds: np.ndarray
    p: Floats
    sign: Floats
    even_p: Floats
    adjusted: Floats
    even_adjusted: Floats
    wanted: Mapping[tuple[str, str], int]


def follow(tests: Sequence[DeclaredTest], measured: Measurements, level: float) -> Course:
    """Follow the tests from look to look, as far as the trials reach. A pure function, so it can be resumed anywhere.

    Args:
        tests: every declared test, of which there is one at least.
        measured: the trials so far. Those beyond what a look asks for are not used.
        level: level of each family of tests.
    """
    planned = np.array([len(test.looks) for test in tests])
    seeds = np.zeros(len(tests), np.int64)
    p, even_p, sign = np.ones(len(tests)), np.ones(len(tests)), np.zeros(len(tests))
    adjusted, even_adjusted = np.ones(len(tests)), np.ones(len(tests))
    wanted: dict[tuple[str, str], int] = {}
    for count in sorted({look for test in tests for look in test.looks}):
        decided = (adjusted < level) | (even_adjusted < level)
        active = [k for k, test in enumerate(tests) if count in test.looks and (not decided[k] or count <= test.least)]
        wanted = {(tests[k].task, cell): count for k in active for cell in (tests[k].cell, tests[k].other)}
        if any(measured.count(*key) < count for key in wanted):
            return Course(seeds, p, sign, even_p, adjusted, even_adjusted, wanted)
        if not active:
            continue
        differences, relative = np.empty((len(active), count)), np.empty((len(active), count))
        for row, k in enumerate(active):
            size, unit = measured.unit(tests[k], count)
            differences[row] = measured.difference(tests[k], count)
            margin = unit.margin * size
            relative[row] = differences[row] / margin if margin > 0 else np.inf
        means, _, looked = paired_rows(differences)
        looked = np.minimum(1.0, planned[active] * looked)
        sign[active] = np.where((looked < p[active]) | (sign[active] == 0), np.sign(means), sign[active])
        p[active] = np.minimum(p[active], looked)
        even = np.array([1.0 if np.isinf(row).any() else even_rows(row[None], 1.0)[0] for row in relative])
        even_p[active] = np.minimum(even_p[active], planned[active] * even)
        adjusted, even_adjusted = np.asarray(holm(p.tolist())), np.asarray(holm(even_p.tolist()))
        seeds[active] = count
    return Course(seeds, p, sign, even_p, adjusted, even_adjusted, {})


@dataclass(frozen=True)
class ConfirmationTest:
    """A contender against the GRU or the LSTM on one task. `cell` and `other` are whole ids.

    Attributes:
        repeats: seeds of the last look; 0 before the first, when the numbers below are NaN.
        difference: mean paired difference of the test metrics, above 0 if the contender is better.
        error: its standard error over the seeds.
        effect: the difference in `unit`.
        low: lower end of the 95 % interval of the effect, which holds at all planned looks at once.
        high: upper end of that interval.
        unit: unit of the effect.
        p: p value of this test alone, over its looks so far.
        adjusted: `p` after Holm's correction over all declared tests.
        even_adjusted: corrected p value of the test that the two are even.
        standing: better, worse, even or undecided.
        needed: seeds that would decide an undecided test with a probability of 80 %, if the observed difference and
            spread are the true ones; None if it is decided, or would need too many.
    """

    task: str
    cell: str
    other: str
    repeats: int
    difference: float
    error: float
    effect: float
    low: float
    high: float
    unit: Unit
    p: float
    adjusted: float
    even_adjusted: float
    standing: Standing
    needed: int | None


@dataclass(frozen=True)
class Confirmation:
    """Confirmation of a run as far as it has come.

    Attributes:
        tests: the declared tests, in the order of their declaration.
        contenders: ids of the contenders, in that order.
        repeats: seeds of the furthest look so far.
        most_repeats: seeds of the last planned look.
        looks_done: looks so far, of the test with the most.
        looks: planned looks of a test, the largest number.
        level: level of the family of tests.
        ended: whether every test is decided or had its last look.
        measured: metrics of the trials.
    """

    tests: tuple[ConfirmationTest, ...]
    contenders: tuple[str, ...]
    repeats: int
    most_repeats: int
    looks_done: int
    looks: int
    level: float
    ended: bool
    measured: Measurements

    def test(self, task: str, cell: str, other: str) -> ConfirmationTest | None:
        """Return the test of these two cells on a task, or None if it was not declared."""
        return next((t for t in self.tests if (t.task, t.cell, t.other) == (task, cell, other)), None)

    def of(self, cell: str) -> list[ConfirmationTest]:
        """Return the tests of a contender."""
        return [test for test in self.tests if test.cell == cell]


def declared_tests(declared: Confirming) -> list[DeclaredTest]:
    """Return the tests of a declaration: each plan's cell against the GRU and the LSTM, where they have a setting."""
    return [
        DeclaredTest(plan.task, plan.cell, other, tuple(plan.looks), plan.least)
        for plan in declared.plans
        for other in (GRU, LSTM)
        if other != plan.cell and plan.task in declared.settings.get(other, {})
    ]


def declared_seeds(declared: Confirming) -> dict[tuple[str, str, str], int]:
    """Return the largest number of seeds that a declaration can ask for, by (cell, task, setting)."""
    found: dict[tuple[str, str, str], int] = {}
    for test in declared_tests(declared):
        for cell in (test.cell, test.other):
            key = cell, test.task, declared.settings[cell][test.task]
            found[key] = max(found.get(key, 0), test.looks[-1])
    return found


def measurements(store: Store, declared: Confirming) -> Measurements:
    """Return the metrics of the confirmation's trials at the declared settings.

    Raises:
        StoreError: the store cannot be read.
    """
    rows = pd.DataFrame(store.typed(_TRIALS, _TRIAL_KINDS, (FIRST_CONFIRMATION,)), columns=list(_TRIAL_KINDS))
    known = store.constants
    values: dict[tuple[str, str], Floats] = {}
    diverged: dict[tuple[str, str], list[bool]] = {}
    higher: dict[str, bool] = {}
    for (cell, task), own in rows.groupby(["cell", "task"]):
        own = own[own["setting"] == declared.settings.get(str(cell), {}).get(str(task))]
        whole = own["repeat"].to_numpy() == np.arange(FIRST_CONFIRMATION, FIRST_CONFIRMATION + len(own))
        own = own[np.logical_and.accumulate(whole)]
        if own.empty or task not in declared.constant_baseline:
            continue
        lost = ~own["state"].isin(RANKED_STATES) | own["test"].isna()
        found = own["test"].astype("float64").where(~lost, declared.constant_baseline[str(task)])
        values[str(task), str(cell)] = np.asarray(found, np.float64)
        diverged[str(task), str(cell)] = [bool(one) for one in lost]
        higher[str(task)] = bool(own["higher_is_better"].all())
    constants = {task: splits["test"] for task, splits in known.items() if "test" in splits}
    return Measurements(values, diverged, higher, constants, signed_units(store))


def course_of(store: Store) -> Course | None:
    """Return the course of a run's confirmation, or None if none was declared or it has no test.

    Raises:
        StoreError: the store cannot be read.
    """
    declared = store.confirmation
    tests = declared_tests(declared) if declared is not None else []
    return follow(tests, measurements(store, declared), declared.level) if declared is not None and tests else None


def confirmation_of(store: Store) -> Confirmation | None:
    """Return the confirmation of a run, or None if none was declared.

    Raises:
        StoreError: the store cannot be read.
    """
    declared = store.confirmation
    tests = declared_tests(declared) if declared is not None else []
    if declared is None or not tests:
        return None
    return judge(tests, measurements(store, declared), declared.level)


def judge(tests: Sequence[DeclaredTest], measured: Measurements, level: float) -> Confirmation:
    """Return the confirmation of these tests, from the trials so far."""
    course = follow(tests, measured, level)
    decided = (course.adjusted < level) | (course.even_adjusted < level)
    left = max(1, int(np.sum(~decided)))
    judged = tuple(_judged(test, k, course, measured, level, left) for k, test in enumerate(tests))
    return Confirmation(
        tests=judged,
        contenders=tuple(dict.fromkeys(test.cell for test in tests)),
        repeats=int(course.seeds.max()),
        most_repeats=max(test.looks[-1] for test in tests),
        looks_done=max(_done(test, int(seeds)) for test, seeds in zip(tests, course.seeds, strict=True)),
        looks=max(len(test.looks) for test in tests),
        level=level,
        ended=not course.wanted,
        measured=measured,
    )


def _done(test: DeclaredTest, seeds: int) -> int:
    return sum(look <= seeds for look in test.looks)


def _judged(
    test: DeclaredTest, place: int, course: Course, measured: Measurements, level: float, left: int
) -> ConfirmationTest:
    """Return the judgement of the test at `place`; `left` is the number of tests that are not decided yet."""
    seeds = int(course.seeds[place])
    p, adjusted, even = float(course.p[place]), float(course.adjusted[place]), float(course.even_adjusted[place])
    names = test.task, test.cell, test.other
    if seeds == 0:
        nothing = (float("nan"),) * 5
        return ConfirmationTest(*names, 0, *nothing, GAIN, p, adjusted, even, Standing.UNDECIDED, None)
    standing = _standing(float(course.sign[place]), adjusted, even, level)
    differences = measured.difference(test, seeds)
    means, errors, _ = paired_rows(differences[None])
    size, unit = measured.unit(test, seeds)
    size = size if size > 0 else float("nan")
    from scipy.special import stdtrit  # slow to import

    planned = len(test.looks)
    reach = float(errors[0]) * float(stdtrit(seeds - 1, 1.0 - level / planned / 2.0)) / size
    effect = float(means[0]) / size
    needed = None
    if standing is Standing.UNDECIDED and np.isfinite(size):
        # What is left of the level: Holm's next step, split over the looks. A look beyond the last one is one more.
        needed = repeats_needed(differences / size, unit.margin, level / left / planned)
        if needed is not None and needed > test.looks[-1]:
            needed = repeats_needed(differences / size, unit.margin, level / left / (planned + 1))
        if needed is not None:
            needed = max(needed, seeds + 1)
    return ConfirmationTest(
        *names,
        seeds,
        float(means[0]),
        float(errors[0]),
        effect,
        effect - reach,
        effect + reach,
        unit,
        p,
        adjusted,
        even,
        standing,
        needed,
    )


def _standing(sign: float, adjusted: float, even_adjusted: float, level: float) -> Standing:
    if adjusted < level:
        return Standing.BETTER if sign > 0 else Standing.WORSE
    return Standing.EVEN if even_adjusted < level else Standing.UNDECIDED
