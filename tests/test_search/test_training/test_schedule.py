"""Schedule of a trial: learning rates by hand, and each rule that ends a trial after an epoch."""

import math
from collections.abc import Callable

import pytest

from results.store.words import TrialState
from search.training.schedule import Budget, Ending, EpochRules, LearningRate
from tasks.task import ACCURACY, NATS_PER_STEP, Metric


def schedule(budget: Budget, improved: Callable[[int], bool]) -> list[float]:
    """Return the learning rate of every epoch, in units of the first, if epoch e improves or not."""
    rate, rates = LearningRate(1.0, budget), []
    for epoch in range(1, 1000):
        rates.append(rate.value)
        if rate.epoch_ended(improved(epoch)):
            return rates
    raise AssertionError("the schedule does not end")


HALVED = [1 / 2, 1 / 4, 1 / 8, 1 / 16]


@pytest.mark.parametrize(
    ("improves", "rates"),
    [
        (lambda e: e == 1, [1.0] * 4 + HALVED),  # no improvement in epochs 2 to 4, then four more epochs
        (lambda e: e in (1, 3, 6), [1.0] * 9 + HALVED),  # an improvement starts the count anew
        (lambda e: e == 1 or e >= 5, [1.0] * 4 + HALVED),  # once the rate falls, it falls to the end
        (lambda e: True, [1.0] * 96 + HALVED),  # a hundred epochs at most, the last four with falling rates
        (lambda e: e <= 94, [1.0] * 96 + HALVED),
        (lambda e: e <= 92, [1.0] * 95 + HALVED),
    ],
)
def test_the_studys_schedule_waits_three_epochs_and_halves_in_four(
    improves: Callable[[int], bool], rates: list[float]
) -> None:
    assert schedule(Budget(), improves) == rates


@pytest.mark.parametrize(
    ("budget", "rates"),
    [
        (Budget(epochs=6, halvings=2), [1.0, 1.0, 1.0, 1.0, 1 / 2, 1 / 4]),
        (Budget(epochs=3, halvings=4), [1.0, 1 / 2, 1 / 4]),  # shorter than its own halvings
        (Budget(epochs=3, halvings=0), [1.0, 1.0, 1.0]),
        (Budget(epochs=1, halvings=4), [1.0]),
    ],
)
def test_a_short_budget_ends_with_falling_rates_and_never_overruns(budget: Budget, rates: list[float]) -> None:
    assert schedule(budget, lambda e: True) == rates


def test_without_halvings_patience_ends_the_trial() -> None:
    assert schedule(Budget(patience=2, halvings=0), lambda e: e == 1) == [1.0] * 3


LONG = Budget(epochs=100, patience=100, chance_epochs=2)


def judged(
    values: list[float], metric: Metric = ACCURACY, budget: Budget = LONG, constant: float = 0.5, error: float = 0.01
) -> tuple[EpochRules, list[Ending | None]]:
    """Rules after epochs of one step each with these validation metrics, and the answer to each epoch."""
    rules = EpochRules(budget, 1.0, metric, constant)
    return rules, [rules.end_epoch(step, value, error) for step, value in enumerate(values, 1)]


@pytest.mark.parametrize(("metric", "best"), [(ACCURACY, (0.9, 2)), (NATS_PER_STEP, (0.6, 3))], ids=["up", "down"])
def test_the_best_epoch_is_the_first_of_the_best_values(metric: Metric, best: tuple[float, int]) -> None:
    rules, _ = judged([0.7, 0.9, 0.6, 0.9, 0.6], metric, Budget(patience=100, chance_epochs=100))
    assert (rules.best, rules.best_step) == best
    assert not rules.improved


def test_a_trial_is_at_chance_unless_its_best_value_is_three_standard_errors_above() -> None:
    at_chance = Ending(
        TrialState.AT_CHANCE, "not better than the constant baseline, 0.5000, by more than 3 standard errors at step 2"
    )
    assert judged([0.5, 0.53 - 1e-9])[1] == [None, at_chance]
    assert judged([0.5, 0.53 + 1e-9])[1] == [None, None]
    assert judged([0.53 + 1e-9, 0.0])[1] == [None, None]  # the best epoch counts, and not the last
    assert judged([0.5, 0.1])[1] == [None, at_chance]  # far below is not above
    assert judged([0.5, 0.47 + 1e-9], NATS_PER_STEP)[1] == [None, at_chance]
    assert judged([0.5, 0.47 - 1e-9], NATS_PER_STEP)[1] == [None, None]
    assert judged([0.5, 0.9], NATS_PER_STEP)[1] == [None, at_chance]


def test_the_standard_error_is_that_of_the_best_epoch() -> None:
    for errors, ended in (((0.2, 0.1), False), ((0.1, 0.2), True)):
        rules = EpochRules(LONG, 1.0, ACCURACY, 0.5)
        assert rules.end_epoch(1, 0.6, errors[0]) is None
        assert (rules.end_epoch(2, 0.9, errors[1]) is not None) == ended


@pytest.mark.parametrize(("metric", "worse", "better"), [(ACCURACY, 0.4, 0.6), (NATS_PER_STEP, 0.6, 0.4)])
def test_with_an_unknown_error_a_model_no_better_than_the_baseline_is_at_chance(
    metric: Metric, worse: float, better: float
) -> None:
    for value, ended in ((worse, True), (0.5, True), (better, False)):
        assert (judged([worse, value], metric, error=float("nan"))[1][1] is not None) == ended


def test_chance_is_judged_at_its_epoch_and_when_the_schedule_is_over() -> None:
    budget = Budget(epochs=3, halvings=0, chance_epochs=2)
    assert judged([0.9, 0.9, 0.9], budget=budget)[1] == [None, None, Ending(TrialState.OK, "the schedule ran out")]
    early = judged([0.5, 0.5], budget=Budget(epochs=2, halvings=0, chance_epochs=9))[1]
    assert early == [
        None,
        Ending(
            TrialState.AT_CHANCE,
            "not better than the constant baseline, 0.5000, by more than 3 standard errors at step 2",
        ),
    ]


@pytest.mark.parametrize(("metric", "short"), [(ACCURACY, math.nextafter(0.8, 0)), (NATS_PER_STEP, 0.8 + 1e-9)])
def test_a_target_that_is_met_exactly_stops_the_trial_before_anything_else_is_judged(
    metric: Metric, short: float
) -> None:
    budget = Budget(epochs=2, halvings=0, chance_epochs=1, target=0.8)
    stopped = Ending(TrialState.STOPPED, "validation reached the target of 0.8 at step 1")
    assert judged([0.8], metric, budget, constant=0.8)[1] == [stopped]
    ending = judged([short], metric, budget, constant=0.8)[1][0]
    assert ending is not None
    assert ending.state is TrialState.AT_CHANCE


def test_the_learning_rate_follows_the_improvements_of_the_metric() -> None:
    rules = EpochRules(Budget(patience=2, halvings=3), 0.8, NATS_PER_STEP, 100.0)
    rates = []
    for step, value in enumerate([5.0, 4.0, 4.0, 4.5, 1.0], 1):
        rates.append(rules.learning_rate)
        assert rules.end_epoch(step, value, 0.0) is None
    assert rates == [0.8, 0.8, 0.8, 0.8, 0.4]
    assert rules.learning_rate == 0.2
