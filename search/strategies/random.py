"""Control strategy: children of the initial population, without selection."""

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Strategy
from search.strategies.proposal import Move


class RandomStrategy(Strategy):
    """Mutation of the initial population, drawn uniformly, whatever the results: the control for selection."""

    learns = False

    def _choose(self, rng: np.random.Generator) -> Move:
        return Move(ProposalKind.PROPOSE, self.population[int(rng.integers(len(self.population)))])
