"""Random nested tags, `<ab><xyz></xyz></ab>`: closing tags are predictable to who remembers the open ones."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.generated import Block, BlockTask
from tasks.parameters import check_integer

_DOCUMENTS = 1024  # drawn at once


@dataclass(frozen=True, kw_only=True)
class Xml(BlockTask):
    """Documents of nested tags, one after the other; every step counts.

    The XML problem of Jozefowicz et al. 2015, section 3.6. A tag's name has `min_letters` to `max_letters`
    random lower-case letters, each length equally likely. At each iteration, with probability 1/2, and always
    from iteration number `iterations` on, the tag opened last is closed, or the document ends if none is
    open; otherwise a new tag is opened. Taken literally, half of the documents would be empty: those are not
    produced, so a document begins with an opening tag (it may have several elements that are not nested). The
    split is by the whole document.

    At the study's sizes, perfect play (knowing the generator, and remembering every open tag) is right in
    about 0.65 of the steps, and who does not remember the open tag in about 0.30.
    """

    name = "xml"
    version = 2
    summary = "random nested tags, character by character; accuracy on every step"
    vocabulary = string.ascii_lowercase + "<>/"

    min_letters: int = 2
    max_letters: int = 10
    iterations: int = 50

    def __post_init__(self) -> None:
        check_integer(self.name, "max_letters", self.max_letters, 1, 100)
        check_integer(self.name, "min_letters", self.min_letters, 1, self.max_letters)
        check_integer(self.name, "iterations", self.iterations, 1, 10_000)
        super().__post_init__()

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
    """Whether each tag opens, of documents in a row, and how many tags each document has."""
    coins = rng.integers(2, size=(_DOCUMENTS, iterations), dtype=np.int8).astype(np.bool_)
    coins[:, 0] = True  # a document begins with an opening tag
    depths = np.cumsum(np.where(coins, 1, -1), axis=1, dtype=np.int16)
    over = depths < 0  # nothing was open, so the document ended here
    last = np.where(over.any(axis=1), over.argmax(axis=1), iterations)
    left = depths[np.arange(_DOCUMENTS), last - 1].astype(np.int64)  # and these are closed in the end
    opens = np.zeros(int((last + left).sum()), np.bool_)
    tags = last + left
    within = np.arange(len(opens)) - np.repeat(np.cumsum(tags) - tags, tags)
    opens[within < np.repeat(last, tags)] = coins[np.arange(iterations) < last[:, None]]
    return opens, tags


def _partners(opens: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each tag the number of the opening tag that it belongs to: itself, or the one that it closes.

    Tags of one depth open and close in turn, so in order of depth each is followed by its partner.
    """
    depths = np.cumsum(np.where(opens, 1, -1), dtype=np.int16) + ~opens
    order = np.argsort(depths, kind="stable")
    partner = np.empty(len(opens), np.int64)
    partner[order[0::2]] = partner[order[1::2]] = order[0::2]
    return partner


def _written(
    rng: np.random.Generator, opens: npt.NDArray[np.bool_], names: npt.NDArray[np.int64], partner: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The characters of all tags, and how many each has. A name's letters are its partner's."""
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
