"""The study's strategy: draw a member of the list of the best, and mutate it or examine it again."""

import numpy as np

from results.store.words import ProposalKind
from search.strategies.base import Move, Strategy


class PaperStrategy(Strategy):
    """Evolution by truncation selection (Jozefowicz et al. 2015, section 3.1).

    Every move starts from a member of the list of the best cells, all equally likely. With the profile's probability
    `reexamine` it gets fresh settings, otherwise it is mutated.
    """

    def _choose(self, rng: np.random.Generator) -> Move:
        members = [cell for _, cell in self.best] or self.seeds
        kind = ProposalKind.REEXAMINE if rng.random() < self.profile.search.reexamine else ProposalKind.PROPOSE
        return Move(kind, members[int(rng.integers(len(members)))])
