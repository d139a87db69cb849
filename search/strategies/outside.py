"""Strategy of a run whose cells come from outside: a caller names each cell, and may ask for suggestions."""

from dataclasses import dataclass

import numpy as np

from results.store.words import ProposalKind
from search.cells.graph import GateGraph
from search.core.keys import generator_of
from search.strategies.base import CellRecord, Strategy
from search.strategies.proposal import Move, Proposal

DRAWS = 10
"""Draws for each suggestion that is asked for; some draw a child that an earlier one has drawn."""


@dataclass(frozen=True)
class Suggestion:
    """Child of a known cell that the caller may tell.

    Attributes:
        graph: the cell.
        parent: id of the cell that was mutated.
    """

    graph: GateGraph
    parent: str


class OutsideStrategy(Strategy):
    """Cells that a caller puts in, proposed in that order. The strategy draws only their settings.

    A cell's settings come from the parent that the caller names, as those of a mutant do, or else from the seeds. The
    members of the initial population that were not given are for the caller to tell.
    """

    learns = False

    _put: tuple[int, GateGraph, str | None] | None = None

    def put(self, index: int, graph: GateGraph, parent: str | None) -> None:
        """Name the cell that proposal `index` is, and the id of its parent if it has one. Call `ask` next."""
        self._put = index, graph, parent

    def ask(self, index: int) -> Proposal:
        """Return proposal `index`: the cell that was put in for it."""
        assert self._put is not None
        given, graph, parent = self._put
        assert index == given == self._asked, "proposals are asked for in order"
        self.skip(index, graph.id)
        record = self.records.get(parent, CellRecord()) if parent is not None else CellRecord()
        rng = generator_of(self.seed, "proposal", index)
        settings = self._child_settings(graph.id, [record], rng)
        return Proposal(index, ProposalKind.PROPOSE, graph, parent, settings=settings)

    def suggest(self, count: int) -> list[Suggestion]:
        """Return up to `count` different new cells: children of the best cells, or of the seeds before there are any.

        They are a function of the seed and of the outcomes told so far, and the first ones do not depend on `count`.
        There are fewer where too few children are new and valid.
        """
        found: dict[str, Suggestion] = {}
        for number in range(DRAWS * count):
            if len(found) == count:
                break
            rng = generator_of(self.seed, "suggestion", self._asked, number)
            move = self._choose(rng)
            child = self._draw(move, None, rng).child
            if child is not None:
                found.setdefault(child.graph.id, Suggestion(child.graph, move.cell))
        return list(found.values())

    def _choose(self, rng: np.random.Generator) -> Move:
        members = [cell for _, cell in self.best] or self.population
        return Move(ProposalKind.PROPOSE, members[int(rng.integers(len(members)))])
