"""Split of single texts, for tests of generated tasks."""

import numpy as np

from tasks.splits import codes_of, octant_splits, octants_of
from tasks.task import Split


def split_of_text(text: str) -> Split:
    """Return the split of a text of a generated task."""
    octants = octants_of(codes_of(text), np.array([len(text)]))
    return next(split for split in Split if octant_splits(split, octants)[0])
