"""A trial's row has everything that its result has, and gives it back."""

from dataclasses import fields, replace

from results.store.records import MeasureRow
from results.store.words import TrialState
from search.engine.rows import measure_rows, trial_result, trial_row
from search.training.settings import Setting
from search.training.trial import OtherMetric, Point, TrialResult
from tasks.task import NATS_PER_STEP

RESULT = TrialResult(
    TrialState.AT_CHANCE,
    "made up",
    validation=1.5,
    validation_se=0.25,
    validation_loss=1.75,
    test=1.625,
    test_se=0.125,
    test_loss=1.875,
    best_step=3,
    steps=7,
    seconds=2.5,
    parameters=1000,
    units=16,
    curve=(Point(3, 2.0, 1.5), Point(7, 1.0, 1.6)),
    others=(OtherMetric("accuracy", 0.5, 0.01, 0.4, 0.02),),
    environment='{"cpu":"one"}',
)


def test_a_result_survives_its_row_but_for_the_description_of_its_environment() -> None:
    stored = [field for field in fields(RESULT) if field.name != "checkpoint"]
    assert all(getattr(RESULT, field.name) != field.default for field in stored)
    setting = Setting(1.0, 0.5, 2.5, 2, 1000)
    row = trial_row(
        "ab" * 8, "music", setting, 2, seed=5, result=RESULT, metric=NATS_PER_STEP, environment="e", proposal=-1
    )
    assert (row.cell, row.task, row.setting, row.repeat, row.seed) == ("ab" * 8, "music", setting.key, 2, 5)
    assert (row.metric, row.higher_is_better) == ("nats_per_step", False)
    assert (row.environment, row.proposal) == ("e", -1)
    assert trial_result(row) == replace(RESULT, environment=None, others=())
    expected = MeasureRow("ab" * 8, "music", setting.key, 2, "accuracy", 0.5, 0.01, 0.4, 0.02)
    assert measure_rows(row, RESULT) == [expected]
