"""Local search: neighbours of the best cell, by one transformation each."""

import numpy as np

from results.store.words import ProposalKind
from search.cells.mutation import Rule
from search.strategies.base import Strategy
from search.strategies.proposal import Move


class LocalStrategy(Strategy):
    """Hill climbing with restarts, for results with noise (compare White et al. 2020, arXiv 2005.02960).

    The incumbent is the best cell by rung and standing; a move transforms one node of it. With the probability
    `reexamine` of the profile, the incumbent gets fresh settings instead, since a lucky result may have put it there.
    After `failures` children that are no better than it (profile's section `[local]`), the next best cell of the list
    takes over. Once all cells of the list have had so many, each gets as many again, the best one first.
    """

    reexamines = True
    rule_of_mutation = Rule.ONE

    def _mate(self, cell: str, rng: np.random.Generator) -> str | None:
        """Draw another cell of the list of the best, since every move chooses the incumbent."""
        others = [other for _, other in self.best if other != cell]
        return others[int(rng.integers(len(others)))] if others else None

    def _choose(self, rng: np.random.Generator) -> Move:
        kind = ProposalKind.REEXAMINE if rng.random() < self.reexamine else ProposalKind.PROPOSE
        members = [cell for _, cell in self.best] or self.seeds
        if not members:  # nothing is known yet
            return Move(ProposalKind.PROPOSE, self.population[int(rng.integers(len(self.population)))])
        limit = self.profile.local.failures
        return Move(kind, min(members, key=lambda cell: self.records[cell].failures // limit))
