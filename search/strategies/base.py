"""What every strategy shares: the books of what is known, and how a move becomes a proposal.

A strategy decides what is tried next. The engine calls `ask` and `tell`, strictly by index: proposal k is asked for
once the outcomes of exactly the proposals up to k - W have been told (W is the run's window). The base class keeps the
books; a strategy writes `_choose`, which picks a move from them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from results.scores.score import finite_ratio, score
from results.store.words import COMPLETE, ProposalKind
from search.cells.graph import GateGraph
from search.cells.mutation import Mutation, Proposed, Rejection, propose
from search.core.keys import generator_of
from search.profiles.sections import MEMORIZATION, MemorizationSection, Profile, TaskSection
from search.training.settings import Setting
from tasks.task import Metric


@dataclass(frozen=True)
class Proposal:
    """One step of the search, with everything that it will need drawn: its outcome depends on nothing that follows.

    `settings` has, for memorization and every task, the settings to try there. `memorized` says that the cell passed
    memorization before. `graph` is None where no valid child was found; `rejections` counts the draws before that.
    """

    index: int
    kind: ProposalKind
    graph: GateGraph | None
    parent: str | None = None
    mutations: tuple[Mutation, ...] = ()
    settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    memorized: bool = False
    best_before: Mapping[str, float] = field(default_factory=dict)
    rejections: Mapping[Rejection, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """A cell's visit to a task: the validation metric of each setting, None where the trial does not count."""

    task: str
    results: Mapping[Setting, float | None]
    passed: bool


@dataclass(frozen=True)
class Outcome:
    """How a proposal ended: its visits in order, and in words where it stopped ("complete" if nowhere)."""

    proposal: Proposal
    visits: tuple[Visit, ...]
    ending: str


