"""Watch over failed trials: a search whose trials mostly fail is stopped with the reason.

A cell whose training fails is a bad cell. But if most trials of a task fail, the cause is the data, the profile or the
machine, and the search would go on for hours without a result.
"""

import shlex
from collections import Counter, defaultdict

from results.store.runs import name_for_commands
from results.store.store import Store
from results.store.words import TrialState
from search.core.errors import SearchError
from search.training.trial import TrialResult

LEAST_TRIALS = 20
"""Trials of a task after which the share of failed ones is judged."""


class FailureWatch:
    """Counts of the trials of each task since the search was started or resumed, and of those that failed.

    A trial that diverged is none of these: the cell may be to blame.

    Args:
        store: store of the run, whose name the message has.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ended: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)

    def count(self, task: str, result: TrialResult) -> None:
        """Count a trial that ended, after it was stored.

        Raises:
            SearchError: most trials of the task have failed.
        """
        self._ended[task] += 1
        if result.state is not TrialState.FAILED:
            return
        reasons = self._reasons[task]
        reasons[result.reason] += 1
        failed, ended = reasons.total(), self._ended[task]
        if ended < LEAST_TRIALS or 2 * failed <= ended:
            return
        ((reason, times),) = reasons.most_common(1)
        raise SearchError(
            f"{failed} of the last {ended} trials on {task!r} failed, {times} of them with: {reason}; the search is "
            f"stopped, and all trials are kept. Remove the cause, then: gatesearch search "
            f"{shlex.quote(name_for_commands(self._store))} --resume"
        )
