"""Course of a proposal through memorization and the tasks, with made-up results."""

from collections.abc import Mapping

import pytest

from results.store.words import MEMORIZATION, ProposalKind, ScoreKind, TrialState
from search.allocations.base import Judgement, Step, TrialKey
from search.allocations.stages import StagesCourse
from search.cells.library import LIBRARY
from search.profiles.sections import MemorizationSection, Profile, Role, TaskSection
from search.strategies.proposal import Proposal
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from search.training.trial import TrialResult
from tasks.task import ACCURACY, NATS_PER_STEP, Metric

METRICS: dict[str, Metric] = {"xml": ACCURACY, "music": NATS_PER_STEP, "extra": ACCURACY, MEMORIZATION: ACCURACY}
REFERENCE = {"xml": 0.5, "music": 4.0, "extra": 0.5}
PROFILE = Profile(
    memorization=MemorizationSection(settings=3),
    # The check stands between the ranked tasks, and is visited last all the same.
    tasks={"xml": TaskSection(), "extra": TaskSection(role=Role.CHECK), "music": TaskSection(threshold=0.8)},
)
RULE = ScoreRule(ScoreKind.RATIO, PROFILE.ranked, METRICS, reference=REFERENCE)
CONSTANTS = {"xml": 0.25, "music": 6.0, "extra": 0.5}
GAINS = ScoreRule(ScoreKind.GAIN, PROFILE.ranked, METRICS, CONSTANTS, REFERENCE)
SETTINGS = tuple(Setting(1.0, 0.1, 1.0, 1, k) for k in range(3))
TRIALS = tuple(map(TrialKey, SETTINGS))


def ended(value: float | None, state: TrialState = TrialState.OK) -> TrialResult:
    return TrialResult(state, "", validation=value)


DIVERGED = ended(None, TrialState.DIVERGED)
FAILED = ended(None, TrialState.FAILED)


def make_run(
    kind: ProposalKind = ProposalKind.PROPOSE,
    memorized: bool = False,
    best_before: Mapping[str, float] | None = None,
    rule: ScoreRule = RULE,
) -> StagesCourse:
    settings = dict.fromkeys(METRICS, SETTINGS)
    graph = LIBRARY["tanh"].graph
    proposal = Proposal(5, kind, graph, settings=settings, memorized=memorized, best_before=best_before or {})
    return StagesCourse(proposal, PROFILE, rule)


def tell(run: StagesCourse, *values: float | TrialResult) -> Judgement | None:
    """Tell the run these results of its step, in the order of the settings."""
    step = run.step()
    assert step is not None
    results = [value if isinstance(value, TrialResult) else ended(value) for value in values]
    return run.tell(dict(zip(step.trials, results, strict=True)))


def test_memorization_is_tried_one_setting_at_a_time_until_one_passes() -> None:
    run = make_run()
    assert run.step() == Step(MEMORIZATION, 0, TRIALS[:1])
    assert tell(run, 0.2) is None
    assert run.step() == Step(MEMORIZATION, 0, TRIALS[1:2])
    assert tell(run, 0.97) == Judgement(MEMORIZATION, 0, 2, 0.97, None, 0.95, True)
    assert run.step() == Step("xml", 1, TRIALS)


def test_memorization_fails_when_no_setting_is_left() -> None:
    run = make_run()
    assert tell(run, 0.5) is None
    assert tell(run, DIVERGED) is None
    assert tell(run, 0.4) == Judgement(MEMORIZATION, 0, 3, 0.5, None, 0.95, False)
    assert run.step() is None
    outcome = run.outcome()
    assert outcome.ending == "stopped at memorization"
    (visit,) = outcome.visits
    assert visit.results == {SETTINGS[0]: 0.5, SETTINGS[1]: None, SETTINGS[2]: 0.4}
    assert visit.passed is False


def test_95_per_cent_are_enough_to_pass_memorization() -> None:
    judgement = tell(make_run(), 0.95)
    assert judgement is not None
    assert judgement.passed
    assert tell(make_run(), 0.9499999) is None  # the next setting has its turn


def test_a_metric_of_a_trial_that_does_not_count_passes_nothing() -> None:
    run = make_run()
    assert tell(run, ended(1.0, TrialState.DIVERGED)) is None
    run = make_run(memorized=True)
    judgement = tell(run, ended(1.0, TrialState.FAILED), 0.1, DIVERGED)
    assert judgement == Judgement("xml", 1, 3, 0.1, 0.2, 0.9, False)


def test_a_cell_at_the_level_of_guessing_is_judged_by_its_metric() -> None:
    judgement = tell(make_run(memorized=True), ended(0.49, TrialState.AT_CHANCE), ended(0.1, TrialState.STOPPED), 0.2)
    assert judgement == Judgement("xml", 1, 3, 0.49, 0.98, 0.9, True)


def test_ninety_per_cent_of_the_gru_must_be_exceeded() -> None:
    run = make_run(memorized=True)
    judgement = tell(run, 0.45, 0.1, 0.2)  # 0.45 / 0.5 is 0.9 in floating point too
    assert judgement == Judgement("xml", 1, 3, 0.45, 0.9, 0.9, False)
    assert run.step() is None
    assert run.outcome().ending == "stopped at xml"
    judgement = tell(make_run(memorized=True), 0.4500001, 0.1, 0.2)
    assert judgement is not None
    assert judgement.passed


