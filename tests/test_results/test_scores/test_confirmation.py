"""The confirmation's tests against scipy and plain loops, its error over simulated null runs, and its power."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from results.scores.confirmation import (
    Confirmation,
    DeclaredTest,
    Measurements,
    follow,
    judge,
)
from results.scores.estimates import GRU, LSTM
from results.scores.finding import Standing
from results.scores.ratio import Floats
from results.scores.units import EVEN_MARGIN, Unit

TASKS = ("arithmetic", "music")
LOOKS = (4, 7, 10)
LEVEL = 0.05


def declared(cells: Sequence[str], tasks: Sequence[str] = TASKS, looks: tuple[int, ...] = LOOKS) -> list[DeclaredTest]:
    return [DeclaredTest(task, cell, other, looks) for cell in cells for task in tasks for other in (GRU, LSTM)]


def measured(values: dict[tuple[str, str], Floats], constants: dict[str, float] | None = None) -> Measurements:
    higher = {task: task != "music" for task, _ in values}
    return Measurements(values, {key: [False] * own.size for key, own in values.items()}, higher, constants or {})


def random_values(rng: np.random.Generator, cells: Sequence[str], seeds: int) -> dict[tuple[str, str], Floats]:
    return {
        (task, cell): 0.6 + rng.choice([0.0, 0.01, 0.05, 0.2]) * rng.choice([-1, 1]) + 0.02 * rng.standard_normal(seeds)
        for task in TASKS
        for cell in (*cells, GRU, LSTM)
    }


def holm_by_hand(values: Sequence[float]) -> list[float]:
    """Holm's step-down method, in a plain loop."""
    found, largest = [1.0] * len(values), 0.0
    for place, k in enumerate(sorted(range(len(values)), key=lambda k: values[k])):
        largest = max(largest, min(1.0, (len(values) - place) * values[k]))
        found[k] = largest
    return found


def course_by_hand(
    tests: Sequence[DeclaredTest], values: dict[tuple[str, str], Floats], constants: dict[str, float]
) -> tuple[list[int], list[float], list[float]]:
    """Return seeds, corrected p values and corrected p values of evenness, by plain loops over scipy's tests."""
    seeds, p, even = [0] * len(tests), [1.0] * len(tests), [1.0] * len(tests)
    for count in LOOKS:
        decided = [min(a, b) < LEVEL for a, b in zip(holm_by_hand(p), holm_by_hand(even), strict=True)]
        for k, test in enumerate(tests):
            if decided[k]:
                continue
            own, other, gru = (values[test.task, cell][:count] for cell in (test.cell, test.other, GRU))
            margin = EVEN_MARGIN * abs(gru.mean() - constants[test.task])
            p[k] = min(p[k], len(LOOKS) * float(stats.ttest_rel(own, other).pvalue))
            above = stats.ttest_1samp(own - other, -margin, alternative="greater").pvalue
            below = stats.ttest_1samp(own - other, margin, alternative="less").pvalue
            if abs((own - other).mean()) < margin:
                even[k] = min(even[k], len(LOOKS) * float(max(above, below)))
            seeds[k] = count
    return seeds, holm_by_hand(p), holm_by_hand(even)


@pytest.mark.parametrize("seed", range(20))
def test_the_course_is_that_of_plain_loops_over_scipy(seed: int) -> None:
    values = random_values(np.random.default_rng(seed), ["a", "b"], LOOKS[-1])
    tests, constants = declared(["a", "b"]), {"arithmetic": 0.1, "music": 3.0}
    course = follow(tests, measured(values, constants), LEVEL)
    seeds, adjusted, even = course_by_hand(tests, values, constants)
    assert course.seeds.tolist() == seeds
    np.testing.assert_allclose(course.adjusted, adjusted, rtol=1e-9)
    np.testing.assert_allclose(course.even_adjusted, even, rtol=1e-9)
    assert not course.wanted


