"""History of an interrupted run: the proposals that ended, read from the store in bulk.

A resumed search needs of them only what its strategy learns from outcomes, so no proposal is drawn again: ten thousand
proposals are read within seconds, where drawing their cells would take a minute.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.store.queries import past_trials, past_visits
from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import RANKED_STATES
from search.strategies.proposal import Visit
from search.training.settings import Setting


@dataclass(frozen=True)
class PastProposal:
    """Row of a proposal that ended, and its visits in order.

    A trial that several proposals asked for belongs to the visit of the first one only. A strategy learns the same from
    it, because it is told the other proposals later.
    """

    row: ProposalRow
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class History:
    """Longest prefix of finished proposals, and the number of their trials."""

    proposals: Sequence[PastProposal]
    trials: int

    @classmethod
    def read(cls, store: Store) -> "History":
        """Read the history of a run.

        Raises:
            StoreError: the store cannot be read.
        """
        rows: list[ProposalRow] = []
        for row in store.proposals():
            if row.index == len(rows):
                rows.append(row)
        results = _results(store, len(rows))
        passed: dict[int, list[tuple[str, bool]]] = defaultdict(list)
        for visit in past_visits(store):
            passed[visit.proposal].append((visit.task, visit.passed))
        proposals = [
            PastProposal(
                row, tuple(Visit(task, results.get((row.index, task), {}), ok) for task, ok in passed[row.index])
            )
            for row in rows
        ]
        return cls(proposals, sum(map(len, results.values())))


def _results(store: Store, proposals: int) -> Mapping[tuple[int, str], dict[Setting, float | None]]:
    """Return the validation metric of each ranked trial, None for the others, by proposal and task."""
    found: dict[tuple[int, str], dict[Setting, float | None]] = defaultdict(dict)
    settings: dict[str, Setting] = {}
    for trial in past_trials(store, proposals):
        setting = settings.get(trial.setting) or settings.setdefault(trial.setting, Setting.from_key(trial.setting))
        found[trial.proposal, trial.task][setting] = trial.validation if trial.state in RANKED_STATES else None
    return found