def test_where_less_is_better_the_smallest_counts_and_the_ratio_is_turned() -> None:
    run = make_run(memorized=True)
    tell(run, 0.5, 0.5, 0.5)
    assert run.step() == Step("music", 2, TRIALS)
    assert tell(run, 5.0, 6.0, DIVERGED) == Judgement("music", 2, 3, 5.0, 0.8, 0.8, False)
    run = make_run(memorized=True)
    tell(run, 0.5, 0.5, 0.5)
    assert tell(run, 3.2, 6.0, DIVERGED) == Judgement("music", 2, 3, 3.2, 1.25, 0.8, True)


def test_checks_come_last_and_stop_nobody() -> None:
    run = make_run(memorized=True)
    tell(run, 0.5, 0.5, 0.5)
    tell(run, 4.0, 4.0, 4.0)
    assert run.step() == Step("extra", 3, TRIALS)
    assert tell(run, 0.01, 0.02, DIVERGED) == Judgement("extra", 3, 3, 0.02, 0.04, None, True)
    assert run.step() is None
    outcome = run.outcome()
    assert outcome.ending == "complete"
    assert [visit.task for visit in outcome.visits] == ["xml", "music", "extra"]
    assert outcome.visits[2].results == {SETTINGS[0]: 0.01, SETTINGS[1]: 0.02, SETTINGS[2]: None}


@pytest.mark.parametrize(
    ("xml", "music", "passed"),
    [
        (0.48, 4.3, (True, True)),  # 0.23 / 0.25 = 0.92 and 1.7 / 2 = 0.85
        (0.48, 4.5, (True, False)),  # 1.5 / 2 = 0.75, though 4 / 4.5 is above the threshold of 0.8
        (0.47, 4.0, (False, None)),  # 0.22 / 0.25 = 0.88, though 0.47 / 0.5 is above the threshold of 0.9
        (0.20, 4.0, (False, None)),  # worse than the constant baseline: -0.05 / 0.25
    ],
)
def test_with_gains_a_threshold_is_a_share_of_the_gru_s_gain(
    xml: float, music: float, passed: tuple[bool, bool | None]
) -> None:
    run = make_run(memorized=True, rule=GAINS)
    judgement = tell(run, xml, 0.1, 0.1)
    assert judgement is not None
    assert judgement.share == pytest.approx((xml - 0.25) / (0.5 - 0.25))
    assert judgement.passed is passed[0]
    if passed[1] is not None:
        judgement = tell(run, music, 9.0, 9.0)
        assert judgement is not None
        assert judgement.share == pytest.approx((6.0 - music) / (6.0 - 4.0))
        assert judgement.passed is passed[1]
    if passed == (True, True):
        judgement = tell(run, 0.9, 0.1, 0.1)  # the GRU has no gain on this check, which ends no proposal
        assert judgement is not None
        assert (judgement.share, judgement.passed) == (None, True)


def test_a_cell_that_comes_again_passes_by_what_it_reached_before() -> None:
    run = make_run(memorized=True, best_before={"xml": 0.6, "music": 3.0})
    assert tell(run, 0.1, DIVERGED, 0.2) == Judgement("xml", 1, 3, 0.6, 1.2, 0.9, True)
    judgement = tell(run, 9.0, 2.5, 8.0)
    assert judgement is not None
    assert judgement.best == 2.5
    assert run.visits[0].results[SETTINGS[0]] == 0.1  # the visit has its own values only


def test_a_visit_without_settings_left_is_judged_by_what_is_known() -> None:
    proposal = Proposal(0, ProposalKind.PROPOSE, LIBRARY["tanh"].graph, memorized=True, best_before={"xml": 0.5})
    run = StagesCourse(proposal, PROFILE, RULE)
    assert run.step() == Step("xml", 1, ())
    assert run.tell({}) == Judgement("xml", 1, 0, 0.5, 1.0, 0.9, True)
    assert run.tell({}) == Judgement("music", 2, 0, None, None, 0.8, False)
    assert run.step() is None
    assert run.outcome().ending == "stopped at music"


def test_a_cell_none_of_whose_trials_could_run_has_failed() -> None:
    run = make_run(memorized=True)
    tell(run, FAILED, FAILED, FAILED)
    assert run.step() is None
    assert run.outcome().ending == "failed at xml"
    run = make_run(memorized=True)
    tell(run, FAILED, DIVERGED, FAILED)  # diverging is an answer
    assert run.step() is None
    assert run.outcome().ending == "stopped at xml"


@pytest.mark.parametrize("kind", [ProposalKind.BASELINE, ProposalKind.REEXAMINE])
def test_named_and_known_cells_visit_every_task_however_bad(kind: ProposalKind) -> None:
    run = make_run(kind, rule=RULE.against({}) if kind is ProposalKind.BASELINE else RULE)
    visited = []
    while (step := run.step()) is not None:
        visited.append(step.task)
        judgement = run.tell(dict.fromkeys(step.trials, DIVERGED))
        if judgement is not None and step.task != MEMORIZATION:
            assert judgement.passed
            assert judgement.threshold is None
            assert judgement.share is None
    first = [MEMORIZATION] * 3 if kind is ProposalKind.BASELINE else []
    assert visited == [*first, "xml", "music", "extra"]
    assert run.outcome().ending == "complete"


def test_no_child_is_an_outcome_without_visits() -> None:
    run = StagesCourse(Proposal(3, ProposalKind.PROPOSE, None, "parent"), PROFILE, RULE)
    assert run.step() is None
    outcome = run.outcome()
    assert (outcome.visits, outcome.ending) == ((), "no valid child")


def test_the_order_in_which_trials_finish_changes_nothing() -> None:
    forward, backward = make_run(memorized=True), make_run(memorized=True)
    results = dict(zip(TRIALS, map(ended, (0.3, 0.47, 0.4)), strict=True))
    assert forward.tell(results) == backward.tell(dict(reversed(results.items())))
    assert forward.visits == backward.visits