def test_the_random_courses_have_tests_of_every_kind() -> None:
    found: set[tuple[Standing, int]] = set()
    for seed in range(20):
        values = random_values(np.random.default_rng(seed), ["a", "b"], LOOKS[-1])
        for test in judge(declared(["a", "b"]), measured(values, {"arithmetic": 0.1, "music": 3.0}), LEVEL).tests:
            found.add((test.standing, test.repeats))
    assert {standing for standing, _ in found} >= {Standing.BETTER, Standing.WORSE, Standing.UNDECIDED}
    assert {seeds for standing, seeds in found if standing is not Standing.UNDECIDED} == {4, 7, 10}


def test_effect_and_interval_are_those_of_a_t_interval_as_a_share_of_the_gain() -> None:
    rng = np.random.default_rng(3)
    values = {("music", cell): 3.0 + 0.5 * rng.standard_normal(4) for cell in ("a", GRU, LSTM)}
    (test, *_) = judge(declared(["a"], ["music"]), measured(values, {"music": 5.0}), LEVEL).tests
    differences = values["music", GRU] - values["music", "a"]  # lower is better
    gain = 5.0 - values["music", GRU].mean()
    low, high = stats.t.interval(1 - LEVEL / 3, 3, differences.mean(), stats.sem(differences))
    assert (test.repeats, test.unit) == (4, "gain")
    assert test.difference == pytest.approx(differences.mean())
    assert test.error == pytest.approx(stats.sem(differences))
    assert (test.effect, test.low, test.high) == pytest.approx((differences.mean() / gain, low / gain, high / gain))


def test_without_constants_the_effect_is_a_share_of_the_other_metric() -> None:
    rng = np.random.default_rng(4)
    values = {("music", cell): 3.0 + 0.5 * rng.standard_normal(4) for cell in ("a", GRU, LSTM)}
    for constants in ({}, {"music": 1.0}):  # unknown, or a GRU that gains nothing
        _, test = judge(declared(["a"], ["music"]), measured(values, constants), LEVEL).tests
        assert test.unit == "metric"
        assert test.effect == pytest.approx(
            (values["music", LSTM] - values["music", "a"]).mean() / values["music", LSTM].mean()
        )


def test_the_next_look_wants_seeds_for_the_open_tests_alone() -> None:
    """Where only the LSTM's test is open, the GRU is not trained further."""
    ramp = np.linspace(-0.01, 0.01, 10)
    values = {
        ("arithmetic", "a"): 0.8 + ramp[:4],
        ("arithmetic", GRU): 0.2 + ramp[:4][::-1],
        ("arithmetic", LSTM): 0.8 + np.array([0.05, -0.05, 0.06, -0.06]),
    }
    course = follow(declared(["a"], ["arithmetic"]), measured(values, {"arithmetic": 0.1}), LEVEL)
    assert course.seeds.tolist() == [4, 4]
    assert course.wanted == {("arithmetic", "a"): 7, ("arithmetic", LSTM): 7}
    before = follow(declared(["a"], ["arithmetic"]), measured({}), LEVEL)
    assert before.wanted == {("arithmetic", cell): 4 for cell in ("a", GRU, LSTM)}
    assert before.seeds.tolist() == [0, 0]


def test_seeds_that_are_there_early_change_nothing_before_their_look() -> None:
    """A run that was interrupted within a look, or whose workers were fast, takes the same decisions."""
    rng = np.random.default_rng(5)
    values = random_values(rng, ["a"], 10)
    whole = judge(declared(["a"]), measured(values), LEVEL)
    for count in (4, 5, 6):
        cut = judge(declared(["a"]), measured({key: own[:count] for key, own in values.items()}), LEVEL)
        first = judge(declared(["a"]), measured({key: own[:4] for key, own in values.items()}), LEVEL)
        assert cut.tests == first.tests
        assert cut.ended == first.ended
    assert whole.ended


def test_more_seeds_that_are_demanded_are_one_more_look_and_trained_whatever_is_decided() -> None:
    rng = np.random.default_rng(6)
    values = {("arithmetic", cell): 0.5 + 0.01 * rng.standard_normal(12) for cell in ("a", GRU, LSTM)}
    values["arithmetic", "a"] += 0.3
    plain = judge(declared(["a"], ["arithmetic"]), measured(values), LEVEL)
    assert [(test.standing, test.repeats) for test in plain.tests] == [(Standing.BETTER, 4)] * 2
    tests = [DeclaredTest("arithmetic", "a", other, (*LOOKS, 12), least=12) for other in (GRU, LSTM)]
    more = judge(tests, measured(values), LEVEL)
    for test, other in zip(more.tests, (GRU, LSTM), strict=True):
        looks = [
            stats.ttest_rel(values["arithmetic", "a"][:n], values["arithmetic", other][:n]).pvalue for n in (*LOOKS, 12)
        ]
        assert test.p == pytest.approx(4 * min(looks))
        assert test.repeats == 12


