"""Sums and differences among random letters: `3e36d9-h1h39f94eeh43keg3c=-13991064.`"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.generated import GeneratedTask, Sample
from tasks.parameters import check_integer, check_number

_PROBLEMS = 128  # drawn at once


@dataclass(frozen=True, kw_only=True)
class Arithmetic(GeneratedTask):
    """Two numbers are added or subtracted; the answer follows `=` and ends with `.`.

    The arithmetic problem of Jozefowicz et al. 2015, section 3.6. Each number has 1 to `digits` digits, each
    length equally likely, no leading zeros, and either sign, each equally likely; plus and minus are too. A
    letter follows each character before `=` with probability `distractors`, another one after it with the
    same probability, and so on: 1 / (1 - distractors) - 1 letters on average. The study gives neither the
    distribution of lengths nor that of letters; these are ours, and 0.5 fits its printed example.

    Only the steps whose target is a character of the answer (after `=`, up to and including `.`) count, in
    the accuracy and in the loss: the rest is random and cannot be predicted. The split is by the operands and
    the operator, whatever the letters between them.
    """

    name = "arithmetic"
    summary = "two numbers are added or subtracted among random letters; accuracy on the answer"
    vocabulary = string.ascii_lowercase + string.digits + "+-=."

    digits: int = 8
    distractors: float = 0.5
    validation: int = 100_000
    test: int = 200_000

    def __post_init__(self) -> None:
        check_integer(self.name, "digits", self.digits, 1, 18)
        check_number(self.name, "distractors", self.distractors, 0.0, 0.95)
        super().__post_init__()

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        powers = 10 ** np.arange(self.digits + 1, dtype=np.int64)
        powers[0] = 0  # the one-digit numbers begin at 0
        while True:
            lengths = rng.integers(1, self.digits + 1, size=(2, _PROBLEMS))
            sizes = rng.integers(powers[lengths - 1], 10**lengths)
            left, right = (sizes * rng.choice((-1, 1), size=sizes.shape)).tolist()
            minus = rng.integers(2, size=_PROBLEMS).tolist()
            problems = [f"{a}{'-' if m else '+'}{b}" for a, b, m in zip(left, right, minus, strict=True)]
            text, ends = self._with_letters(rng, "=".join(problems) + "=")
            begin = 0
            for problem, end, a, b, m in zip(problems, ends, left, right, minus, strict=True):
                yield Sample(f"{text[begin:end]}{a - b if m else a + b}.", end - begin, problem)
                begin = end

    def _with_letters(self, rng: np.random.Generator, text: str) -> tuple[str, list[int]]:
        """The text with runs of letters, most of them short or empty, and the places right after each `=`."""
        characters = np.frombuffer(text.encode(), np.uint8)
        letters = rng.geometric(1.0 - self.distractors, size=len(characters)) - 1
        is_last = characters == ord("=")
        letters[is_last] = 0
        ends = np.cumsum(letters + 1)
        filled = rng.integers(ord("a"), ord("z") + 1, size=ends[-1], dtype=np.uint8)
        filled[ends - letters - 1] = characters
        return filled.tobytes().decode(), ends[is_last].tolist()
