"""Aging evolution: the best of a tournament among the youngest cells is mutated."""

from itertools import islice

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Strategy
from search.strategies.proposal import Move


class EvolutionStrategy(Strategy):
    """Regularised evolution (Real et al. 2018, arXiv 1802.01548, algorithm 1).

    The population is that of the youngest cells with a score, of the number in the profile's section `[evolution]`. A
    parent is the best, by rung and standing, of a tournament whose cells are drawn from it with replacement. A new cell
    displaces the oldest one, however good that is. With halving, a cell joins when it is first promoted; later
    promotions make it better and no younger.
    """

    def _choose(self, rng: np.random.Generator) -> Move:
        numbers = self.profile.evolution
        members = list(islice(reversed(self.born), numbers.population))
        if not members:  # nothing is known yet
            return Move(ProposalKind.PROPOSE, self.population[int(rng.integers(len(self.population)))])
        drawn = [members[int(i)] for i in rng.integers(len(members), size=numbers.tournament)]
        # Equal cells are ordered by id, so that the parent does not depend on the order of the draws.
        return Move(ProposalKind.PROPOSE, min(drawn, key=lambda cell: (*self.records[cell].order, cell)))
