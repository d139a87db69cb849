"""Exact prediction of XML streams by a reader that knows the generator and has read all of the text so far.

After an opening tag is read, what is still hidden is how many iterations the document has used: two roots of one
document look like two documents, and after the last iteration all open tags are closed. The probabilities of the number
of used iterations are updated tag by tag (the forward algorithm of a hidden Markov model). All else that is random is
independent of the past: the length of a new name and its letters.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

_TAG = re.compile("<(/?)([a-z]+)>")


class Predictability(NamedTuple):
    """Sums over the predicted characters of texts."""

    steps: int
    correct: float  # sum of the probabilities of the most probable character
    nats: float  # sum of the entropies of the next character

    def __add__(self, other: object) -> Predictability:
        """Return the sums over the texts of both."""
        if not isinstance(other, Predictability):
            return NotImplemented
        return Predictability(self.steps + other.steps, self.correct + other.correct, self.nats + other.nats)


def predictability(text: str, min_letters: int, max_letters: int, iterations: int, letters: int = 26) -> Predictability:
    """Return how well each character of a stream after the first can be predicted from those before it.

    Each term is an expectation under the generator's distribution of the next character, given the text so far. It does
    not depend on which character follows.

    Args:
        text: whole documents, the first of which begins with the text.
        min_letters: as in `tasks.xml.Xml`, as are the next two.
        max_letters: largest number of letters of a name.
        iterations: number of iterations after which all open tags are closed.
        letters: size of the alphabet of the names.
    """
    names = [_name(length, min_letters, max_letters, letters) for length in range(max_letters + 1)]
    used = np.zeros(iterations + 1)  # probability of each number of iterations that the document has used
    used[iterations] = 1.0  # the previous document is over
    depth, correct, nats = 0, 0.0, 0.0
    for tag in _TAG.finditer(text):
        over = float(used[iterations])
        opens = (1.0 - over) / 2 if depth else 1.0
        closes = 1.0 - opens
        # The character after "<" is "/", or one of the letters; "<" itself is certain after ">".
        correct += 1.0 + max(closes, opens / letters)
        nats += _surprise(closes) + _surprise(opens) + opens * math.log(letters)
        if tag[1]:
            depth -= 1
            used[1:] = used[:-1] * 0.5
            used[iterations] += over
            used /= closes
            correct += len(tag[2]) + 1  # the name of the open tag, and ">"
        else:
            fresh = (1.0 - over) / 2 + over if depth == 0 else 0.0  # the document is new
            used[1:] = used[:-1] * (0.5 if depth == 0 else 0.5 / opens)
            used[1] += fresh
            depth += 1
            correct += names[len(tag[2])].correct
            nats += names[len(tag[2])].nats
        used[0] = 0.0
    return Predictability(len(text) - 1, correct - 1.0, nats)  # nothing predicts the first "<"


def _name(length: int, min_letters: int, max_letters: int, letters: int) -> Predictability:
    """Return the sums over the characters of a new name after its first letter, and the `>` after it."""
    correct, nats = 0.0, 0.0
    for read in range(1, length + 1):
        ends = 1.0 / (max_letters - read + 1) if read >= min_letters else 0.0
        correct += max(ends, (1.0 - ends) / letters)
        nats += _surprise(ends) + _surprise(1.0 - ends) + (1.0 - ends) * math.log(letters)
    return Predictability(length, correct, nats)


def _surprise(probability: float) -> float:
    """Return -p ln p, with 0 ln 0 = 0."""
    return -probability * math.log(probability) if probability > 0.0 else 0.0
