"""Division of labelled sequences into splits, each with the same shares of the classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tasks.batch import Split

_SEED = 20_150_706  # of every division


def divided(
    labels: npt.NDArray[np.int64], digests: list[bytes], shares: Mapping[Split, float]
) -> dict[Split, npt.NDArray[np.int64]]:
    """Return the numbers of the sequences of each split, in increasing order.

    The division depends on the content of the sequences, not on their order in a file. Copies of a sequence are in one
    split. Of each class, a split has its share, rounded, and at least one sequence if there are enough different ones;
    the rest is training data, and never empty.

    Args:
        labels: (N,) class of each sequence.
        digests: (N,) checksums of their values, equal for copies.
        shares: share of the sequences of each split but training.
    """
    copies: dict[bytes, list[int]] = {}
    for number, digest in enumerate(digests):
        copies.setdefault(digest, []).append(number)
    of_class: dict[int, list[bytes]] = {}
    for digest in sorted(copies):
        of_class.setdefault(int(labels[copies[digest][0]]), []).append(digest)
    found: dict[Split, list[int]] = {split: [] for split in (Split.TRAIN, *shares)}
    for label, members in sorted(of_class.items()):
        rng = np.random.default_rng([_SEED, label])
        waiting = [members[place] for place in rng.permutation(len(members))]
        size = sum(len(copies[digest]) for digest in members)
        for split, share in shares.items():
            wanted = max(round(share * size), 1) if share else 0
            taken = 0
            while taken < wanted and len(waiting) > 1:  # the last one is for training
                numbers = copies[waiting.pop()]
                found[split] += numbers
                taken += len(numbers)
        found[Split.TRAIN] += (number for digest in waiting for number in copies[digest])
    return {split: np.array(sorted(numbers), np.int64) for split, numbers in found.items()}
