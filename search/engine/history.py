"""What a run did before it was interrupted: the proposals that came to their end, read from the store in bulk.

A search that goes on needs nothing of them but what its strategy learns from outcomes, so nothing is drawn again: ten
thousand proposals are taken in within seconds, where drawing their cells would take a minute.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import TrialState
from search.strategies.base import Visit
from search.training.settings import Setting


@dataclass(frozen=True)
class Past:
    """A proposal that ended: its row, and its visits in order.

    A trial that several proposals asked for is in the visit of the first of them alone; the others' outcomes are told
    later, so whoever is told of all of them in order knows the same at any time.
    """

    row: ProposalRow
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class History:
    """The proposals from the first to the last before the first that did not end; trials counts all of theirs."""

    proposals: Sequence[Past]
    trials: int

    @classmethod
    def read(cls, store: Store) -> "History":
        """What the store of a run says. Raises `StoreError` where it cannot be read."""
        rows: list[ProposalRow] = []
        for row in store.proposals():
            if row.index == len(rows):
                rows.append(row)
        results = _results(store, len(rows))
        passed: dict[int, list[tuple[str, bool]]] = defaultdict(list)
        for index, task, verdict in store.typed(
            "SELECT proposal, task, passed FROM evaluations WHERE proposal >= 0 ORDER BY proposal, stage",
            {"proposal": int, "task": str, "passed": bool},
        ):
            passed[index].append((task, bool(verdict)))
        pasts = [
            Past(row, tuple(Visit(task, results.get((row.index, task), {}), ok) for task, ok in passed[row.index]))
            for row in rows
        ]
        return cls(pasts, sum(map(len, results.values())))


def _results(store: Store, proposals: int) -> Mapping[tuple[int, str], dict[Setting, float | None]]:
    """The validation metric of each trial that counts, by the proposal that asked first and the task."""
    found: dict[tuple[int, str], dict[Setting, float | None]] = defaultdict(dict)
    settings: dict[str, Setting] = {}
    counts = {state.value: state.is_ranked for state in TrialState}
    for index, task, key, state, validation in store.typed(
        "SELECT proposal, task, setting, state, validation FROM trials WHERE repeat = 0 AND proposal BETWEEN 0 AND ?",
        {"proposal": int, "task": str, "setting": str, "state": str, "validation": float | None},
        (proposals - 1,),
    ):
        setting = settings.get(key) or settings.setdefault(key, Setting.from_key(key))
        found[index, task][setting] = validation if counts.get(state) else None
    return found
