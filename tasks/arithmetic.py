"""Sums and differences among random letters: `3e36d9-h1h39f94eeh43keg3c=-13991064.`"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.generated import GeneratedTask, Sample
from tasks.parameters import check_integer, check_number

_LETTERS = np.array(list(string.ascii_lowercase))
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
            gaps = iter(self._gaps(rng, sum(map(len, problems))))
            for problem, a, b, m in zip(problems, left, right, minus, strict=True):
                parts = [character + gap for character, gap in zip(problem, gaps, strict=False)]
                question = "".join(parts) + "="
                yield Sample(f"{question}{a - b if m else a + b}.", len(question), problem)

    def _gaps(self, rng: np.random.Generator, count: int) -> list[str]:
        """`count` runs of distracting letters, most of them short or empty."""
        ends = np.cumsum(rng.geometric(1.0 - self.distractors, size=count) - 1)
        letters = "".join(_LETTERS[rng.integers(26, size=int(ends[-1]))])
        bounds = ends.tolist()
        return [letters[begin:end] for begin, end in zip([0, *bounds], bounds, strict=False)]
