"""Generated streams: splits are disjoint, and errors of unsuitable tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import numpy as np
import pytest

from tasks.arithmetic import Arithmetic
from tasks.errors import TaskError
from tasks.generated import FIXED_SEED, GeneratedTask, Sample
from tasks.memorization import Memorization
from tasks.task import Batch, Split
from tasks.xml import Xml
from tests.test_tasks.text_splits import split_of_text


def column_texts(task: GeneratedTask, windows: list[Batch]) -> list[str]:
    """Return the characters of each column, joined from the windows of one pass."""
    texts = []
    for column in range(windows[0].inputs.shape[1]):
        symbols = np.concatenate([windows[0].inputs[:1, column], *(window.targets[:, column] for window in windows)])
        texts.append("".join(task.vocabulary[symbol] for symbol in symbols))
    return texts


def problems(texts: list[str]) -> set[str]:
    return {re.sub("[a-z]", "", found) for text in texts for found in re.findall(r"([^.]*)=[^.]*\.", text)}


def test_no_problem_of_validation_or_test_occurs_in_training() -> None:
    task = Arithmetic(digits=2, validation=20_000, test=20_000)
    seen = problems(column_texts(task, list(islice(task.training(4, 50, np.random.default_rng(9)), 400))))
    sets = {
        split: problems(column_texts(task, list(task.evaluation(split, 1, 35))))
        for split in (Split.VALIDATION, Split.TEST)
    }
    assert len(seen) > 500
    assert min(map(len, sets.values())) > 50
    assert not seen & sets[Split.VALIDATION]
    assert not seen & sets[Split.TEST]
    assert not sets[Split.VALIDATION] & sets[Split.TEST]


@pytest.mark.parametrize("split", list(Split))
def test_a_stream_is_the_documents_of_its_split_and_no_others(split: Split) -> None:
    """A document may have several roots, so its end is known only from drawing the documents again."""
    task = Xml(min_letters=1, max_letters=1, validation=5000, test=5000)
    (text,) = column_texts(task, list(task.evaluation(split, 1, 35)))
    drawn = task.samples(np.random.default_rng([FIXED_SEED, list(Split).index(split)]))
    again = "".join(sample.text for sample in islice(drawn, 2000) if split_of_text(sample.text) is split)
    assert again.startswith(text)
    (text,) = column_texts(task, list(islice(task.training(1, 35, np.random.default_rng(4)), 100)))
    drawn = task.samples(np.random.default_rng(4))
    again = "".join(sample.text for sample in islice(drawn, 2000) if split_of_text(sample.text) is Split.TRAIN)
    assert again.startswith(text)


def test_no_word_of_validation_or_test_is_memorized_in_training() -> None:
    task = Memorization(length=2, validation=4000, test=4000)
    words: dict[Split, set[str]] = {split: set() for split in Split}
    for window in islice(task.training(16, 35, np.random.default_rng(9)), 400):
        words[Split.TRAIN] |= {text[:2] for text in column_texts(task, [window])}
    for split in (Split.VALIDATION, Split.TEST):
        for window in task.evaluation(split, 4, 35):
            loss_mask = window.loss_mask.max(axis=0).tolist()
            texts = column_texts(task, [window])
            words[split] |= {text[:2] for text, counts in zip(texts, loss_mask, strict=True) if counts}
    assert sum(map(len, words.values())) == len(set().union(*words.values())) == 26 * 26
    assert all(split_of_text(word) is split for split, found in words.items() for word in found)


def test_training_columns_are_unbroken_streams_across_blocks() -> None:
    """Every document of every column parses, across the borders between blocks of windows, too."""
    task = Xml(min_letters=1, max_letters=3)
    windows = list(islice(task.training(3, 7, np.random.default_rng(0)), 300))
    assert [window.starts for window in windows] == [True] + [False] * 299
    for text in column_texts(task, windows):
        assert len(text) == 300 * 7 + 1
        stack: list[str] = []
        for tag in re.finditer("<(/?)([a-z]+)>", text):
            if tag[1]:
                assert stack.pop() == tag[2]
            else:
                stack.append(tag[2])
        assert re.fullmatch("(</?[a-z]+>)*(<|</|</?[a-z]+)?", text)


def test_evaluation_columns_begin_and_end_with_whole_samples() -> None:
    task = Xml(validation=3000)
    windows = list(task.evaluation(Split.VALIDATION, 5, 35))
    loss_mask = np.concatenate([window.loss_mask for window in windows])
    texts = column_texts(task, windows)
    lengths = []
    for column, text in enumerate(texts):
        whole = text[: 1 + int(loss_mask[:, column].sum())]
        assert sum(-1 if tag[1] else 1 for tag in re.finditer("<(/?)[a-z]+>", whole)) == 0
        assert whole.endswith(">")
        lengths.append(len(whole))
    assert sum(lengths) >= 3000


class OneWord(GeneratedTask):
    """Task with a single text, so that two of the three splits are empty."""

    name = "one-word"
    vocabulary = "ab"
    word: ClassVar[str] = "ab"

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        while True:
            yield Sample(self.word)


class Finite(OneWord):
    """Task whose samples end."""

    name = "finite"

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample("ab")


class Strange(GeneratedTask):
    """Task with a character outside its vocabulary."""

    name = "strange"
    vocabulary = "0123456789"
    text: ClassVar[str] = "é"

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        while True:
            yield Sample(f"{rng.integers(1000)}{self.text}" if self.text else "", key=str(rng.integers(1000)))


class Empty(Strange):
    """Task with an empty sample."""

    name = "empty"
    text = ""


def test_a_task_of_too_few_samples_says_so_when_it_is_built() -> None:
    with pytest.raises(TaskError, match=r"'one-word': 10,000 samples in a row without one of the \w+ split"):
        OneWord()


def test_samples_that_end_are_refused() -> None:
    with pytest.raises(TaskError, match="'finite': its samples ended, but must be endless"):
        Finite()


def test_a_character_outside_the_vocabulary_is_named() -> None:
    task = Strange()
    with pytest.raises(TaskError, match=r"'strange': a sample has 'é', which is not in its vocabulary"):
        next(task.training(2, 5, np.random.default_rng(0)))


def test_samples_without_characters_are_refused() -> None:
    with pytest.raises(TaskError, match="'empty': a sample is empty"):
        Empty()


class Late(Finite):
    """Task with a sample whose loss mask begins after its end."""

    name = "late"

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample("ab", counts_from=2)


class Twice(OneWord):
    """Task with a repeated character in its vocabulary."""

    name = "twice"
    vocabulary = "aba"


def test_a_sample_of_which_nothing_counts_is_refused() -> None:
    with pytest.raises(TaskError, match="'late': a sample of 2 characters has counts_from = 2; give 0 to 1"):
        Late()


def test_a_vocabulary_with_a_character_twice_is_refused() -> None:
    with pytest.raises(TaskError, match="'twice': its vocabulary is 'aba'; give two or more different characters"):
        Twice()


class NoVocabulary(Late):
    name = "numbers"
    vocabulary = 7  # type: ignore[assignment]


class Texts(Late):
    name = "texts"

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        while True:
            yield "ab"  # type: ignore[misc]


class Numbers(Late):
    name = "numbers"

    def samples(self, rng: np.random.Generator) -> Iterator[Sample]:
        while True:
            yield Sample(3)  # type: ignore[arg-type]


def test_a_vocabulary_and_samples_of_the_wrong_type_are_refused() -> None:
    with pytest.raises(TaskError, match="'numbers': its vocabulary is 7; give its characters as one text"):
        NoVocabulary()
    with pytest.raises(TaskError, match=r"'texts': samples\(\) yielded a str; yield gatesearch\.Sample"):
        Texts()
    with pytest.raises(TaskError, match=r"'numbers': samples\(\) yielded a Sample whose text is no str; yield"):
        Numbers()
