"""Arithmetic task: sums and differences among random letters, such as `3e36d9-h1h39f94eeh43keg3c=-13991064.`."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.generated import Block, BlockTask
from tasks.parameters import check_integer, check_number
from tasks.task import Split

_PROBLEMS = 2048  # problems drawn at once


@dataclass(frozen=True, kw_only=True)
class Arithmetic(BlockTask):
    """Addition or subtraction of two numbers; the answer follows `=` and ends with `.`.

    The arithmetic problem of Jozefowicz et al. 2015, section 3.6. Each number has 1 to `digits` digits without leading
    zeros; lengths, signs and the two operators are equally likely. After each character before `=`, a letter follows
    with probability `distractors`, another one after it with the same probability, and so on, which is
    1 / (1 - distractors) - 1 letters on average. The study states neither the distribution of lengths nor that of
    letters. These are chosen here; 0.5 fits the study's printed example.

    The loss mask covers the answer (after `=`, up to and including `.`), since the rest is random. The split depends on
    the operands and the operator, but not on the letters between them.
    """

    name = "arithmetic"
    version = 2
    summary = "sum or difference of two numbers among random letters; accuracy on the answer"
    vocabulary = string.ascii_lowercase + string.digits + "+-=."

    digits: int = 8
    distractors: float = 0.5
    validation: int = 100_000
    test: int = 200_000

    def __post_init__(self) -> None:
        check_integer(self.name, "digits", self.digits, 1, 18)
        check_number(self.name, "distractors", self.distractors, 0.0, 0.95)
        super().__post_init__()

    def ceiling(self, split: Split, batch: int = 50) -> float | None:
        return self._determined()  # the answer follows from the problem, and so does its end

    def blocks(self, rng: np.random.Generator) -> Iterator[Block]:
        # Whole arrays of characters, indexed by position and not by mask: training waits for this code.
        while True:
            numbers, figures, sizes = self._numbers(rng)
            a, b = numbers.reshape(2, -1)
            minus = rng.integers(2, size=_PROBLEMS, dtype=np.int8).astype(np.bool_)
            answers = a + np.where(minus, -b, b)
            answer_figures, answer_sizes = _figures(answers, self.digits + 1)
            width = 1 + self.digits
            whole = np.empty((3 * width + 4, _PROBLEMS), np.uint8)  # a problem per column; 0 is a gap
            whole[:width], whole[width + 1 : 2 * width + 1] = figures[:, :_PROBLEMS], figures[:, _PROBLEMS:]
            whole[width] = np.where(minus, np.uint8(ord("-")), np.uint8(ord("+")))
            whole[2 * width + 1] = ord("=")
            whole[2 * width + 2 : -1] = answer_figures
            whole[-1] = ord(".")
            whole = np.ascontiguousarray(whole.T)
            places = np.flatnonzero(whole != 0)
            shown = whole.ravel()[places]
            key_lengths = sizes[:_PROBLEMS] + sizes[_PROBLEMS:] + 1
            last = np.cumsum(key_lengths + answer_sizes + 2)  # last characters of the problems in `shown`
            equals = last - answer_sizes - 2
            asking = np.zeros(len(shown) + 1, np.int8)
            asking[equals], asking[last] = -1, 1
            asking[0] += 1
            asking = np.cumsum(asking[:-1], dtype=np.int8)  # 1 before each "=", else 0
            ends = np.cumsum(self._letters(rng, len(shown)) * asking + 1)
            characters = rng.integers(ord("a"), ord("z") + 1, size=ends[-1], dtype=np.uint8)
            characters[ends[:-1]] = shown[1:]
            characters[0] = shown[0]
            samples = np.diff(ends[last - 1], prepend=0)
            asked = ends[equals] - (ends[last - 1] - samples)
            yield Block(characters, samples, asked, shown[np.flatnonzero(asking)], key_lengths)

    def _numbers(
        self, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Return the operands of both sides (2 N,), with characters and lengths as in `_figures`."""
        count = 2 * _PROBLEMS
        first = rng.integers(self.digits, size=count, dtype=np.int8)  # position of the first digit
        figures = rng.integers(10, size=(self.digits, count), dtype=np.int8)
        leading = rng.integers(1, 10, size=count, dtype=np.int8)
        values = np.zeros(count, np.int64)
        for place in range(self.digits):
            row = figures[place]
            if place < self.digits - 1:  # only a number of one digit begins with 0
                np.copyto(row, leading, where=first == place)
            row *= first <= place
            values = 10 * values + row
        numbers = np.where(rng.integers(2, size=count, dtype=np.int8).astype(np.bool_), values, -values)
        return numbers, *_written(figures, first, numbers)

    def _letters(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
        """Return the number of letters after each character: geometric, drawn as an exponential rounded down."""
        if self.distractors == 0.0:
            return np.zeros(count, np.int64)
        return (rng.standard_exponential(count) / -math.log(self.distractors)).astype(np.int64)


def _figures(numbers: npt.NDArray[np.int64], digits: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return numbers in decimal notation, (1 + digits, N), and their lengths, (N,).

    A column is the minus sign or a gap (0), then the digits as characters, with gaps for leading zeros.
    """
    left = np.abs(numbers)
    figures = np.empty((digits, len(numbers)), np.int8)
    first = np.full(len(numbers), digits - 1, np.int8)
    for place in range(digits - 1, -1, -1):
        np.copyto(first, place, where=left > 0)
        following = left // 10
        figures[place] = left - 10 * following
        left = following
    return _written(figures, first, numbers)


def _written(
    figures: npt.NDArray[np.int8], first: npt.NDArray[np.int8], numbers: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the arrays of `_figures`, given the digits, the positions of the first ones, and the numbers' signs."""
    digits, count = figures.shape
    negative = numbers < 0
    written = np.empty((1 + digits, count), np.uint8)
    np.multiply(negative, np.uint8(ord("-")), out=written[0], casting="unsafe")
    for place in range(digits):
        np.multiply(figures[place] + np.int8(ord("0")), first <= place, out=written[1 + place], casting="unsafe")
    return written, digits - first.astype(np.int64) + negative
