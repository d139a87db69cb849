"""Base class of the strategies: the records of all cells, and how a move becomes a proposal.

A strategy chooses the next cell to try. The engine calls `ask` and `tell` in the order of the index: proposal k is
asked for after the outcomes of exactly the proposals up to k - W were told, where W is the window of the run. The base
class maintains the records; a subclass writes `_choose`, which chooses a move from them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from results.store.words import COMPLETE, MEMORIZATION, ProposalKind
from search.cells.graph import GateGraph
from search.cells.mutation import Proposed, propose
from search.core.keys import generator_of
from search.profiles.sections import MemorizationSection, Profile, TaskSection
from search.strategies.proposal import Move, Outcome, Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting


@dataclass
class CellRecord:
    """State of one cell in a strategy. It holds no graph, since there is a record for every cell tried.

    Attributes:
        memorized: True if the cell passed memorization.
        complete: True if the cell passed every stage.
        tried: validation metric of each setting tried, by task; None for trials that do not rank.
        rung: highest rung at which the cell has a score; 0 if the allocation has no rungs.
        standing: score at that rung; None if the cell has none. Cells are ranked by rung, then by standing.
        standings: score at each rung.
    """

    memorized: bool = False
    complete: bool = False
    tried: dict[str, dict[Setting, float | None]] = field(default_factory=dict)
    rung: int = 0
    standing: float | None = None
    standings: dict[int, float] = field(default_factory=dict)

    def enter(self, rung: int, standing: float) -> None:
        """Enter a score at a rung. A score at a rung never falls, since more settings can only improve it."""
        best = max(standing, self.standings.get(rung, standing))
        self.standings[rung] = best
        if self.standing is None or rung >= self.rung:
            self.rung, self.standing = rung, best


class Strategy(ABC):
    """Source of proposals, which learns from their outcomes. Subclasses choose the moves.

    Args:
        profile: profile of the run.
        seed: seed of the run.
        rule: rule of the score, without the reference.
        graph_of: returns the graph of a cell that was told, by its id.

    Attributes:
        records: record of each cell, by id.
        seeds: ids of the cells that the search starts from.
        rule: rule of the score; it has the GRU's results once the baselines are known.
        best: list of the best cells as (standing, id), by rung, then standing, best first; its length is limited by the
            profile.
    """

    reexamines: ClassVar[bool] = False
    """True if moves may be re-examinations, with the probability `reexamine` of the profile."""

    def __init__(self, profile: Profile, seed: int, rule: ScoreRule, graph_of: Callable[[str], GateGraph]) -> None:
        self.profile = profile
        self.seed = seed
        self.rule = rule
        self.graph_of = graph_of
        self.records: dict[str, CellRecord] = {}
        self.seeds: list[str] = []
        self.best: list[tuple[float, str]] = []
        self._words = profile.vocabulary.words()
        self._proposed: set[str] = set()
        self._asked = self._told = 0

    def start(self, baselines: Sequence[Outcome], reference: Mapping[str, float], names: Mapping[str, str]) -> None:
        """Enter the seeds among the baselines into the records.

        Args:
            baselines: outcomes of all given cells; with rungs, at the rung that they were trained to.
            reference: the GRU's best validation metric on each ranked task.
            names: name of each given cell, by id.
        """
        self.rule = self.rule.against(reference)
        for outcome in baselines:
            cell = outcome.proposal.cell
            assert cell is not None
            if names[cell] in self.profile.seeds and cell not in self.records:
                self.seeds.append(cell)
                self._proposed.add(cell)
                self._enter(cell, outcome.proposal.kind, outcome.visits, outcome.ending)
                self._rank(cell, outcome.rung, outcome.standing)

    def ask(self, index: int) -> Proposal:
        """Return proposal `index`. Proposals are asked for in order."""
        assert index == self._asked, "proposals are asked for in order"
        self._asked += 1
        rng = generator_of(self.seed, "proposal", index)
        move = self._choose(rng)
        record = self.records[move.cell]
        # With rungs the allocation says which known cells are examined again.
        if move.kind is ProposalKind.REEXAMINE and self.profile.search.allocation == "stages":
            settings = self._fresh_settings(record, rng)
            bests = self._bests(record)
            graph = self.graph_of(move.cell)
            return Proposal(index, ProposalKind.REEXAMINE, graph, settings=settings, memorized=True, best_before=bests)
        drawn = self._draw(self.graph_of(move.cell), rng)
        if drawn.child is None:
            return Proposal(index, ProposalKind.PROPOSE, None, move.cell, rejections=drawn.rejections)
        graph = drawn.child.graph
        self._proposed.add(graph.id)
        known = self.records.get(graph.id)
        return Proposal(
            index,
            ProposalKind.PROPOSE,
            graph,
            move.cell,
            drawn.child.mutations,
            self._child_settings(graph.id, record, rng),
            memorized=known is not None and known.memorized,
            best_before=self._bests(known) if known else {},
            rejections=drawn.rejections,
        )

    def tell(self, outcome: Outcome) -> None:
        """Learn from the outcome of a proposal. Outcomes are told in order."""
        proposal = outcome.proposal
        self.learn(
            proposal.index,
            proposal.kind,
            proposal.cell,
            outcome.visits,
            outcome.ending,
            outcome.rung,
            outcome.standing,
            parent=proposal.parent,
        )

    def skip(self, index: int, cell: str | None) -> None:
        """Count proposal `index` as asked for, without drawing it: before the interruption it was the cell `cell`."""
        assert index == self._asked, "proposals are asked for in order"
        self._asked += 1
        if cell is not None:
            self._proposed.add(cell)

    def pass_over(self, index: int) -> None:
        """Count proposal `index` as asked for: it is a promotion, which the allocation proposes."""
        self.skip(index, None)

    def learn(
        self,
        index: int,
        kind: ProposalKind,
        cell: str | None,
        visits: Sequence[Visit],
        ending: str,
        rung: int = 0,
        standing: float | None = None,
        *,
        parent: str | None = None,
    ) -> None:
        """Learn from the stored outcome of a skipped proposal: what `tell` keeps of an outcome.

        Args:
            index: index of the proposal.
            kind: its kind. A promotion improves what is known of a cell; it proposes none.
            cell: id of the cell; None if no valid child was drawn.
            visits: its visits in order.
            ending: how it ended.
            rung: as in `Outcome`.
            standing: as in `Outcome`.
            parent: id of the cell that was mutated; None unless the cell is a child.
        """
        assert index == self._told, "outcomes are told in order"
        self._told += 1
        if cell is not None:
            self._enter(cell, kind, visits, ending)
            self._rank(cell, rung, standing)

    @abstractmethod
    def _choose(self, rng: np.random.Generator) -> Move:
        """Choose the next move from the records.

        It changes nothing of the strategy: a resumed search does not draw again what was asked before.
        """

    def score(self, record: CellRecord) -> float | None:
        """Return the cell's smallest share of the GRU's result over the ranked tasks; None if a task has no result."""
        return self.rule.score(self._bests(record))

    def _draw(self, parent: GateGraph, rng: np.random.Generator) -> Proposed:
        rules = self.profile.mutation
        known = self._proposed
        if rules.duplicates == "revisit":
            known = {i for i in known if i not in self.records or not self.records[i].memorized}
        return propose(
            parent,
            rng,
            rule=rules.rule,
            max_nodes=rules.max_nodes,
            known=known,
            attempts=rules.attempts,
            vocabulary=self._words,
        )

    def _enter(self, cell: str, kind: ProposalKind, visits: Sequence[Visit], ending: str) -> None:
        record = self.records.setdefault(cell, CellRecord())
        for visit in visits:
            record.tried.setdefault(visit.task, {}).update(visit.results)
            if visit.task == MEMORIZATION and visit.passed:
                record.memorized = True
        record.memorized = record.memorized or kind is ProposalKind.BASELINE
        if ending == COMPLETE:
            record.complete = True

    def _rank(self, cell: str, rung: int, standing: float | None) -> None:
        """Enter the cell's score at a rung; without rungs it is worked out once the cell is complete."""
        record = self.records[cell]
        if standing is None and record.complete:
            standing = self.score(record)
        if standing is None:
            return
        if not math.isfinite(standing):  # the cell was stopped on its way up: it is no parent any more
            record.standing = None
            self.best = [(s, i) for s, i in self.best if i != cell]
            return
        record.enter(rung, standing)
        assert record.standing is not None
        self.best = [(s, i) for s, i in self.best if i != cell] + [(record.standing, cell)]
        # Equal scores are ordered by id, so that the list is the same in every run.
        self.best.sort(key=lambda entry: (-self.records[entry[1]].rung, -entry[0], entry[1]))
        del self.best[self.profile.search.best :]

    def _bests(self, record: CellRecord) -> dict[str, float]:
        return self.rule.bests({task: results.values() for task, results in record.tried.items()})

    def _ordered(self, records: Sequence[CellRecord], task: str) -> list[Setting]:
        """Return the distinct settings tried on a task, best first; settings without a ranked trial come last."""
        sign = -1.0 if task == MEMORIZATION or self.rule.metrics[task].higher_is_better else 1.0
        found = [(value, setting) for record in records for setting, value in record.tried.get(task, {}).items()]
        ranked = sorted(((value is None, sign * (value or 0.0), setting) for value, setting in found))
        return list(dict.fromkeys(setting for _, _, setting in ranked))

    def _fresh_settings(self, record: CellRecord, rng: np.random.Generator) -> dict[str, tuple[Setting, ...]]:
        """Draw settings that the cell has not tried, for every task."""
        return {
            name: self.profile.grid_of(section).draw(section.settings, rng, record.tried.get(name, {}))
            for name, section in self._sections().items()
            if name != MEMORIZATION
        }

    def _child_settings(
        self, child: str, parent: CellRecord, rng: np.random.Generator
    ) -> dict[str, tuple[Setting, ...]]:
        """Draw settings for a child by the transfer rule, for memorization and every task."""
        if self.profile.search.allocation == "halving":
            return self._first_settings(parent, rng)
        had = self.records[child].tried if child in self.records else {}
        seeds = [self.records[i] for i in self.seeds]
        rule = self.profile.transfer.rule()
        settings = {}
        for name, section in self._sections().items():
            grid = self.profile.grid_of(section)
            exclude = had.get(name, {})
            if isinstance(section, MemorizationSection) and not section.transfer:
                settings[name] = grid.draw(section.settings, rng, exclude)
            else:
                tried = self._ordered([parent], name)
                settings[name] = rule.draw(section.settings, grid, tried, self._ordered(seeds, name), rng, exclude)
        return settings

    def _first_settings(self, parent: CellRecord, rng: np.random.Generator) -> dict[str, tuple[Setting, ...]]:
        """Return the settings of a new candidate at the first rung: the parent's best of each task, then drawn ones."""
        settings = {}
        for name in self.profile.visited:
            grid = self.profile.grid_of(self.profile.tasks[name])
            tried = self._ordered([parent], name) or self._ordered([self.records[i] for i in self.seeds], name)
            first = tried[0] if tried else grid.middle
            settings[name] = (first, *grid.draw(self.profile.halving.settings[0] - 1, rng, {first}))
        return settings

    def _sections(self) -> dict[str, TaskSection | MemorizationSection]:
        return {MEMORIZATION: self.profile.memorization, **{n: self.profile.tasks[n] for n in self.profile.visited}}
