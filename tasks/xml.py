"""Random nested tags, `<ab><xyz></xyz></ab>`: closing tags are predictable to who remembers the open ones."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.generated import GeneratedTask, Sample
from tasks.parameters import check_integer

_LETTERS = np.array(list(string.ascii_lowercase))
_TAGS = 256  # drawn at once


@dataclass(frozen=True, kw_only=True)
class Xml(GeneratedTask):
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

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        tags = self._tags(rng)
        coins = _coins(rng)
        while True:
            tag = next(tags)
            parts, stack = [f"<{tag}>"], [tag]
            for _ in range(1, self.iterations):
                if next(coins):
                    tag = next(tags)
                    parts.append(f"<{tag}>")
                    stack.append(tag)
                elif stack:
                    parts.append(f"</{stack.pop()}>")
                else:
                    break
            parts.extend(f"</{tag}>" for tag in reversed(stack))
            yield Sample("".join(parts))

    def _tags(self, rng: np.random.Generator) -> Iterator[str]:
        while True:
            ends = np.cumsum(rng.integers(self.min_letters, self.max_letters + 1, size=_TAGS)).tolist()
            letters = "".join(_LETTERS[rng.integers(26, size=ends[-1])])
            for begin, end in zip([0, *ends], ends, strict=False):
                yield letters[begin:end]


def _coins(rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.integers(2, size=_TAGS).tolist()
