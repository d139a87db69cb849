"""A search whose trials mostly fail is stopped with the reason; single failures and divergence do not stop it."""

from pathlib import Path

import pytest

from results.store.store import Store
from results.store.words import TrialState
from search.core.errors import SearchError
from search.engine.failures import LATEST_TRIALS, LEAST_TRIALS, FailureWatch
from search.training.trial import TrialResult

OK, DIVERGED = TrialResult(TrialState.OK, "", validation=0.5), TrialResult(TrialState.DIVERGED, "loss")
FAILED = TrialResult(TrialState.FAILED, "no space left")


@pytest.fixture
def watch(tmp_path: Path) -> FailureWatch:
    with Store.create(
        tmp_path / "night", name="night", seed=0, profile="", strategy="paper", window=1, information={}
    ) as store:
        return FailureWatch(store)


def test_most_trials_of_a_task_that_fail_stop_the_search_with_the_most_frequent_reason(watch: FailureWatch) -> None:
    for _ in range(LEAST_TRIALS // 2 - 1):
        watch.count("xml", OK)
    for _ in range(LEAST_TRIALS // 2):
        watch.count("xml", FAILED)
    with pytest.raises(SearchError, match=r"11 of the last 20 trials on 'xml' failed, 10 of them with: no space left"):
        watch.count("xml", TrialResult(TrialState.FAILED, "another"))


def test_a_cause_that_comes_up_after_thousands_of_trials_is_seen_within_a_hundred(watch: FailureWatch) -> None:
    for _ in range(3000):
        watch.count("xml", OK)
    for _ in range(LATEST_TRIALS // 2):
        watch.count("xml", FAILED)
    with pytest.raises(SearchError, match=r"51 of the last 100 trials on 'xml' failed, 51 of them with: no space left"):
        watch.count("xml", FAILED)


def test_half_of_the_trials_that_diverged_or_another_task_do_not_stop_it(watch: FailureWatch) -> None:
    for _ in range(3 * LEAST_TRIALS):
        watch.count("xml", OK)
        watch.count("xml", FAILED)
        watch.count("music", DIVERGED)
    for _ in range(LEAST_TRIALS - 1):
        watch.count("arithmetic", FAILED)
    with pytest.raises(SearchError, match="--resume"):
        watch.count("arithmetic", FAILED)
