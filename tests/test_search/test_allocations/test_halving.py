"""Successive halving: who is promoted, how far trials are trained, and what candidates are compared with."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from results.store.words import COMPLETE, MEMORIZATION, ProposalKind, ScoreKind, TrialState
from search.allocations.base import Judgement, Reference, TrialKey
from search.allocations.halving import Halving, RungCourse
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.engine.budgets import budgets
from search.profiles.sections import HalvingSection, Profile, Role, SearchSection, TaskSection
from search.profiles.training_sections import GridSection, ScheduleSection
from search.strategies.proposal import Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from search.training.trial import TrialResult
from tasks.task import ACCURACY, NATS_PER_STEP, Metric

METRICS: dict[str, Metric] = {"xml": ACCURACY, "music": NATS_PER_STEP, "extra": ACCURACY, MEMORIZATION: ACCURACY}
CONSTANTS = {"xml": 0.25, "music": 10.0, "extra": 0.5}
GRID = GridSection(scales=(1.0,), learning_rates=(0.1, 0.2, 0.4, 0.8), max_norms=(1.0,), layers=(1,))
SCHEDULE = ScheduleSection(epoch_steps=27, epochs=10)
PROFILE = Profile(
    search=SearchSection(score=ScoreKind.GAIN, allocation="halving", hopeless=0.2),
    grid=GRID,
    tasks={
        "xml": TaskSection(parameters=(100,), schedule=SCHEDULE),
        "extra": TaskSection(role=Role.CHECK, parameters=(100,), schedule=SCHEDULE),
        "music": TaskSection(parameters=(100,), schedule=replace(SCHEDULE, epochs=1)),
    },
)
RULE = ScoreRule(ScoreKind.GAIN, PROFILE.ranked, METRICS, CONSTANTS, {"xml": 0.65, "music": 8.0, "extra": 0.7})
SETTINGS = {rate: Setting(1.0, rate, 1.0, 1, 100) for rate in GRID.learning_rates}
REFERENCE = Reference(
    RULE,
    marks={"xml": {10: 0.4, 30: 0.45, 90: 0.6}, "music": {1: 9.5, 3: 9.3, 9: 8.8}},  # music is not learnt after 1 step
    curves={"xml": {9: 0.35, 10: 0.4, 27: 0.45, 30: 0.45, 270: 0.65}},
    settings={"xml": SETTINGS[0.2], "music": SETTINGS[0.4], "extra": SETTINGS[0.8]},
    repeats={"xml": 0.63, "music": 8.1},
)


def make_halving(profile: Profile = PROFILE, reference: Reference = REFERENCE) -> Halving:
    halving = Halving(profile, 0, budgets(profile))
    halving.start(reference)
    return halving


def enter(halving: Halving, index: int, cell: str, share: float | None, kind: ProposalKind) -> None:
    """Tell an outcome of a cell with this share on both tasks; None for one that was stopped."""
    visits = [Visit(task, {SETTINGS[0.1]: 0.5}, passed=False, share=share) for task in PROFILE.ranked]
    rung = halving._candidates[cell].rung + 1 if cell in halving._candidates else 0
    ending = "stopped at xml" if share is None else COMPLETE if rung >= 3 else f"paused at rung {rung + 1}"
    halving.learn(index, kind, cell, visits, ending)


def test_steps_of_the_rungs_are_shares_of_the_schedule() -> None:
    halving = make_halving()
    assert halving.marks("xml") == (10, 30, 90)  # of 270
    assert halving.marks("music") == (1, 3, 9)  # of 27
    assert halving.section.shares == (1 / 27, 1 / 9, 1 / 3, 1.0)


@pytest.mark.parametrize("eta", [2, 3])
def test_promotions_are_those_of_a_plain_loop_over_all_that_was_told(eta: int) -> None:
    """Algorithm 2 of Li et al. 2018: the best of the first n // eta of a rung that was not promoted, top rung first."""
    section = HalvingSection(eta=eta, rungs=4, seeds=1)
    halving = make_halving(replace(PROFILE, halving=section))
    rng = np.random.default_rng(eta)
    told: list[dict[str, float]] = [{} for _ in range(5)]
    promoted: list[set[str]] = [set() for _ in range(5)]
    made = new = 0
    for index in range(600):
        expected = None
        for rung in (3, 2, 1, 0):
            ordered = sorted(told[rung], key=lambda cell: (-told[rung][cell], cell))
            best = [cell for cell in ordered[: len(ordered) // eta] if math.isfinite(told[rung][cell])]
            left = [cell for cell in best if cell not in promoted[rung]]
            if left:
                expected = rung, left[0]
                break
        promotion = halving.promotion(index)
        assert (promotion and promotion.cell) == (expected and expected[1])
        if expected is None:
            new += 1
            rung, cell, kind = 0, f"{new:04d}", ProposalKind.PROPOSE
        else:
            made += 1
            promoted[expected[0]].add(expected[1])
            rung, cell, kind = expected[0] + 1, expected[1], ProposalKind.PROMOTE
        share = None if rng.random() < 0.2 else round(float(rng.normal()), 1)  # with equal scores
        told[rung][cell] = -math.inf if share is None else share
        enter(halving, index, cell, share, kind)
    assert made > 600 // (eta * 2)
    assert all(promoted[:4])


def make_course(rung: int, graph: GateGraph = LIBRARY["tanh"].graph) -> RungCourse:
    settings = dict.fromkeys(PROFILE.tasks, (SETTINGS[0.1], SETTINGS[0.4]))
    return RungCourse(Proposal(5, ProposalKind.PROPOSE, graph, settings=settings), make_halving(), rung)


def tell(course: RungCourse, *values: float | None, state: TrialState = TrialState.PAUSED) -> Judgement:
    step = course.step()
    assert step is not None
    results = [TrialResult(TrialState.DIVERGED if v is None else state, "", validation=v) for v in values]
    return course.tell(dict(zip(step.trials, results, strict=True)))


def test_a_candidate_is_compared_at_equal_steps_on_tasks_that_the_reference_has_begun_to_learn() -> None:
    course = make_course(0)
    step = course.step()
    assert step is not None
    assert (step.task, step.stage, step.until) == ("xml", 1, 10)
    assert step.trials == (TrialKey(SETTINGS[0.1]), TrialKey(SETTINGS[0.4]))
    judgement = tell(course, 0.29, 0.37)
    assert judgement.share == pytest.approx((0.37 - 0.25) / (0.4 - 0.25))
    assert (judgement.best, judgement.threshold, judgement.passed) == (0.37, 0.2, False)
    assert course.step() is None  # the GRU's loss of music falls by 0.5 of 2 in one step, which is less than 0.3 of it
    outcome = course.outcome()
    assert (outcome.ending, outcome.rung) == ("paused at rung 1", 0)
    assert outcome.standing == pytest.approx(0.8)


def test_the_smallest_share_counts_whatever_the_direction_of_the_metric() -> None:
    course = make_course(1)
    tell(course, 0.45, None)
    judgement = tell(course, 9.58, 9.8)
    assert judgement.share == pytest.approx((10 - 9.58) / (10 - 9.3))
    assert course.step() is None
    assert course.outcome().standing == pytest.approx(0.6)


@pytest.mark.parametrize("values", [(0.26, 0.27), (None, None), (0.2, None)])
def test_a_hopeless_candidate_ends_at_once(values: tuple[float | None, ...]) -> None:
    course = make_course(1)
    assert not tell(course, *values).passed
    assert course.step() is None
    assert course.outcome().ending == "stopped at xml"
    assert course.outcome().standing == -math.inf


def test_a_whole_training_visits_all_tasks_and_takes_the_final_result() -> None:
    course = make_course(3)
    assert course.step() is not None
    assert tell(course, 0.6, 0.65, state=TrialState.OK) == Judgement("xml", 1, 2, 0.65, 1.0, 0.2, True)
    assert tell(course, 7.5, None, state=TrialState.OK).share == pytest.approx(1.25)
    step = course.step()
    assert step is not None
    assert (step.task, step.until, step.floor) == ("extra", None, ())
    tell(course, 0.4, None, state=TrialState.OK)  # a check ends nothing
    assert course.step() is None
    outcome = course.outcome()
    assert (outcome.ending, outcome.standing, outcome.rung) == (COMPLETE, 1.0, 3)


def test_further_seeds_are_compared_with_the_reference_on_the_same_seeds() -> None:
    course = make_course(4)
    course.proposal = replace(course.proposal, settings=dict.fromkeys(PROFILE.ranked, (SETTINGS[0.1],)))
    step = course.step()
    assert step is not None
    assert step.trials == (TrialKey(SETTINGS[0.1], -1), TrialKey(SETTINGS[0.1], -2))
    assert step.until is None
    assert tell(course, 0.61, 0.65, state=TrialState.OK).share == pytest.approx(1.0)
    assert tell(course, 8.0, 8.4, state=TrialState.OK).share == pytest.approx(1.8 / 1.9)
    assert course.step() is None
    assert course.outcome().standing == pytest.approx(1.8 / 1.9)
    assert all(visit.results == {} for visit in course.outcome().visits)


def test_one_seed_that_diverges_leaves_no_score() -> None:
    course = make_course(4)
    tell(course, 0.61, 0.65, None, 0.66, state=TrialState.OK)
    assert course.step() is None
    assert course.outcome().ending == "stopped at xml"


def test_the_floor_is_a_share_of_the_gain_of_the_reference_where_it_has_learnt() -> None:
    course = make_course(2)
    step = course.step()
    assert step is not None
    gains = {10: 0.15, 27: 0.2, 30: 0.2, 270: 0.4}  # not at step 9, where the gain is a quarter of the final one
    assert dict(step.floor) == pytest.approx({at: 0.25 + 0.2 * gain for at, gain in gains.items()})
    assert make_halving(replace(PROFILE, search=replace(PROFILE.search, hopeless=0.0))).floor("xml") == ()


def test_a_promoted_candidate_goes_on_with_its_best_setting_and_tries_those_beside_it() -> None:
    halving = make_halving()
    results: Mapping[Setting, float | None] = {SETTINGS[0.2]: 0.3, SETTINGS[0.4]: 0.28, SETTINGS[0.8]: None}
    for cell, share in (("a", 0.9), ("b", 0.5), ("c", 0.4)):
        visit = Visit("xml", results, passed=False, share=share)
        halving.learn(0, ProposalKind.PROPOSE, cell, [visit], "paused at rung 1")
    first = halving.promotion(3)
    assert first is not None
    assert first.cell == "a"
    assert first.settings == {"xml": (SETTINGS[0.2],), "music": (SETTINGS[0.4],)}  # of music the reference's best
    halving.learn(3, ProposalKind.PROMOTE, "a", [Visit("xml", {SETTINGS[0.2]: 0.4}, False, 0.9)], "paused at rung 2")
    halving._rungs[1].told = 3
    second = halving.promotion(4)
    assert second is not None
    assert second.settings["xml"] == (SETTINGS[0.2], SETTINGS[0.1])  # 0.4 was tried at the first rung


def test_a_reference_that_learns_nothing_before_the_first_rung_is_an_error() -> None:
    slow = replace(REFERENCE, marks={"xml": {10: 0.26, 30: 0.45, 90: 0.6}, "music": {1: 9.9, 3: 9.3, 9: 8.8}})
    with pytest.raises(SearchError, match="after the steps 10 of xml, 1 of music, the GRU has learnt too little"):
        make_halving(reference=slow)


def test_where_little_was_learnt_the_task_decides_of_which_most_was() -> None:
    slow = replace(REFERENCE, marks={"xml": {10: 0.3, 30: 0.45, 90: 0.6}, "music": {1: 9.5, 3: 9.9, 9: 8.8}})
    halving = make_halving(reference=slow)
    assert [halving.tasks(rung) for rung in range(3)] == [("music",), ("xml",), ("xml", "music")]
