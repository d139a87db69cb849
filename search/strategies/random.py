"""Control strategy: children of the seeds, without selection."""

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Strategy
from search.strategies.proposal import Move


class RandomStrategy(Strategy):
    """Mutation of the seeds, drawn uniformly, whatever the results: the control for any search with selection."""

    def _choose(self, rng: np.random.Generator) -> Move:
        return Move(ProposalKind.PROPOSE, self.seeds[int(rng.integers(len(self.seeds)))])
