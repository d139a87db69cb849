"""Which split a sample, a tune or a file belongs to."""

from __future__ import annotations

import hashlib

from tasks.task import Split


def split_of(key: str) -> Split:
    """The split of what is called `key`: an eighth of all keys is validation, an eighth test, by a hash of the key."""
    octant = hashlib.blake2b(key.encode(), digest_size=1).digest()[0] >> 5
    return Split.VALIDATION if octant == 0 else Split.TEST if octant == 1 else Split.TRAIN