def test_a_family_that_grows_can_only_raise_p_values() -> None:
    rng = np.random.default_rng(7)
    values = random_values(rng, ["a", "b"], 10)
    one = judge(declared(["a"]), measured(values), LEVEL)
    two = judge(declared(["a", "b"]), measured(values), LEVEL)
    for before, after in zip(one.tests, two.tests, strict=False):
        assert (before.task, before.cell, before.other) == (after.task, after.cell, after.other)
        if before.repeats == after.repeats:
            assert after.adjusted >= before.adjusted


def test_the_seeds_that_are_said_to_decide_mostly_do() -> None:
    """With the observed effect and spread as the truth, `needed` seeds give 80 % power at the level that is left."""
    rng = np.random.default_rng(8)
    looks = (6, 8, 10)
    values = {("arithmetic", cell): 0.5 + 0.02 * rng.standard_normal(10) for cell in ("a", GRU, LSTM)}
    values["arithmetic", "a"] += 0.015 - (values["arithmetic", "a"] - values["arithmetic", GRU]).mean()
    tests = [DeclaredTest("arithmetic", "a", GRU, looks)]
    (test,) = judge(tests, measured(values, {"arithmetic": 0.1}), LEVEL).tests
    assert test.standing is Standing.UNDECIDED
    assert test.needed is not None
    assert test.needed > 10
    spread = (values["arithmetic", "a"] - values["arithmetic", GRU]).std(ddof=1)
    draws = 0.015 + spread * rng.standard_normal((4000, test.needed))
    # One more look than planned: the level of each is a quarter.
    share = np.mean(stats.ttest_1samp(draws, 0.0, axis=1).pvalue < LEVEL / 4)
    assert share == pytest.approx(0.8, abs=0.05)


FOUND, CHOSEN, FIRST = 20, 2, 4
"""Cells that a simulated search found, contenders among them, and seeds of the first round."""

MANY = ("arithmetic", "xml", "language", "music")


def one_run(rng: np.random.Generator, better: float, looks: tuple[int, ...]) -> tuple[Confirmation, bool]:
    """Return the confirmation of a run in which cell 0 is `better` standard deviations better, and others are equal.

    A first round of few seeds chooses the contenders by their smallest mean over the tasks, as a search does. Half of
    the variance over seeds is shared by all cells, as with the same data.
    """
    truth = np.zeros(FOUND + 2)
    truth[0] = better
    first = truth[:, None, None] + rng.standard_normal((FOUND + 2, len(MANY), FIRST))
    chosen = np.argsort(-first[:FOUND].mean(axis=2).min(axis=1))[:CHOSEN]
    shared = rng.standard_normal((len(MANY), looks[-1]))
    names = {int(k): f"cell {k}" for k in chosen} | {FOUND: GRU, FOUND + 1: LSTM}
    values = {
        (task, name): 50.0 + truth[k] + math.sqrt(0.5) * (shared[t] + rng.standard_normal(looks[-1]))
        for k, name in names.items()
        for t, task in enumerate(MANY)
    }
    tests = declared([names[int(k)] for k in chosen], MANY, looks)
    higher = dict.fromkeys(MANY, True)
    found = Measurements(values, {}, higher, dict.fromkeys(MANY, 0.0))
    return judge(tests, found, LEVEL), 0 in chosen


@pytest.mark.slow
def test_at_most_one_null_run_in_20_calls_any_cell_different() -> None:
    """The family-wise error of the whole rule: choosing, looking three times, Holm over 16 tests; 2,000 null runs."""
    rng = np.random.default_rng(9)
    wrong = ended = 0
    for _ in range(2000):
        found, _ = one_run(rng, 0.0, (6, 12, 18))
        wrong += any(test.standing in (Standing.BETTER, Standing.WORSE) for test in found.tests)
        ended += found.ended
    assert ended == 2000
    assert 20 <= wrong <= 100  # 5 %; and the rule is not so strict that it never errs


