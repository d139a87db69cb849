"""Control strategy: independent draws from the space of cells, without search."""

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Strategy
from search.strategies.proposal import Move


class SampleStrategy(Strategy):
    """Chain of mutations from a random member of the initial population, whatever the results.

    The draws tell a good space from a good search (Lindauer & Hutter 2019, arXiv 1909.02453). The length of the chain
    is in the profile's section `[sample]`; `random` is the same with one mutation.
    """

    learns = False

    def _choose(self, rng: np.random.Generator) -> Move:
        start = self.population[int(rng.integers(len(self.population)))]
        return Move(ProposalKind.PROPOSE, start, self.profile.sample.mutations)
