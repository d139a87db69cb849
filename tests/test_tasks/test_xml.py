"""XML documents nest, and are as predictable as the generator implies."""

from __future__ import annotations

import math
import re
from itertools import islice, pairwise

import numpy as np
import pytest

from tasks.errors import TaskError
from tasks.task import Split
from tasks.xml import Xml


def stream_text(task: Xml, split: Split) -> str:
    windows = list(task.evaluation(split, 1, 64))
    symbols = np.concatenate([windows[0].inputs[:1, 0], *(window.targets[:, 0] for window in windows)])
    return "".join(task.vocabulary[symbol] for symbol in symbols)


def elements(text: str) -> list[str]:
    """Return the root elements of whole documents; fail on a tag that does not close the last open one."""
    found: list[str] = []
    stack: list[str] = []
    begin = 0
    assert re.fullmatch(r"(</?[a-z]+>)*", text)
    for tag in re.finditer(r"<(/?)([a-z]+)>", text):
        if tag[1]:
            assert stack.pop() == tag[2]
        else:
            stack.append(tag[2])
        if not stack:
            found.append(text[begin : tag.end()])
            begin = tag.end()
    assert not stack
    return found


def guesses(text: str, low: int, high: int, remembers: bool) -> float:
    """Return the accuracy of the most probable symbol under the generator, with or without memory of the open tags."""
    stack: list[str] = []
    right, name, closing = 0, "", False
    for read, following in pairwise(text):
        if read == "<":
            name, closing = "", False
        elif read == "/":
            closing = True
        elif read == ">":
            if closing:
                stack.pop()
            else:
                stack.append(name)
        else:
            name += read
        if read == ">":
            guess = "<"
        elif read == "<":
            guess = "/" if stack or not remembers else "a"
        elif closing and remembers:
            guess = (stack[-1] + ">")[len(name)]
        else:
            guess = ">" if len(name) >= low and 1 / (high - len(name) + 1) > 1 / 26 else "a"
        right += guess == following
    return right / (len(text) - 1)


def test_documents_nest_and_are_never_empty() -> None:
    task = Xml(min_letters=1, max_letters=3, validation=20_000)
    for element in elements(stream_text(task, Split.VALIDATION)):
        names = re.findall(r"<([a-z]+)>", element)
        assert names
        assert all(1 <= len(name) <= 3 for name in names)


def test_perfect_play_is_right_in_065_of_the_steps_and_without_memory_in_030() -> None:
    text = stream_text(Xml(test=300_000), Split.TEST)
    assert guesses(text, 2, 10, remembers=True) == pytest.approx(0.65, abs=0.015)
    assert guesses(text, 2, 10, remembers=False) == pytest.approx(0.30, abs=0.015)


def test_half_of_the_first_tags_are_closed_at_once() -> None:
    """After the opening tag a fair coin closes it; then a fair coin ends the document: 1/4 have one tag."""
    samples = list(islice(Xml().samples(np.random.default_rng(3)), 20_000))
    single = sum(sample.text.count("<") == 2 for sample in samples) / len(samples)
    assert single == pytest.approx(0.25, abs=0.015)


def test_iterations_bound_a_document() -> None:
    task = Xml(iterations=4, validation=1000, test=1000)
    opened = [sample.text.count("<") for sample in islice(task.samples(np.random.default_rng(0)), 3000)]
    assert max(opened) == 8  # four tags opened by the four iterations, and closed


@pytest.mark.parametrize("iterations", [5, 50])
def test_documents_have_as_many_tags_as_the_rule_implies(iterations: int) -> None:
    """The expected number is an exact sum over all iterations and depths."""
    depths, tags = {1: 1.0}, 1.0  # the probabilities of the depths after the first iteration, which opens
    for _ in range(1, iterations):
        following: dict[int, float] = {}
        for depth, probability in depths.items():
            tags += probability / 2
            following[depth + 1] = following.get(depth + 1, 0.0) + probability / 2
            if depth > 0:
                following[depth - 1] = following.get(depth - 1, 0.0) + probability / 2
        depths = following
    counts = [
        sample.text.count("<") / 2
        for sample in islice(Xml(iterations=iterations).samples(np.random.default_rng(2)), 20_000)
    ]
    assert np.mean(counts) == pytest.approx(tags, abs=4 * float(np.std(counts)) / math.sqrt(len(counts)))


def test_name_lengths_and_letters_are_uniform() -> None:
    samples = islice(Xml().samples(np.random.default_rng(5)), 3000)
    names = re.findall(r"<([a-z]+)>", "".join(sample.text for sample in samples))
    lengths = np.bincount([len(name) for name in names], minlength=11) / len(names)
    np.testing.assert_allclose(lengths[2:], 1 / 9, atol=0.015)
    letters = np.bincount([ord(letter) - 97 for letter in "".join(names)], minlength=26)
    np.testing.assert_allclose(letters / letters.sum(), 1 / 26, atol=0.004)


def test_shortest_name_above_longest_is_refused() -> None:
    with pytest.raises(TaskError, match=r"min_letters = 5, but it must be an integer from 1 to 3"):
        Xml(min_letters=5, max_letters=3)
