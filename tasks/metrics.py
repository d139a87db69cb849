"""Scores of a model on an evaluation set, from which metrics are computed.

C sequences: the columns of a run of batches, from one that starts from zero states up to the next such batch.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Score:
    """Sums over the steps in the loss mask, one entry for each sequence, (C,) each.

    Attributes:
        steps: Number of steps in the loss mask.
        nats: Negative log-likelihood in nats.
        correct: Number of symbols predicted right; zero for piano rolls.
    """

    steps: npt.NDArray[np.float64]
    nats: npt.NDArray[np.float64]
    correct: npt.NDArray[np.float64]
