"""XML task: random nested tags, `<ab><xyz></xyz></ab>`, whose closing tags depend on the open ones."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.generated import Block, BlockTask, column_lengths
from tasks.parameters import check_integer
from tasks.task import ACCURACY, CROSS_ENTROPY, Split
from tasks.xml_inference import Predictability, predictability

_DOCUMENTS = 1024  # documents drawn at once


@dataclass(frozen=True, kw_only=True)
class Xml(BlockTask):
    """Streams of documents with nested tags; the loss mask covers every step.

    The XML problem of Jozefowicz et al. 2015, section 3.6. A tag's name has `min_letters` to `max_letters` random
    lower-case letters; lengths are equally likely. At each iteration, with probability 1/2, and always after
    `iterations` iterations, the last open tag is closed, or the document ends if none is open; otherwise a new tag is
    opened. Taken literally, this makes half of the documents empty. Here a document always begins with an opening tag;
    it may have several root elements. The split depends on the whole document.

    `ceiling` is the exact accuracy of a model that knows the generator and remembers all of the text, about 0.65 at the
    study's sizes; without memory of the open tag it is about 0.30.
    """

    name = "xml"
    version = 2
    summary = "characters of random nested tags; accuracy on every step"
    vocabulary = string.ascii_lowercase + "<>/"

    min_letters: int = 2
    max_letters: int = 10
    iterations: int = 50

    def __post_init__(self) -> None:
        check_integer(self.name, "max_letters", self.max_letters, 1, 100)
        check_integer(self.name, "min_letters", self.min_letters, 1, self.max_letters)
        check_integer(self.name, "iterations", self.iterations, 1, 10_000)
        super().__post_init__()

    def ceiling(self, split: Split, batch: int = 50) -> float | None:
        """Return the exact accuracy (or entropy, if the metric is the cross entropy) of the best predictor.

        It knows the generator, but not which documents the split has (a hash decides, `tasks.splits`). The choice of
        documents shifts the probabilities by chance: the accuracy by less than 0.0005 for names of two letters or
        more (over a million characters), and by 0.002 for names of one letter, which make few different documents.
        """
        if self.metric not in (ACCURACY, CROSS_ENTROPY):
            return None
        if (split, batch) not in self._ceilings:
            block = self._fixed_set(split)
            text = block.characters.astype(np.uint8).tobytes().decode("ascii")
            total, begin = Predictability(0, 0.0, 0.0), 0
            for length in filter(None, column_lengths(block.lengths, batch).tolist()):
                column = text[begin : begin + length]
                total += predictability(column, self.min_letters, self.max_letters, self.iterations)
                begin += length
            self._ceilings[split, batch] = total
        total = self._ceilings[split, batch]
        return (total.correct if self.metric == ACCURACY else total.nats) / total.steps

    @cached_property
    def _ceilings(self) -> dict[tuple[Split, int], Predictability]:
        return {}

    def blocks(self, rng: np.random.Generator) -> Iterator[Block]:
        while True:
            opens, tags = _tags(rng, self.iterations)
            partner = _partners(opens)
            names = rng.integers(self.min_letters, self.max_letters + 1, size=len(opens))[partner]
            characters, lengths = _written(rng, opens, names, partner)
            ends = np.cumsum(lengths)[np.cumsum(tags) - 1]
            documents = np.diff(ends, prepend=0)
            yield Block(characters, documents, np.zeros(len(documents), np.int64), characters, documents)


def _tags(rng: np.random.Generator, iterations: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return whether each tag of the concatenated documents opens, and the number of tags of each document."""
    coins = rng.integers(2, size=(_DOCUMENTS, iterations), dtype=np.int8).astype(np.bool_)
    coins[:, 0] = True  # a document begins with an opening tag
    depths = np.cumsum(np.where(coins, 1, -1), axis=1, dtype=np.int16)
    over = depths < 0  # the document ended: no tag was open
    last = np.where(over.any(axis=1), over.argmax(axis=1), iterations)
    left = depths[np.arange(_DOCUMENTS), last - 1].astype(np.int64)  # tags to close at the end
    opens = np.zeros(int((last + left).sum()), np.bool_)
    tags = last + left
    within = np.arange(len(opens)) - np.repeat(np.cumsum(tags) - tags, tags)
    opens[within < np.repeat(last, tags)] = coins[np.arange(iterations) < last[:, None]]
    return opens, tags


def _partners(opens: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the index of each tag's opening tag: its own, or that of the tag that it closes.

    Tags of one depth open and close in turn, so a stable sort by depth puts each opening tag before its partner.
    """
    depths = np.cumsum(np.where(opens, 1, -1), dtype=np.int16) + ~opens
    order = np.argsort(depths, kind="stable")
    partner = np.empty(len(opens), np.int64)
    partner[order[0::2]] = partner[order[1::2]] = order[0::2]
    return partner


def _written(
    rng: np.random.Generator, opens: npt.NDArray[np.bool_], names: npt.NDArray[np.int64], partner: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the characters of all tags, and their lengths; a closing tag copies its partner's letters."""
    lengths = names + np.where(opens, 2, 3)
    ends = np.cumsum(lengths)
    begins = ends - lengths
    characters = rng.integers(ord("a"), ord("z") + 1, size=ends[-1], dtype=np.uint8)
    closing = np.flatnonzero(~opens)
    sizes = names[closing]
    letters = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    source = letters + np.repeat(begins[partner[closing]] + 1, sizes)
    characters[letters + np.repeat(begins[closing] + 2, sizes)] = characters[source]
    characters[begins] = ord("<")
    characters[begins[closing] + 1] = ord("/")
    characters[ends - 1] = ord(">")
    return characters, lengths
