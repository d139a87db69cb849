"""The best prediction of XML streams has the conditional probabilities that an enumeration of all documents gives."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise, product

import numpy as np
import numpy.typing as npt
import pytest

from tasks.task import Split
from tasks.xml import Xml
from tasks.xml_inference import Predictability, predictability

ALPHABET = "ab"


def documents(low: int, high: int, iterations: int) -> dict[str, float]:
    """Return every document over two letters with its probability, by the rule as `Xml` states it."""
    names = [
        ("".join(name), 1 / (high - low + 1) / len(ALPHABET) ** length)
        for length in range(low, high + 1)
        for name in product(ALPHABET, repeat=length)
    ]
    found: dict[str, float] = {}

    def grow(text: str, stack: tuple[str, ...], used: int, probability: float) -> None:
        if used == iterations:
            end = text + "".join(f"</{name}>" for name in reversed(stack))
            found[end] = found.get(end, 0.0) + probability
            return
        coin = 1.0 if used == 0 else 0.5
        for name, chance in names:
            grow(f"{text}<{name}>", (*stack, name), used + 1, probability * coin * chance)
        if used and stack:
            grow(f"{text}</{stack[-1]}>", stack[:-1], used + 1, probability * 0.5)
        elif used:
            found[text] = found.get(text, 0.0) + probability * 0.5

    grow("", (), 0, 1.0)
    assert math.fsum(found.values()) == pytest.approx(1.0)
    return found


def enumerated(text: str, known: dict[str, float]) -> Predictability:
    """Return the sums over the characters of a stream of documents, from the probabilities of all its prefixes."""
    symbols = sorted(set(ALPHABET) | set("<>/"))
    starts = [1.0] + [0.0] * len(text)  # probability that the stream is this text up to here, and a document begins
    for end in range(1, len(text) + 1):
        starts[end] = math.fsum(
            starts[begin] * known.get(text[begin:end], 0.0) for begin in range(end) if starts[begin] > 0
        )
    heads: dict[str, float] = {}  # probability that a document begins so
    for document, probability in known.items():
        for length in range(1, len(document) + 1):
            heads[document[:length]] = heads.get(document[:length], 0.0) + probability

    def following(position: int) -> Iterator[float]:
        for symbol in symbols:
            yield math.fsum(
                starts[begin] * heads.get(text[begin:position] + symbol, 0.0) for begin in range(position + 1)
            )

    correct, nats = 0.0, 0.0
    for position in range(1, len(text)):
        joint = np.array(list(following(position)))
        shares = joint / joint.sum()
        correct += float(shares.max())
        nats -= sum(float(share) * math.log(share) for share in shares if share > 0)
    return Predictability(len(text) - 1, correct, nats)


@pytest.mark.parametrize(("low", "high", "iterations"), [(1, 1, 1), (1, 1, 5), (1, 2, 3), (2, 3, 2)])
def test_sums_are_those_of_an_enumeration_of_all_documents(low: int, high: int, iterations: int) -> None:
    known = documents(low, high, iterations)
    rng = np.random.default_rng(iterations)
    for _ in range(5):
        text = "".join(rng.choice(list(known), size=6, p=list(known.values())))
        expected = enumerated(text, known)
        assert predictability(text, low, high, iterations, len(ALPHABET)) == pytest.approx(expected, rel=1e-10)


def best_guesses(text: str, low: int, high: int) -> npt.NDArray[np.bool_]:
    """Return whether the most probable character is right at each step.

    Closing is always at least as probable as opening, so no probabilities are needed.
    """
    stack: list[str] = []
    right, tag = [], ""
    for read, following in pairwise(text):
        tag = "" if read == ">" else tag + read
        if read == ">":
            guess = "<"
        elif tag == "<":
            guess = "/" if stack else "a"
        elif tag[1] == "/":
            guess = (stack[-1] + ">")[len(tag) - 2]
        else:
            letters = len(tag) - 1
            guess = ">" if letters >= low and 1 / (high - letters + 1) > 1 / 26 else "a"
        right.append(guess == following)
        if following == ">" and tag[1] == "/":
            stack.pop()
        elif following == ">":
            stack.append(tag[1:])
    return np.array(right)


def stream(task: Xml, split: Split) -> str:
    windows = list(task.evaluation(split, 1, 1000))
    symbols = np.concatenate([windows[0].inputs[:1, 0], *(window.targets[:, 0] for window in windows)])
    return "".join(task.vocabulary[symbol] for symbol in symbols)


@pytest.mark.parametrize(("low", "high"), [(2, 10), (2, 3)])
def test_the_best_strategy_reaches_the_ceiling_and_tables_of_the_last_characters_do_not(low: int, high: int) -> None:
    task = Xml(min_letters=low, max_letters=high, validation=100_000, test=100_000)
    text, ceiling = stream(task, Split.TEST), task.ceiling(Split.TEST, batch=1)
    assert ceiling is not None
    error = math.sqrt(ceiling * (1 - ceiling) / len(text))
    assert best_guesses(text, low, high).mean() == pytest.approx(ceiling, abs=4 * error)
    for order in (1, 2, 3):
        table: dict[str, Counter[str]] = {}
        other = stream(task, Split.VALIDATION)
        for position in range(order, len(other)):
            table.setdefault(other[position - order : position], Counter())[other[position]] += 1
        guesses = {context: found.most_common(1)[0][0] for context, found in table.items()}
        hits = [
            guesses.get(text[position - order : position]) == text[position] for position in range(order, len(text))
        ]
        assert 0.2 < np.mean(hits) < ceiling - 4 * error


@pytest.mark.parametrize(("length", "iterations"), [(1, 4), (2, 1), (2, 50)])
def test_the_best_strategy_is_as_often_right_as_expected_on_documents_of_all_splits(
    length: int, iterations: int
) -> None:
    """A split of few different documents is a choice among them, which no expectation over the generator knows."""
    task = Xml(min_letters=length, max_letters=length, iterations=iterations)
    text = "".join(sample.text for sample in islice(task.samples(np.random.default_rng(2)), 6000))
    found = predictability(text, length, length, iterations)
    share = found.correct / found.steps
    assert best_guesses(text, length, length).mean() == pytest.approx(
        share, abs=3 * math.sqrt(share * (1 - share) / found.steps)
    )


def test_the_ceiling_counts_the_steps_that_an_evaluation_predicts() -> None:
    """The first character of each column is read and not predicted."""
    task = Xml(min_letters=2, max_letters=3, validation=5000)
    total = Predictability(0, 0.0, 0.0)
    windows = list(task.evaluation(Split.VALIDATION, 7, 64))
    for column in range(7):
        steps = int(sum(window.loss_mask[:, column].sum() for window in windows))
        symbols = [int(windows[0].inputs[0, column])]
        symbols += [int(symbol) for window in windows for symbol in window.targets[:, column]]
        text = "".join(task.vocabulary[symbol] for symbol in symbols[: steps + 1])
        total += predictability(text, 2, 3, 50)
        assert steps == len(text) - 1
    assert task.ceiling(Split.VALIDATION, batch=7) == pytest.approx(total.correct / total.steps)
    assert total.steps == sum(int(window.loss_mask.sum()) for window in windows)
    assert task.ceiling(Split.VALIDATION, batch=7) != pytest.approx(task.ceiling(Split.VALIDATION, batch=1), abs=1e-5)


def test_a_single_iteration_leaves_only_the_name_open() -> None:
    """`<ab></ab>`, names of two letters: both letters are 1 in 26, all else is certain."""
    found = predictability("<ab></ab><cd></cd>", 2, 2, 1)
    assert found.steps == 17
    assert found.correct == pytest.approx(13 + 4 / 26)
    assert found.nats == pytest.approx(4 * math.log(26))
