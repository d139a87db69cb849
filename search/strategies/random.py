"""The control: children of the seeds alone, with no selection."""

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Move, Strategy


class RandomStrategy(Strategy):
    """Mutate LSTM or GRU, equally likely, whatever came of it before: what a search must beat to be worth its name."""

    def _choose(self, rng: np.random.Generator) -> Move:
        return Move(ProposalKind.PROPOSE, self.seeds[int(rng.integers(len(self.seeds)))])
