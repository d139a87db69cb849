"""Schedule of a trial: learning rates by hand, and each rule that ends a trial after an epoch."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from results.store.words import TrialState
from search.core.errors import SearchError
from search.training.schedule import Budget, Ending, EpochRules, LearningRate, RateRule
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
        TrialState.AT_CHANCE, "not better than a constant prediction, 0.5000, by more than 3 standard errors at step 2"
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
            "not better than a constant prediction, 0.5000, by more than 3 standard errors at step 2",
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
        rates.append(rules.learning_rate(step - 1))
        assert rules.end_epoch(step, value, 0.0) is None
    assert rates == [0.8, 0.8, 0.8, 0.8, 0.4]
    assert rules.learning_rate(5) == 0.2


@pytest.mark.parametrize("metric", [ACCURACY, NATS_PER_STEP], ids=["up", "down"])
def test_a_mark_changes_neither_the_rate_nor_the_best_epoch(metric: Metric) -> None:
    budget = Budget(epochs=6, patience=2, halvings=2, chance_epochs=100)
    values = [0.6, 0.7, 0.6, 0.65, 0.9, 0.5]
    plain, marked = (EpochRules(budget, 1.0, metric, 0.5) for _ in range(2))
    for step, value in enumerate(values, 1):
        for extreme in (0.01, 0.99):
            assert marked.mark(2 * step - 1, extreme, 0.0) is None
            assert not marked.improved
        endings = [rules.end_epoch(2 * step, value, 0.0) for rules in (plain, marked)]
        assert endings[0] == endings[1]
        assert (marked.best, marked.best_step, marked.improved) == (plain.best, plain.best_step, plain.improved)
        assert marked.learning_rate(2 * step) == plain.learning_rate(2 * step)
    assert endings[0] is not None


@pytest.mark.parametrize(
    ("metric", "values", "floor"), [(ACCURACY, (0.6, 0.5), 0.6), (NATS_PER_STEP, (0.5, 0.6), 0.5)], ids=["up", "down"]
)
def test_a_trial_is_behind_if_its_best_value_so_far_is_worse_than_the_floor(
    metric: Metric, values: tuple[float, float], floor: float
) -> None:
    """The best value is that of a mark, and one that equals the floor is as good."""

    def ending(floor: tuple[tuple[int, float], ...]) -> Ending | None:
        rules = EpochRules(Budget(epochs=9, chance_epochs=100, floor=floor), 1.0, metric, 0.5)
        assert rules.mark(10, values[0], 0.0) is None
        return rules.end_epoch(20, values[1], 0.0)

    beyond = floor + (1e-9 if metric.higher_is_better else -1e-9)
    assert ending(((11, floor),)) is None
    assert ending(((21, beyond),)) is None  # it is not due yet
    for due in (11, 20):
        found = ending(((due, beyond),))
        reason = (
            f"the best value so far, {floor:.4f}, is worse than {floor:.4f}, the least from step {due} on, at step 20"
        )
        assert found == Ending(TrialState.BEHIND, reason)
    found = ending(((11, floor), (15, beyond), (25, beyond)))
    assert found is not None
    assert "from step 15 on" in found.reason


def test_other_endings_come_before_the_floor() -> None:
    high = ((1, 0.95),)
    budget = Budget(epochs=1, halvings=0, chance_epochs=9, floor=high)
    assert judged([0.9], budget=budget)[1] == [Ending(TrialState.OK, "the schedule ran out")]
    for ends, state in (
        (Budget(epochs=2, chance_epochs=1, floor=high), TrialState.AT_CHANCE),
        (Budget(epochs=2, target=0.4, floor=high), TrialState.STOPPED),
        (Budget(epochs=9, chance_epochs=9, floor=high), TrialState.BEHIND),
    ):
        ending = judged([0.5], budget=ends)[1][0]
        assert ending is not None
        assert ending.state is state


@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_a_cosine_after_a_linear_rise_is_that_of_torch(warmup: int) -> None:
    budget = Budget(epoch_steps=10, epochs=4, rule=RateRule.COSINE, warmup=warmup)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 40 - warmup)
    expected = []
    for step in range(40):
        expected.append(0.3 * (step + 1) / warmup if step < warmup else optimiser.param_groups[0]["lr"])
        optimiser.step()
        if step >= warmup:
            falling.step()
    rules = EpochRules(budget, 0.3, ACCURACY, 0.5)
    assert [rules.learning_rate(step) for step in range(40)] == pytest.approx(expected, rel=1e-9)
    assert expected[-1] > 0.0


def test_a_constant_rate_rises_and_stays_and_the_trial_has_all_its_epochs() -> None:
    budget = Budget(epoch_steps=2, epochs=9, rule=RateRule.CONSTANT, warmup=4, chance_epochs=100)
    rules = EpochRules(budget, 0.4, ACCURACY, 0.1)
    rates = []
    for epoch in range(1, 10):
        rates += [rules.learning_rate(2 * epoch - 2), rules.learning_rate(2 * epoch - 1)]
        ending = rules.end_epoch(2 * epoch, 0.9 - 0.01 * epoch, 0.0)  # no epoch but the first improves
        assert (ending is not None) == (epoch == 9)
    assert ending == Ending(TrialState.OK, "the schedule ran out")
    assert rates == pytest.approx([0.1, 0.2, 0.3] + [0.4] * 15)
    assert rules.best_step == 2


def test_other_rules_give_a_trial_up_and_stop_it_as_the_studys_does() -> None:
    for rule in RateRule:
        budget = Budget(epoch_steps=1, epochs=9, chance_epochs=2, target=0.8, rule=rule)
        rules = EpochRules(budget, 1.0, ACCURACY, 0.5)
        assert rules.end_epoch(1, 0.5, 0.1) is None
        chance = rules.end_epoch(2, 0.5, 0.1)
        assert chance is not None
        assert chance.state is TrialState.AT_CHANCE
        target = EpochRules(budget, 1.0, ACCURACY, 0.5).end_epoch(1, 0.9, 0.1)
        assert target is not None
        assert target.state is TrialState.STOPPED


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"warmup": 5}, "warmup is 5 steps, which the rule 'study' does not have; set the rule to 'constant' or"),
        ({"warmup": 20, "rule": RateRule.COSINE}, "warmup is 20 steps, but a trial has 20; set a shorter one, or more"),
    ],
)
def test_a_warm_up_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=f"^{message}"):
        Budget(epoch_steps=10, epochs=2, **given)


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_rules_continue_from_their_state(cut: int) -> None:
    budget = Budget(epochs=7, patience=1, halvings=3, chance_epochs=4, floor=((6, 0.65),))
    values = [0.6, 0.55, 0.7, 0.6, 0.7, 0.4, 0.3]
    whole, first, second = (EpochRules(budget, 0.8, ACCURACY, 0.5) for _ in range(3))

    def course(rules: EpochRules, values: list[float], start: int) -> list[object]:
        found: list[object] = []
        for step, value in enumerate(values, start):
            ending = rules.end_epoch(step, value, math.nan)
            found.append((ending, rules.learning_rate(step), rules.best, rules.best_step))
        return found

    expected = course(whole, values, 1)
    before = course(first, values[:cut], 1)
    second.restore(first.state())
    assert before + course(second, values[cut:], cut + 1) == expected


@pytest.mark.parametrize("marks", [(0,), (-1,), (5, 3), (3, 3), (31,)])
def test_marks_increase_within_the_steps_of_the_trial(marks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"marks .* of a trial must increase, from 1 to 30 steps"):
        Budget(epoch_steps=10, epochs=3, marks=marks)


def test_validation_is_measured_at_marks_and_at_the_ends_of_epochs() -> None:
    budget = Budget(epoch_steps=10, epochs=3, marks=(1, 10, 14))
    assert [step for step in range(-20, 60) if budget.measures_at(step)] == [1, 10, 14, 20, 30]
