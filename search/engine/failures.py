"""Watch over failed trials: a search whose trials mostly fail is stopped with the reason.

A cell whose training fails is a bad cell. But if most trials of a task fail, the cause is the data, the profile or the
machine, and the search would go on for hours without a result. On fresh seeds, moreover, each would count as a seed on
which the cell learns nothing.
"""

import shlex
from collections import Counter, defaultdict, deque

from results.store.runs import name_for_commands
from results.store.store import Store
from results.store.words import TrialState
from search.core.errors import SearchError
from search.training.trial import TrialResult

LEAST_TRIALS = 20
"""Trials of a task after which the share of failed ones is judged."""

LATEST_TRIALS = 100
"""Latest trials of a task by which it is judged, so that a cause that comes up after thousands of trials is seen."""


class FailureWatch:
    """Counts of the latest trials of each task since the search was started or resumed, and of those that failed.

    A trial that diverged has not failed: the cell may be to blame.

    Args:
        store: store of the run, whose name the message has.
        fresh: whether these are trials on fresh seeds, which `gatesearch finalists` trains, too.
    """

    def __init__(self, store: Store, *, fresh: bool = False) -> None:
        self._store = store
        self._again = " give the same `finalists` command again, or" if fresh else ""
        # Of each trial the reason why it failed, or None.
        self._latest: dict[str, deque[str | None]] = defaultdict(lambda: deque(maxlen=LATEST_TRIALS))

    def count(self, task: str, result: TrialResult) -> None:
        """Count a trial that ended, after it was stored.

        Raises:
            SearchError: most trials of the task have failed.
        """
        latest = self._latest[task]
        if result.state is not TrialState.FAILED:
            latest.append(None)
            return
        latest.append(result.reason)
        reasons = Counter(reason for reason in latest if reason is not None)
        failed, ended = reasons.total(), len(latest)
        if ended < LEAST_TRIALS or 2 * failed <= ended:
            return
        ((reason, times),) = reasons.most_common(1)
        raise SearchError(
            f"{failed} of the last {ended} trials on {task!r} failed, {times} of them with: {reason}; the search is "
            f"stopped, and all trials are kept. Remove the cause, then{self._again}: gatesearch search "
            f"{shlex.quote(name_for_commands(self._store))} --resume"
        )
