"""Arithmetic samples are correct, well-formed and uniformly drawn."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pytest

from tasks.arithmetic import Arithmetic
from tasks.errors import TaskError
from tasks.generated import Sample
from tasks.task import Split

PROBLEM = re.compile(r"(-?\d+)([+-])(-?\d+)=(-?\d+)\.")


def drawn(task: Arithmetic, count: int) -> list[Sample]:
    return list(islice(task.samples(np.random.default_rng(1)), count))


@pytest.mark.parametrize("digits", [1, 2, 8, 18])
def test_answers_are_right(digits: int) -> None:
    for sample in drawn(Arithmetic(digits=digits), 1000):
        found = PROBLEM.fullmatch(re.sub("[a-z]", "", sample.text))
        assert found is not None
        left, operator, right, answer = found.groups()
        expected = int(left) + int(right) if operator == "+" else int(left) - int(right)
        assert answer == str(expected)
        assert max(len(left.lstrip("-")), len(right.lstrip("-"))) <= digits


def test_only_the_answer_counts() -> None:
    task = Arithmetic(validation=5000)
    for window in task.evaluation(Split.VALIDATION, 4, 10_000):
        for column in range(4):
            text = "".join(task.vocabulary[s] for s in (window.inputs[0, column], *window.targets[:, column]))
            length = 1 + int(np.flatnonzero(window.loss_mask[:, column]).max() + 1)  # without the padding
            text, counted = text[:length], window.loss_mask[: length - 1, column]
            assert text.endswith(".")
            expected = [
                re.fullmatch(r"[^.=]*=[^.=]*", text[:position].rpartition(".")[2]) is not None
                for position in range(1, len(text))
            ]
            np.testing.assert_array_equal(counted, expected)


def test_lengths_signs_and_operators_are_even() -> None:
    samples = drawn(Arithmetic(digits=4), 20_000)
    problems = [re.fullmatch(r"(-?)(\d+)([+-])(-?)(\d+)", sample.key) for sample in samples]
    groups = [problem.groups() for problem in problems if problem is not None]
    assert len(groups) == len(samples)
    for field in (1, 4):
        lengths = np.bincount([len(group[field]) for group in groups], minlength=5)[1:]
        np.testing.assert_allclose(lengths / len(groups), 0.25, atol=0.015)
    assert np.mean([group[2] == "+" for group in groups]) == pytest.approx(0.5, abs=0.015)
    single = [group[1] for group in groups if len(group[1]) == 1]
    digits = np.bincount([int(digit) for digit in single], minlength=10) / len(single)
    np.testing.assert_allclose(digits, 0.1, atol=0.02)
    for sign, number in ((0, 1), (3, 4)):  # zero, drawn once in forty times, has no sign
        signs = [group[sign] == "-" for group in groups if group[number] != "0"]
        assert np.mean(signs) == pytest.approx(0.5, abs=0.015)


def test_letters_follow_each_character_as_often_as_asked() -> None:
    """A geometric run of probability p has p / (1 - p) letters on average."""
    for probability in (0.0, 0.3, 0.5):
        samples = drawn(Arithmetic(distractors=probability), 5000)
        letters = sum(len(re.findall("[a-z]", sample.text)) for sample in samples)
        places = sum(len(sample.key) for sample in samples)
        assert letters / places == pytest.approx(probability / (1 - probability), abs=0.03)
        assert not any(re.search("=.*[a-z]", sample.text) for sample in samples)


def test_the_split_is_by_the_problem_not_by_the_letters() -> None:
    samples = drawn(Arithmetic(digits=1), 5000)
    by_problem: dict[str, set[str]] = {}
    for sample in samples:
        by_problem.setdefault(re.sub("[a-z]|=.*", "", sample.text), set()).add(sample.key)
    assert all(len(keys) == 1 for keys in by_problem.values())
    assert len({sample.text for sample in samples}) > 5 * len(by_problem)


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("digits", 0, "an integer from 1 to 18"),
        ("digits", 19, "an integer from 1 to 18"),
        ("digits", 2.5, "an integer"),
        ("digits", True, "an integer"),
        ("digits", "8", "an integer"),
        ("distractors", 1.0, "a number from 0.0 to 0.95"),
        ("distractors", float("nan"), "a number from 0.0 to 0.95"),
    ],
)
def test_values_out_of_range_are_refused(parameter: str, value: object, rule: str) -> None:
    with pytest.raises(TaskError, match=rf"^task 'arithmetic': {parameter} = .* must be {rule}"):
        Arithmetic(**{parameter: value})  # type: ignore[arg-type]
