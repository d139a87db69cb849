"""Base class of the strategies: the records of all cells, and how a move becomes a proposal.

A strategy chooses the next cell to try. The engine calls `ask` and `tell` in the order of the index: proposal k is
asked for after the outcomes of exactly the proposals up to k - W were told, where W is the window of the run. The base
class maintains the records, and proposes the initial population first; a subclass writes `_choose`, which chooses a
move from the records.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import numpy as np

from results.store.words import COMPLETE, MEMORIZATION, ProposalKind
from search.cells.crossover import crossed
from search.cells.draft import Rejection
from search.cells.graph import GateGraph
from search.cells.mutation import Child, Proposed, Rule, first_new, propose
from search.cells.transformations import Mutation, Transformation
from search.core.keys import generator_of
from search.profiles.sections import MemorizationSection, Profile, TaskSection
from search.strategies.adaptation import Adaptation
from search.strategies.proposal import Move, Outcome, Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting

MATE_DRAWS = 20
"""Number of draws of a second parent before the cell is mutated instead, because the first one is always drawn."""


@dataclass
class CellRecord:
    """State of one cell in a strategy. It holds no graph, since there is a record for every cell tried.

    Attributes:
        memorized: True if the cell passed memorization.
        complete: True if the cell passed every stage.
        tried: validation metric of each setting tried, by task; None for trials that do not rank.
        rung: highest rung at which the cell has a score; 0 if the allocation has no rungs.
        standing: score at that rung; None if the cell has none, or was stopped at a higher rung.
        standings: score at each rung.
        failures: number of children told that were no better than the cell at the rung that they had reached.
    """

    memorized: bool = False
    complete: bool = False
    tried: dict[str, dict[Setting, float | None]] = field(default_factory=dict)
    rung: int = 0
    standing: float | None = None
    standings: dict[int, float] = field(default_factory=dict)
    failures: int = 0

    def enter(self, rung: int, standing: float) -> None:
        """Enter a score at a rung; -inf if the cell was stopped there, which ends its ranking.

        A score at a rung never falls, since more settings can only improve it.
        """
        if not math.isfinite(standing):
            if rung > self.rung or not self.standings:
                self.rung, self.standing = rung, None
            return
        best = max(standing, self.standings.get(rung, standing))
        self.standings[rung] = best
        if rung >= self.rung:
            self.rung, self.standing = rung, best

    @property
    def order(self) -> tuple[int, float]:
        """Key that sorts the best cell first: by rung, then by standing; cells without a score come last."""
        return (1, 0.0) if self.standing is None else (-self.rung, -self.standing)

    def advantage(self, other: "CellRecord") -> float:
        """Return how much higher the score is than another cell's at the highest rung at which both have one.

        Without such a rung the standings are compared, which are shares of the reference's result at any rung. A cell
        without a score is infinitely worse.
        """
        if self.standing is None or other.standing is None:
            return -math.inf if self.standing is None else math.inf
        common = self.standings.keys() & other.standings.keys()
        if common:
            return self.standings[max(common)] - other.standings[max(common)]
        return self.standing - other.standing


class Strategy(ABC):
    """Source of proposals, which learns from their outcomes. Subclasses choose the moves.

    Args:
        profile: profile of the run.
        seed: seed of the run.
        rule: rule of the score, without the reference.
        graph_of: returns the graph of a cell that was told, by its id.
        mutations_of: returns the mutations, in words, that made a cell that was told, by its id.

    Attributes:
        records: record of each cell, by id.
        seeds: ids of the members of the initial population that are given cells, which were trained before.
        population: ids of all members of the initial population. Those that are no seeds are proposed first.
        born: ids of the cells with a score in the order of their births, the seeds first. A new cell is born when it is
            told; with halving, when it is first promoted, because most cells of the first rung are bad, and would
            displace the good ones. What is told of a cell later does not change its age.
        rule: rule of the score; it has the GRU's results once the baselines are known.
        adaptation: what each transformation did so far, if the choice among them adapts; else None.
        best: list of the best cells as (standing, id), by rung, then standing, best first; its length is limited by the
            profile.
    """

    reexamines: ClassVar[bool] = False
    """True if moves may be re-examinations, with the probability `reexamine` of the profile. With halving there are
    none: a cell gets fresh settings when it is promoted."""

    learns: ClassVar[bool] = True
    """False for controls, which use no result: their choice of transformations does not adapt either."""

    rule_of_mutation: ClassVar[Rule | None] = None
    """Choice of the nodes to transform; the profile's if None."""

    def __init__(
        self,
        profile: Profile,
        seed: int,
        rule: ScoreRule,
        graph_of: Callable[[str], GateGraph],
        mutations_of: Callable[[str], Sequence[str]],
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.rule = rule
        self.graph_of = graph_of
        self.mutations_of = mutations_of
        self.adaptation = Adaptation() if profile.mutation.adapt and self.learns else None
        self.records: dict[str, CellRecord] = {}
        self.seeds: list[str] = []
        self.population: list[str] = []
        self.born: dict[str, None] = {}  # in order; a dictionary finds a cell at once
        self._birth = ProposalKind.PROMOTE if profile.search.allocation == "halving" else ProposalKind.PROPOSE
        self.reexamine = profile.search.reexamine if self.reexamines and profile.search.allocation == "stages" else 0.0
        self.best: list[tuple[float, str]] = []
        self._words = profile.vocabulary.words()
        self._proposed: set[str] = set()
        self._initial: dict[str, GateGraph] = {}
        self._waiting: deque[str] = deque()  # members of the initial population that were not asked for yet
        self._asked = self._told = 0

    def start(
        self, baselines: Sequence[Outcome], reference: Mapping[str, float], population: Sequence[GateGraph]
    ) -> None:
        """Enter the seeds among the baselines into the records, and take in the initial population.

        Args:
            baselines: outcomes of all given cells; with rungs, at the rung that they were trained to.
            reference: the GRU's best validation metric on each ranked task.
            population: the initial population, each cell once. Members that are given cells are the seeds; the others
                become the first proposals.
        """
        self.rule = self.rule.against(reference)
        members = {graph.id: graph for graph in population}
        for outcome in baselines:
            cell = outcome.proposal.cell
            assert cell is not None
            if cell in members and cell not in self.records:
                self.seeds.append(cell)
                self._enter(cell, outcome.proposal.kind, outcome.visits, outcome.ending)
                self._rank(cell, outcome.rung, outcome.standing)
                self._bear(cell)
        self._initial = {cell: graph for cell, graph in members.items() if cell not in self.records}
        self._waiting.extend(self._initial)
        self.population = [*self.seeds, *self._initial]
        self._proposed.update(self.population)

    def ask(self, index: int) -> Proposal:
        """Return proposal `index`. Proposals are asked for in order."""
        assert index == self._asked, "proposals are asked for in order"
        self._asked += 1
        rng = generator_of(self.seed, "proposal", index)
        if self._waiting:
            graph = self._initial[self._waiting.popleft()]
            seeds = [self.records[cell] for cell in self.seeds]
            settings = self._child_settings(graph.id, seeds, rng)
            return Proposal(index, ProposalKind.INITIAL, graph, settings=settings)
        move = self._choose(rng)
        record = self.records.get(move.cell, CellRecord())  # none if it is of the initial population and not told yet
        if move.kind is ProposalKind.REEXAMINE:
            settings = self._fresh_settings(record, rng)
            bests = self._bests(record)
            graph = self._graph(move.cell)
            return Proposal(index, ProposalKind.REEXAMINE, graph, settings=settings, memorized=True, best_before=bests)
        mate = None
        if self.profile.mutation.crossover > 0.0 and rng.random() < self.profile.mutation.crossover:
            mate = self._mate(move.cell, rng)
        drawn = self._draw(move, mate, rng)
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
            self._child_settings(graph.id, [record], rng),
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
            if self._waiting and self._waiting[0] == cell:
                self._waiting.popleft()

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
        new = kind is ProposalKind.PROPOSE and cell not in self.records
        if cell is not None:
            self._enter(cell, kind, visits, ending)
            self._rank(cell, rung, standing)
            if kind is ProposalKind.INITIAL or kind is self._birth:
                self._bear(cell)
            if self.adaptation is not None:
                self._adapt(self.adaptation, cell, parent if new else None)
        if kind is ProposalKind.PROPOSE and parent is not None:
            self._blame(parent, cell)

    @abstractmethod
    def _choose(self, rng: np.random.Generator) -> Move:
        """Choose the next move from the records.

        It changes nothing of the strategy: a resumed search does not draw again what was asked before.
        """

    def _mate(self, cell: str, rng: np.random.Generator) -> str | None:
        """Choose the second parent of a crossover as the first one, `cell`; None if it is always the same cell."""
        drawn = (self._choose(rng).cell for _ in range(MATE_DRAWS))
        return next((other for other in drawn if other != cell), None)

    def score(self, record: CellRecord) -> float | None:
        """Return the cell's smallest share of the GRU's result over the ranked tasks; None if a task has no result."""
        return self.rule.score(self._bests(record))

    def _graph(self, cell: str) -> GateGraph:
        return self._initial[cell] if cell in self._initial else self.graph_of(cell)

    def _draw(self, move: Move, mate: str | None, rng: np.random.Generator) -> Proposed:
        """Draw a child by the mutations of a move, of which a crossover with a mate is the first.

        Cells on the way to the child need not be new.
        """
        rules = self.profile.mutation
        known = self._proposed
        if rules.duplicates == "revisit":
            known = {i for i in known if i not in self.records or not self.records[i].memorized}
        weights = None if self.adaptation is None else self.adaptation.weights()
        graph, mutations, rejections = self._graph(move.cell), list[Mutation](), Counter[Rejection]()
        for step in range(1, move.steps + 1):
            unwanted = known if step == move.steps else frozenset[str]()
            attempts = rules.attempts - rejections.total()
            if step == 1 and mate is not None:
                draw = partial(
                    crossed,
                    graph,
                    self._graph(mate),
                    rng,
                    max_nodes=rules.max_nodes,
                    max_loop_products=rules.max_loop_products,
                )
                drawn = first_new(draw, unwanted, attempts)
            else:
                drawn = propose(
                    graph,
                    rng,
                    rule=self.rule_of_mutation or rules.rule,
                    max_nodes=rules.max_nodes,
                    max_loop_products=rules.max_loop_products,
                    known=unwanted,
                    attempts=attempts,
                    vocabulary=self._words,
                    weights=weights,
                )
            rejections += drawn.rejections
            if drawn.child is None:
                return Proposed(None, rejections)
            graph = drawn.child.graph
            mutations += drawn.child.mutations
        return Proposed(Child(graph, tuple(mutations)), rejections)

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
        record.enter(rung, standing)
        self.best = [(s, i) for s, i in self.best if i != cell]
        if record.standing is not None:
            self.best.append((record.standing, cell))
        # Equal scores are ordered by id, so that the list is the same in every run.
        self.best.sort(key=lambda entry: (*self.records[entry[1]].order, entry[1]))
        del self.best[self.profile.search.best :]

    def _bear(self, cell: str) -> None:
        """Enter a cell with a score among those born, as the youngest, unless it was born before."""
        if self.records[cell].standing is not None:
            self.born.setdefault(cell)

    def _blame(self, parent: str, child: str | None) -> None:
        """Count a failure of the parent unless the child that was told is better."""
        record = self.records.get(parent)
        if record is not None and (child is None or self.records[child].advantage(record) <= 0.0):
            record.failures += 1

    def _adapt(self, adaptation: Adaptation, cell: str, parent: str | None) -> None:
        """Enter a new cell whose parent was told, or judge a known child again."""
        if parent is not None and parent in self.records:
            kinds = [Transformation(text.partition(":")[0]) for text in self.mutations_of(cell)]
            adaptation.tell(cell, parent, kinds, self._succeeds(cell, parent))
        elif (known := adaptation.parent(cell)) is not None:
            adaptation.judge(cell, self._succeeds(cell, known))

    def _succeeds(self, cell: str, parent: str) -> bool:
        return self.records[cell].advantage(self.records[parent]) >= 0.0

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
        self, child: str, parents: Sequence[CellRecord], rng: np.random.Generator
    ) -> dict[str, tuple[Setting, ...]]:
        """Draw settings for a child by the transfer rule, for memorization and every task."""
        if self.profile.search.allocation == "halving":
            return self._first_settings(parents, rng)
        had = self.records[child].tried if child in self.records else {}
        seeds = [self.records[i] for i in self.seeds]
        rule = self.profile.transfer.rule()
        settings: dict[str, tuple[Setting, ...]] = {}
        for name, section in self._sections().items():
            grid = self.profile.grid_of(section)
            exclude = had.get(name, {})
            if isinstance(section, MemorizationSection) and not section.transfer:
                settings[name] = grid.draw(section.settings, rng, exclude)
            else:
                tried = self._ordered(parents, name)
                settings[name] = rule.draw(section.settings, grid, tried, self._ordered(seeds, name), rng, exclude)
        return settings

    def _first_settings(
        self, parents: Sequence[CellRecord], rng: np.random.Generator
    ) -> dict[str, tuple[Setting, ...]]:
        """Return the settings of a new candidate at the first rung: the parents' best of each task, then drawn ones."""
        settings = {}
        for name in self.profile.visited:
            grid = self.profile.grid_of(self.profile.tasks[name])
            tried = self._ordered(parents, name) or self._ordered([self.records[i] for i in self.seeds], name)
            first = tried[0] if tried else grid.middle
            settings[name] = (first, *grid.draw(self.profile.halving.settings[0] - 1, rng, {first}))
        return settings

    def _sections(self) -> dict[str, TaskSection | MemorizationSection]:
        return {MEMORIZATION: self.profile.memorization, **{n: self.profile.tasks[n] for n in self.profile.visited}}
