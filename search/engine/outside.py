"""Engine of a run whose cells come from outside: they are told one after the other, and trained by the allocation.

Each cell that is told takes the next index, after the promotions that the allocation makes there, and index k sees the
outcomes of exactly the proposals up to k - W, as in every run. So the results are a function of the seed, of the
sequence of cells, and of the places in it where all outcomes were waited for (`OutsideEngine.drain`). They depend
neither on how the cells were grouped into calls nor on interruptions.

A cell is stored with its index before its first trial, and so is the fact that promotions were begun before the next
cell. A run that is opened again asks for the stored cells in order and finishes what was interrupted; `gatesearch
verify` does the same over the stored trials.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from results.store.graphs import graph_of
from results.store.store import Store
from results.store.words import OUTSIDE, Origin, ProposalKind
from search.allocations.base import Promotion, best_setting
from search.cells.graph import GateGraph
from search.cells.ids import cell_text
from search.core.errors import SearchError
from search.engine.engine import Engine
from search.engine.history import History, PastProposal
from search.profiles.sections import Profile
from search.strategies.outside import OutsideStrategy, Suggestion
from search.strategies.proposal import Outcome, Visit
from search.training.settings import Setting


@dataclass(frozen=True)
class ToldCell:
    """Cell of a stored run that was told: the index of its proposal, and the id of its parent if it has one."""

    index: int
    graph: GateGraph
    parent: str | None


def told_cells(store: Store) -> list[ToldCell]:
    """Return the cells that were told to a run, in order.

    Raises:
        StoreError: the store cannot be read.
    """
    return [
        ToldCell(row.proposal, graph_of(row).in_form(store.form), row.parent)
        for row in store.cells()
        if row.origin == Origin.FOUND and row.proposal is not None
    ]


class OutsideEngine(Engine):
    """Engine for cells that are told, not drawn. `run` asks again for those that the store has, and finishes them."""

    strategy: OutsideStrategy
    _before: Sequence[ToldCell] | None = None
    _index = 0  # of the next proposal
    _asked_for = 0  # number of cells that were told

    def recall(self, told: Sequence[ToldCell]) -> None:
        """Take the cells that `run` asks for from elsewhere, in place of those in the store."""
        self._before = told

    def run_baselines(self) -> None:
        """Evaluate the given cells."""
        self._cells = dict.fromkeys(graph.id for graph in self._given.values())  # known ids in order
        self._best_settings: dict[str, list[tuple[int, dict[str, Setting]]]] = defaultdict(list)
        super().run_baselines()

    @property
    def index(self) -> int:
        """Index of the next proposal."""
        return self._index

    def run_proposals(self) -> None:
        """Ask for the cells that were told before, in order, and wait for their results."""
        history = History.read(self.store, self.allocation, self.rule)
        self._history = history.proposals
        self.progress.trials_known += history.trials
        self.progress.proposing = True
        drained = set(self.store.drained)
        before = told_cells(self.store) if self._before is None else self._before
        for count, cell in enumerate(before):
            if count in drained:
                self._promote(drain=True)
            index = self.propose(cell.graph, cell.parent)
            if index != cell.index:
                raise SearchError(
                    f"{cell_text(cell.graph.id)} is proposal {cell.index} of the stored run, but this version of "
                    f"gatesearch, with the same seed and profile, makes it proposal {index}; "
                    "continue with the version that began the run"
                )
        if self._asked_for in drained:
            self._promote(drain=True)
        elif self.store.begun == self._asked_for:
            self._promote()
        self.wait()
        self.on_change(self.progress)

    def knows(self, cell: str) -> bool:
        """Return whether a cell (a whole id) was given by the profile or told before."""
        return cell in self._cells

    def cells(self) -> list[str]:
        """Return the ids of all cells: the given ones, then those that were told, in order."""
        return list(self._cells)

    def name(self, cell: str) -> str | None:
        """Return the name that the profile gives a cell, or None."""
        return self._names.get(cell)

    def propose(self, graph: GateGraph, parent: str | None = None) -> int:
        """Take the next index for a new cell, and queue its first trials.

        Promotions that are due come first, and so do waits for outcomes that the index sees.

        Args:
            graph: the cell, in the store's canonical form.
            parent: id of a known cell that it was made from.

        Returns:
            The index of its proposal.
        """
        self._promote()
        index = self._index
        self._index += 1
        self._asked_for += 1
        self._cells[graph.id] = None
        self.progress.proposals = self._asked_for
        if index < len(self._history):
            self._check(self._history[index], graph.id)
            self._restore(self._history[index], None, check=False)
        else:
            self.strategy.put(index, graph, parent)
            self._start(self._proposal(index, None))
        return index

    def suggest(self, count: int) -> list[Suggestion]:
        """Return up to `count` new cells that the strategy suggests, from the outcomes that the next index sees."""
        self._tell_seen()
        return self.strategy.suggest(count)

    def drain(self) -> int:
        """Wait for all outcomes, and make the promotions that they allow until none is left. Return their number.

        The store notes after how many cells this was done.
        """
        before = self.progress.promotions
        if self._asked_for not in self.store.drained:
            self.store.mark(drained=[*self.store.drained, self._asked_for])
        self._promote(drain=True)
        return self.progress.promotions - before

    def end(self) -> None:
        """Drain, and remove the checkpoints: what is told later trains a candidate of before from its first step."""
        self.drain()
        self._checkpoints.clear()

    def is_running(self, cell: str, last: int) -> bool:
        """Return whether a proposal of a cell with an index up to `last` has not ended."""
        return any(index <= last and running.course.proposal.cell == cell for index, running in self._running.items())

    def advance(self) -> None:
        """Wait for one trial, and enter its result. Some proposal must be running."""
        ticket, result = self.executor.next()
        self._receive(ticket, result)

    def wait(self) -> None:
        """Wait until every proposal has ended."""
        while self._running:
            self.advance()

    def indices(self, cell: str, last: int) -> list[int]:
        """Return the indices up to `last` of a cell's proposals that have ended, in order."""
        return sorted(index for index, _ in self._best_settings[cell] if index <= last)

    def best_settings(self, cell: str, last: int) -> dict[str, Setting]:
        """Return a cell's best setting of each task, by its proposals up to index `last`."""
        found: dict[str, Setting] = {}
        for index, settings in sorted(self._best_settings[cell], key=itemgetter(0)):
            if index <= last:
                found |= settings
        return found

    def _promote(self, *, drain: bool = False) -> None:
        """Make the promotions that are due at the next indices; with `drain`, tell all outcomes and go on."""
        while True:
            self._tell_seen()
            promotion = self.allocation.promotion(self._index)
            if promotion is not None:
                if not drain and self.store.begun != self._asked_for and self._index >= len(self._history):
                    self.store.mark(begun=self._asked_for)
                self._take(promotion)
            elif drain and self._told < self._index:
                self._tell()
            else:
                return

    def _take(self, promotion: Promotion) -> None:
        index = self._index
        self._index += 1
        if index < len(self._history):
            self._restore(self._history[index], promotion, check=False)
        else:
            self._start(self._proposal(index, promotion))

    def _tell_seen(self) -> None:
        """Tell the outcomes that the next index sees."""
        while self._told <= self._index - self.profile.search.window:
            self._tell()

    def _check(self, past: PastProposal, cell: str) -> None:
        if past.row.kind != ProposalKind.PROPOSE or past.row.cell != cell:
            raise SearchError(
                f"proposal {past.row.index} of the stored run is {cell_text(past.row.cell)} ({past.row.kind}), but it "
                f"was told {cell_text(cell)}; continue with the version that began the run, or restore a backup"
            )

    def _restore(self, past: PastProposal, promotion: Promotion | None, *, check: bool) -> None:
        super()._restore(past, promotion, check=check)
        self._keep_settings(past.row.cell, past.row.index, past.visits)

    def _end(self, outcome: Outcome) -> None:
        self._keep_settings(outcome.proposal.cell, outcome.proposal.index, outcome.visits)
        super()._end(outcome)

    def _keep_settings(self, cell: str | None, index: int, visits: Sequence[Visit]) -> None:
        if cell is None:
            return
        found = {visit.task: best_setting(self.rule, visit) for visit in visits}
        self._best_settings[cell].append(
            (index, {task: setting for task, setting in found.items() if setting is not None})
        )


def engine_class(profile: Profile) -> type[Engine]:
    """Return the engine of a run with this profile."""
    return OutsideEngine if profile.search.strategy == OUTSIDE else Engine
