"""Strategy of the study: choose one of the best cells, and mutate it or examine it again."""

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Strategy
from search.strategies.proposal import Move


class PaperStrategy(Strategy):
    """Evolution by truncation selection (Jozefowicz et al. 2015, section 3.1).

    Each move draws uniformly from the list of the best cells, or from the initial population while the list is empty.
    With the probability `reexamine` of the profile the cell gets fresh settings, otherwise it is mutated.
    """

    reexamines = True

    def _choose(self, rng: np.random.Generator) -> Move:
        members = [cell for _, cell in self.best] or self.population
        kind = ProposalKind.REEXAMINE if rng.random() < self.reexamine else ProposalKind.PROPOSE
        cell = members[int(rng.integers(len(members)))]
        return Move(kind if cell in self.records else ProposalKind.PROPOSE, cell)
