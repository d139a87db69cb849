"""Memorization task: reproduce a sequence of symbols, the gate that each new cell must pass."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.generated import Block, BlockTask
from tasks.parameters import check_integer
from tasks.task import Split

_WORDS = 2048  # samples drawn at once


@dataclass(frozen=True, kw_only=True)
class Memorization(BlockTask):
    """Sequences of `length` random letters, each followed by a copy of itself, from a zero state.

    The memorization test of Jozefowicz et al. 2015, section 3, with teacher forcing: during the copy, the model reads
    the correct letters and not its own. The loss mask covers the copy. A batch is whole samples of 2 `length` letters,
    which are 2 `length` - 1 steps.
    """

    name = "memorization"
    version = 2
    summary = "a copy of 5 random letters; accuracy on the copy"
    vocabulary = string.ascii_lowercase
    alone = True

    length: int = 5
    validation: int = 20_000
    test: int = 40_000

    def __post_init__(self) -> None:
        check_integer(self.name, "length", self.length, 1, 1000)
        super().__post_init__()

    def ceiling(self, split: Split, batch: int = 50) -> float | None:
        return self._determined()  # the copy follows from the letters before it

    def blocks(self, rng: np.random.Generator) -> Iterator[Block]:
        lengths = np.full(_WORDS, self.length, np.int64)
        while True:
            words = rng.integers(ord("a"), ord("z") + 1, size=(_WORDS, self.length), dtype=np.uint8)
            yield Block(np.tile(words, 2).ravel(), 2 * lengths, lengths, words.ravel(), lengths)
