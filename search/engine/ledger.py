"""Ledger of a search: the multiply-adds that each proposal spent, from its trials in the store.

A trial that several proposals share is charged to the first one of them, in the order of the index; a trial that was
trained further is charged for the further steps. The trials of the given cells, which every search with the same seed
and settings needs, are kept apart. The ledger is a function of the stored trials and of the order in which outcomes are
told, so a resumed search and an analysis of its store get the same sums.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from results.store.graphs import graph_of
from results.store.records import TrialRow
from results.store.store import Store
from search.allocations.base import Allocation
from search.cells.library import LIBRARY, REFERENCE
from search.engine.baselines import baseline_proposal
from search.profiles.sections import Profile
from search.profiles.tasks import section_of
from search.strategies.proposal import Visit
from search.training.compute import DataSize, ModelProducts, data_size, matrix_groups, model_products, trial_compute
from search.training.settings import Setting
from tasks.task import Task


class TrialUse(NamedTuple):
    """Trial that a proposal asked for: its key, and the step at which it paused; None if it was trained to its end."""

    cell: str
    task: str
    setting: str
    repeat: int = 0
    until: int | None = None


class Ledger:
    """Account of what a search spent.

    Args:
        profile: profile of the search.
        tasks: memorization and every task of the profile, by name.
        store: store of the search; a trial is read from it when it is charged.

    Attributes:
        given: multiply-adds of the given cells, which `spent` leaves out.
        spent: multiply-adds of the proposals charged so far.
    """

    def __init__(self, profile: Profile, tasks: Mapping[str, Task], store: Store) -> None:
        self.profile, self.tasks, self.store = profile, tasks, store
        self.given = self.spent = 0.0
        self._paid: dict[tuple[str, str, str, int], float] = {}
        self._sizes: dict[str, DataSize] = {}
        self._products = lru_cache(64)(self._model_products)

    def charge_given(self) -> None:
        """Charge the trials of the given cells. Called once, when they are finished and before any proposal.

        Raises:
            StoreError: the store cannot be read.
        """
        assert not self._paid
        uses = given_uses(self.profile, self.store.seed, self.store)
        self.given = sum(map(self._charge, uses))

    def charge(self, uses: Iterable[TrialUse]) -> float:
        """Charge a proposal for the trials that it used, and return what it cost.

        Proposals are charged in the order of the index.

        Raises:
            StoreError: the store cannot be read.
        """
        cost = float(sum(map(self._charge, uses)))
        self.spent += cost
        return cost

    def _charge(self, use: TrialUse) -> float:
        """Return what a trial cost beyond what was paid for it before."""
        row = self.store.trial(use.cell, use.task, use.setting, use.repeat)
        cost = 0.0 if row is None else self.cost(row, use.until)
        before = self._paid.get(use[:4], 0.0)
        self._paid[use[:4]] = max(cost, before)
        return max(cost - before, 0.0)

    def cost(self, row: TrialRow, until: int | None = None) -> float:
        """Return the multiply-adds of a stored trial, with its curve, up to step `until`.

        A trial that failed without a result has cost nothing, as far as the store knows.
        """
        ended = until is None or row.steps <= until
        points = len(row.curve) if ended else sum(step <= (until or 0) for step, _, _ in row.curve)
        return trial_compute(
            self._products(row.cell, row.task, row.units, Setting.from_key(row.setting).layers),
            self._size(row.task),
            row.steps if ended else until or 0,
            points,
            ended and row.test is not None,
        )

    def _size(self, task: str) -> DataSize:
        if task not in self._sizes:
            schedule = section_of(self.profile, task).schedule
            self._sizes[task] = data_size(self.tasks[task], schedule.batch, schedule.unroll)
        return self._sizes[task]

    def _model_products(self, cell: str, task: str, units: int, layers: int) -> ModelProducts:
        data, row = self.tasks[task], self.store.cell(cell)
        # A formula takes a millisecond to read, and only one in which a matrix has groups needs to be.
        groups = matrix_groups(graph_of(row).canonical()) if "groups" in row.formula else (1,) * row.products
        return model_products(groups, units, layers, data.interface)


def uses_of(
    store: Store, allocation: Allocation, cell: str | None, rung: int, visits: Sequence[Visit]
) -> Iterator[TrialUse]:
    """Yield the trials that a proposal used.

    Args:
        store: store of the run.
        allocation: allocation of the run: it says where trials were paused.
        cell: id of the proposal's cell.
        rung: rung to which the proposal trained it.
        visits: visits of the proposal.

    Raises:
        StoreError: the store cannot be read.
    """
    if cell is None:
        return
    for visit in visits:
        if rung > allocation.whole:  # further seeds of one setting, which visits do not name
            for row in store.trials(cell, visit.task):
                if row.repeat < 0:
                    yield TrialUse(cell, visit.task, row.setting, row.repeat)
        until = allocation.marks(visit.task)[rung] if rung < allocation.whole else None
        for setting in visit.results:
            yield TrialUse(cell, visit.task, setting.key, 0, until)


def given_uses(profile: Profile, seed: int, store: Store) -> Iterator[TrialUse]:
    """Yield the trials of the given cells: the settings that their stored visits tried, and the GRU's further seeds.

    Raises:
        StoreError: the store cannot be read.
    """
    reference = LIBRARY[REFERENCE].graph.in_form(store.form).id
    for k, graph in enumerate(profile.given_in(store.form).values()):
        settings = baseline_proposal(profile, seed, -1 - k, graph).settings
        for row in store.evaluations(graph.id):
            if row.proposal == -1 - k:  # memorization may have stopped before its last setting
                for setting in settings[row.task][: row.settings]:
                    yield TrialUse(graph.id, row.task, setting.key)
        if graph.id == reference:
            for trial in store.trials(graph.id):
                if trial.repeat < 0:
                    yield TrialUse(graph.id, trial.task, trial.setting, trial.repeat)
