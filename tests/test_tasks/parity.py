"""Minimal user-defined task: the parity of random bits."""

from collections.abc import Iterator

import numpy as np

from tasks.generated import GeneratedTask, Sample


class Parity(GeneratedTask):
    """Eight bits, `=`, and 1 if the number of ones is odd, else 0."""

    name = "parity"
    summary = "is the number of ones odd?"
    vocabulary = "01="

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        while True:
            bits = rng.integers(2, size=8)
            yield Sample("".join(map(str, bits)) + f"={bits.sum() % 2}", counts_from=9)
