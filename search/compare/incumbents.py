"""Incumbents of a search: the cell that it would return after each proposal, and at which settings.

The incumbent is the cell with the highest rung, and the best score there, of all outcomes told so far. The given cells
are at the rung of a whole training. A candidate that its further seeds put below the GRU is ranked at that rung too, by
its score on these seeds: otherwise it would lead as soon as it is the first with further seeds. Ties go to the smaller
id, as in the strategies' own lists. The incumbent's settings are the best by validation of those that the search had
tried by then.

A search may be measured by the cells that it found alone. Then neither a given cell nor one of the initial population
is the incumbent, and there is none until another cell has a score.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from results.store.store import Store
from results.store.words import ProposalKind
from search.allocations.registry import ALLOCATIONS
from search.engine.budgets import budgets
from search.engine.history import History
from search.engine.ledger import Ledger, given_uses, uses_of
from search.profiles.loading import profile_of
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from tasks.task import Metric, Task

Standing = tuple[int, float]
"""Rung, and the score at that rung."""


@dataclass(frozen=True)
class Incumbent:
    """Cell that a search would return from some proposal on.

    Attributes:
        proposal: proposal from whose outcome on it leads; -1 if it is a given cell that leads from the start.
        compute: multiply-adds of the proposals up to that one.
        cell: id of the cell.
        score: its score by validation in the search.
        settings: key of its best setting on each ranked task.
    """

    proposal: int
    compute: float
    cell: str
    score: float
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Trajectory:
    """Course of a search within a budget.

    Attributes:
        incumbents: incumbents in order.
        proposals: number of proposals that ended within the budget.
        complete: number of these that have a score.
        compute: multiply-adds of these proposals.
        total: multiply-adds of all proposals, those beyond the budget included.
        given: multiply-adds of the given cells.
        seconds: sum of the durations of all trials of the run.
    """

    incumbents: tuple[Incumbent, ...]
    proposals: int
    complete: int
    compute: float
    total: float
    given: float
    seconds: float


class Measured(StrEnum):
    """Cells by which a search is measured."""

    RETURNED = "returned"  # what it would return: a found or a given cell
    FOUND = "found"  # the best cell that it found, neither given nor of the initial population


class Leaders:
    """Standing of each cell that has one, and the cell that leads."""

    def __init__(self, whole: int) -> None:
        self.whole = whole  # rung of a whole training
        self.standings: dict[str, Standing] = {}
        self.leader: str | None = None

    def rank(self, cell: str, rung: int, score: float) -> None:
        """Enter the standing of a cell, and find the leader."""
        standing = (rung if score >= 1.0 else min(rung, self.whole)), score
        fallen = cell == self.leader and standing < self.standings[cell]
        self.standings[cell] = standing
        if fallen:
            self.leader = min(self.standings, key=self._place)
        elif self.leader is None or self._place(cell) < self._place(self.leader):
            self.leader = cell

    def _place(self, cell: str) -> tuple[float, float, str]:
        rung, score = self.standings[cell]
        return -rung, -score, cell


class _Tried:
    """Settings that were tried on each cell, with their results."""

    def __init__(self, ranked: tuple[str, ...], metrics: Mapping[str, Metric]) -> None:
        self.ranked, self.metrics = ranked, metrics
        self._tried: dict[tuple[str, str], dict[str, float]] = {}

    def enter(self, cell: str, task: str, results: Iterable[tuple[str, float | None]]) -> None:
        """Enter the validation metric of settings of a cell on a task."""
        known = self._tried.setdefault((cell, task), {})
        known.update({setting: value for setting, value in results if value is not None})

    def settings(self, cell: str) -> dict[str, str]:
        """Return the best setting of a cell on each ranked task."""
        found = {}
        for task in self.ranked:
            values = self._tried.get((cell, task), {})
            sign = -1.0 if self.metrics[task].higher_is_better else 1.0
            if values:
                found[task] = min(values, key=lambda key, v=values, s=sign: (s * v[key], Setting.from_key(key)))  # type: ignore[misc]
        return found


def trajectory(store: Store, tasks: Mapping[str, Task], budget: float, measured: Measured) -> Trajectory:
    """Return the course of a finished search within a budget.

    Args:
        store: store of the run.
        tasks: memorization and every task, by name.
        budget: multiply-adds; the first proposal whose sum is above it, and all after it, are left out.
        measured: which cells can be the incumbent.

    Raises:
        StoreError: the store cannot be read.
        SearchError: the stored profile is invalid.
    """
    profile = profile_of(store)
    allocation = ALLOCATIONS[profile.search.allocation](profile, store.seed, budgets(profile))
    rule = ScoreRule(profile.search.score, profile.ranked, {name: task.metric for name, task in tasks.items()})
    ledger = Ledger(profile, tasks, store)
    ledger.charge_given()
    tried, leaders = _Tried(profile.ranked, rule.metrics), Leaders(allocation.whole)
    for use in given_uses(profile, store.seed, store):
        row = store.trial(use.cell, use.task, use.setting, use.repeat)
        if row is not None and row.validation is not None:
            tried.enter(use.cell, use.task, [(use.setting, row.validation)])
    found: list[Incumbent] = []
    apart: set[str | None] = set()  # cells that cannot be the incumbent
    if measured is Measured.RETURNED:
        for given in store.proposals():
            if given.index < 0 and given.cell is not None and given.score is not None:
                leaders.rank(given.cell, allocation.whole, given.score)
        _note(found, leaders, tried, -1, 0.0)
    else:
        apart |= {row.cell for row in store.proposals() if row.index < 0 or row.kind is ProposalKind.INITIAL}
    proposals = complete = 0
    compute = 0.0
    rungs: Counter[str] = Counter()  # of the proposals of each cell
    for past in History.read(store, allocation, rule).proposals:
        cell = past.row.cell
        rung = 0 if cell is None or not allocation.whole else rungs[cell]
        rungs[cell or ""] += 1
        ledger.charge(uses_of(store, allocation, cell, rung, past.visits))
        if ledger.spent > budget:
            continue  # what is beyond the budget is still summed up
        proposals, compute = proposals + 1, ledger.spent
        if cell is None:
            continue
        for visit in past.visits:
            tried.enter(cell, visit.task, ((setting.key, value) for setting, value in visit.results.items()))
        if past.row.score is not None:  # not of a candidate that was paused or stopped
            complete += 1
            if cell in apart:
                continue
            leaders.rank(cell, rung, past.row.score)
            _note(found, leaders, tried, past.row.index, compute)
    seconds = sum(row.seconds for row in store.trials())
    return Trajectory(tuple(found), proposals, complete, compute, ledger.spent, ledger.given, seconds)


def _note(found: list[Incumbent], leaders: Leaders, tried: _Tried, proposal: int, compute: float) -> None:
    """Add the incumbent if it is another cell, or has other settings, than the last one."""
    cell = leaders.leader
    assert cell is not None, "the GRU has a score"
    settings = tried.settings(cell)
    if not found or (found[-1].cell, found[-1].settings) != (cell, settings):
        found.append(Incumbent(proposal, compute, cell, leaders.standings[cell][1], settings))