@pytest.mark.slow
def test_a_better_cell_is_chosen_and_confirmed_on_every_task() -> None:
    rng = np.random.default_rng(10)
    chosen = all_better = some_better = false = 0
    for _ in range(200):
        found, was_chosen = one_run(rng, 2.0, (6, 12, 18))
        chosen += was_chosen
        own = found.of("cell 0")
        all_better += bool(own) and all(test.standing is Standing.BETTER for test in own)
        some_better += any(test.standing is Standing.BETTER for test in own)
        false += any(t.standing in (Standing.BETTER, Standing.WORSE) for t in found.tests if t.cell != "cell 0")
    assert chosen >= 190
    assert all_better >= 0.8 * chosen
    assert some_better >= 0.99 * chosen
    assert false <= 12  # 5 % of 200 is 10


@pytest.mark.slow
def test_cells_that_differ_by_the_margin_are_rarely_called_even() -> None:
    """The other family: pairs at exactly the margin, where calling any of them even is wrong; 1,000 runs."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(1000):
        margin = EVEN_MARGIN * 50.0
        values = {
            (task, cell): 50.0 + (margin if cell == "a" else 0.0) + math.sqrt(0.5) * rng.standard_normal(18)
            for task in MANY
            for cell in ("a", GRU, LSTM)
        }
        found = Measurements(values, {}, dict.fromkeys(MANY, True), dict.fromkeys(MANY, 0.0))
        # Only evenness is looked at: the pairs do differ, which decides most tests early in a real run.
        course = follow(declared(["a"], MANY, (18,)), found, LEVEL)
        wrong += bool((course.even_adjusted < LEVEL).any())
    assert wrong <= 65  # 5 % of 1,000, and two standard errors


def test_a_gain_within_its_noise_is_no_unit() -> None:
    """The GRU is 4.1 or 3.9 standard errors above the constant baseline; below 4 the metric is the unit."""
    gru = np.array([0.50, 0.52, 0.54, 0.56])
    error = float(np.std(gru, ddof=1)) / 2.0
    test = DeclaredTest("xml", LSTM, GRU, (4,))
    for errors, expected in ((4.1, (4.1 * error, "gain")), (3.9, (0.53, "metric"))):
        values = {("xml", GRU): gru, ("xml", LSTM): gru}
        none = {key: [False] * 4 for key in values}
        measured = Measurements(values, none, {"xml": True}, {"xml": float(gru.mean()) - errors * error})
        size, unit = measured.unit(test, 4)
        assert size == pytest.approx(expected[0])
        assert unit == expected[1]


def test_where_a_metric_may_be_negative_an_effect_without_a_gain_is_the_difference_itself() -> None:
    """Nats around 0: with the mean as the unit, the difference of 0.4 would be a share of -8."""
    gru, own = np.array([0.3, -0.5, 0.2, -0.2]), np.array([-0.1, -0.8, -0.3, -0.6])
    test = DeclaredTest("series", "a", GRU, (4,))
    values = {("series", GRU): gru, ("series", "a"): own}
    none = {key: [False] * 4 for key in values}
    nats = Unit("nats per step")
    measured = Measurements(values, none, {"series": False}, {"series": -0.05}, {"series": nats})
    (found,) = judge([test], measured, 0.05).tests
    assert found.unit == nats
    assert found.effect == pytest.approx(0.4)
    reach = 3.18245 * np.std(gru - own, ddof=1) / 2.0  # Student's t with 3 degrees of freedom
    assert (found.low, found.high) == pytest.approx((0.4 - reach, 0.4 + reach), rel=1e-5)
    assert found.p == pytest.approx(stats.ttest_rel(gru, own).pvalue)
    assert (found.standing, found.even_adjusted) == (Standing.BETTER, 1.0)
    same = Measurements(values | {("series", "a"): gru}, none, {"series": False}, {}, {"series": nats})
    (equal,) = judge([test], same, 0.05).tests
    assert (equal.standing, equal.effect) == (Standing.UNDECIDED, 0.0)