@dataclass
class Book:
    """What is known of one cell. There is one for every cell that was tried, so it holds no graph."""

    memorized: bool = False
    complete: bool = False
    tried: dict[str, dict[Setting, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """What a strategy wants: a child of the cell `cell`, or fresh settings for it."""

    kind: ProposalKind
    cell: str


class Strategy(ABC):
    """Ask for proposals and tell their outcomes, in order. Subclasses choose the moves.

    `reference`: the GRU's best validation metric on each ranked task, fixed when the baselines are done. `graph_of`
    gives the graph of a cell that was told of, by its id.
    """

    def __init__(
        self, profile: Profile, seed: int, metrics: Mapping[str, Metric], graph_of: Callable[[str], GateGraph]
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.metrics = metrics
        self.graph_of = graph_of
        self.books: dict[str, Book] = {}
        self.seeds: list[str] = []
        self.reference: dict[str, float] = {}
        self.best: list[tuple[float, str]] = []  # the list of the best cells, (score, id), best first
        self._proposed: set[str] = set()
        self._asked = self._told = 0

    def start(self, baselines: Sequence[Outcome], reference: Mapping[str, float], names: Mapping[str, str]) -> None:
        """Take in the cells that were given, by name; the seeds among them found the list."""
        self.reference = dict(reference)
        for outcome in baselines:
            graph = outcome.proposal.graph
            assert graph is not None
            if names[graph.id] in self.profile.seeds and graph.id not in self.books:
                self.seeds.append(graph.id)
                self._proposed.add(graph.id)
                self._enter(graph.id, outcome.proposal.kind, outcome.visits, outcome.ending)

    def ask(self, index: int) -> Proposal:
        """Proposal `index`; they are asked for in order."""
        assert index == self._asked, "proposals are asked for in order"
        self._asked += 1
        rng = generator_of(self.seed, "proposal", index)
        move = self._choose(rng)
        book = self.books[move.cell]
        if move.kind is ProposalKind.REEXAMINE:
            settings = self._fresh_settings(book, rng)
            bests = self._bests(book)
            graph = self.graph_of(move.cell)
            return Proposal(index, ProposalKind.REEXAMINE, graph, settings=settings, memorized=True, best_before=bests)
        drawn = self._draw(self.graph_of(move.cell), rng)
        if drawn.child is None:
            return Proposal(index, ProposalKind.PROPOSE, None, move.cell, rejections=drawn.rejections)
        graph = drawn.child.graph
        self._proposed.add(graph.id)
        known = self.books.get(graph.id)
        return Proposal(
            index,
            ProposalKind.PROPOSE,
            graph,
            move.cell,
            drawn.child.mutations,
            self._child_settings(graph.id, book, rng),
            memorized=known is not None and known.memorized,
            best_before=self._bests(known) if known else {},
            rejections=drawn.rejections,
        )

    def tell(self, outcome: Outcome) -> None:
        """How a proposal ended; told in order."""
        proposal = outcome.proposal
        cell = proposal.graph.id if proposal.graph is not None else None
        self.learn(proposal.index, proposal.kind, cell, outcome.visits, outcome.ending)

    def skip(self, index: int, cell: str | None) -> None:
        """Take proposal `index` for asked: the run asked for it before it was interrupted, and it was that cell."""
        assert index == self._asked, "proposals are asked for in order"
        self._asked += 1
        if cell is not None:
            self._proposed.add(cell)

    def learn(self, index: int, kind: ProposalKind, cell: str | None, visits: Sequence[Visit], ending: str) -> None:
        """What `tell` keeps of an outcome: enough of it where the run goes on and the proposal was skipped."""
        assert index == self._told, "outcomes are told in order"
        self._told += 1
        if cell is not None:
            self._enter(cell, kind, visits, ending)

    @abstractmethod
    def _choose(self, rng: np.random.Generator) -> Move:
        """The next move, drawn from the books."""

    def score(self, book: Book) -> float | None:
        """The study's score: the smallest ratio to the GRU over the ranked tasks; None while one of them is missing."""
        bests = self._bests(book)
        if not all(name in bests for name in self.profile.ranked):
            return None
        return score(
            finite_ratio(bests[name], self.reference[name], self.metrics[name].higher_is_better)
            for name in self.profile.ranked
        )

    def _draw(self, parent: GateGraph, rng: np.random.Generator) -> Proposed:
        rules = self.profile.mutation
        known = self._proposed
        if rules.duplicates == "revisit":
            known = {i for i in known if i not in self.books or not self.books[i].memorized}
        return propose(parent, rng, rule=rules.rule, max_nodes=rules.max_nodes, known=known, attempts=rules.attempts)

    def _enter(self, cell: str, kind: ProposalKind, visits: Sequence[Visit], ending: str) -> None:
        book = self.books.setdefault(cell, Book())
        for visit in visits:
            book.tried.setdefault(visit.task, {}).update(visit.results)
            if visit.task == MEMORIZATION and visit.passed:
                book.memorized = True
        book.memorized = book.memorized or kind is ProposalKind.BASELINE
        if ending == COMPLETE:
            book.complete = True
        found = self.score(book) if book.complete else None
        if found is not None:
            self.best = [(s, i) for s, i in self.best if i != cell] + [(found, cell)]
            # Best first; equal scores in the order of their ids, so that the list is the same in every run.
            self.best.sort(key=lambda entry: (-entry[0], entry[1]))
            del self.best[self.profile.search.best :]

    def _bests(self, book: Book) -> dict[str, float]:
        bests = {}
        for task, results in book.tried.items():
            values = [value for value in results.values() if value is not None]
            if values and task in self.metrics:
                bests[task] = self.metrics[task].best(values)
        return bests

    def _ordered(self, books: Sequence[Book], task: str) -> list[Setting]:
        """Settings tried on a task, each once, best first; those that did not count come last."""
        sign = -1.0 if task == MEMORIZATION or self.metrics[task].higher_is_better else 1.0
        found = [(value, setting) for book in books for setting, value in book.tried.get(task, {}).items()]
        ranked = sorted(((value is None, sign * (value or 0.0), setting) for value, setting in found))
        return list(dict.fromkeys(setting for _, _, setting in ranked))

    def _fresh_settings(self, book: Book, rng: np.random.Generator) -> dict[str, tuple[Setting, ...]]:
        """Random settings on every task that the cell has not had."""
        return {
            name: self.profile.grid_of(section).draw(section.settings, rng, book.tried.get(name, {}))
            for name, section in self._sections().items()
            if name != MEMORIZATION
        }

    def _child_settings(self, child: str, parent: Book, rng: np.random.Generator) -> dict[str, tuple[Setting, ...]]:
        """Settings for a child on every task, by the transfer rule."""
        had = self.books[child].tried if child in self.books else {}
        seeds = [self.books[i] for i in self.seeds]
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

    def _sections(self) -> dict[str, TaskSection | MemorizationSection]:
        return {MEMORIZATION: self.profile.memorization, **{n: self.profile.tasks[n] for n in self.profile.visited}}
