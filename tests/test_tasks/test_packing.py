"""Sequences of unlike lengths: each once per pass, beside others of its length, the longest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.batch import lengths_breach
from tasks.packing import (
    SECTION,
    Integers,
    Sequences,
    evaluation_groups,
    of_labels,
    of_next_steps,
    training_groups,
)
from tasks.task import Batch


def numbered(lengths: list[int]) -> Sequences:
    """Return sequences whose input of step t of sequence n is (n, t), labelled n."""
    values = np.array([(n, t) for n, length in enumerate(lengths) for t in range(length)], np.float32)
    return of_labels(values, np.array(lengths), np.arange(len(lengths)), every_step=False)


def sequences_of(batch: Batch) -> list[tuple[int, int]]:
    """Return number and length of the sequence in each column, after checking each of its values."""
    found = []
    for column in range(batch.loss_mask.shape[1]):
        counted = np.flatnonzero(batch.loss_mask[:, column])
        if not len(counted):
            assert not batch.inputs[:, column].any()
            assert not batch.targets[:, column].any()
            continue
        (last,) = counted
        number = int(batch.targets[last, column])
        expected = [(number, t) for t in range(last + 1)]
        assert [tuple(step) for step in batch.inputs[: last + 1, column].astype(int).tolist()] == expected
        assert (batch.targets[: last + 1, column] == number).all()
        assert not batch.inputs[last + 1 :, column].any()
        assert not batch.targets[last + 1 :, column].any()
        found.append((number, int(last) + 1))
    return found


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_each_sequence_is_whole_and_once_in_an_evaluation(lengths: list[int], batch: int, seed: int) -> None:
    del seed
    groups: list[list[tuple[int, int]]] = []
    for window in numbered(lengths).evaluation(batch):
        assert window.starts is True
        assert window.loss_mask.shape[1] == batch
        groups.append(sequences_of(window))
        shown = [length for _, length in groups[-1]]
        assert window.lengths is not None
        assert window.lengths.tolist() == shown + [0] * (batch - len(shown))
        assert lengths_breach(window.lengths, window.loss_mask) is None
    assert sorted(one for group in groups for one in group) == list(enumerate(lengths))
    assert [length for group in groups for _, length in reversed(group)] == sorted(lengths)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_each_sequence_is_once_in_each_pass_of_training_and_no_column_is_empty(
    lengths: list[int], batch: int, seed: int
) -> None:
    """At the end of a section of groups, no sequence was drawn more than once more than another."""
    section = max(1, min(round(SECTION * len(lengths) / batch), len(lengths) // batch))
    stream = numbered(lengths).training(batch, np.random.default_rng(seed))
    counts: Counter[int] = Counter(dict.fromkeys(range(len(lengths)), 0))
    for _ in range(12):
        for window in islice(stream, section):
            columns = sequences_of(window)
            assert len(columns) == batch
            assert all(lengths[number] == length for number, length in columns)
            counts.update(number for number, _ in columns)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_training_is_a_function_of_the_generator_and_passes_differ() -> None:
    lengths = np.random.default_rng(0).integers(5, 90, 200)

    def groups(seed: int, count: int = 60) -> list[list[int]]:
        rng = np.random.default_rng(seed)
        return [group.tolist() for group in islice(training_groups(lengths, 20, rng), count)]

    assert groups(1) == groups(1)
    assert groups(1) != groups(2)
    first, second = ({frozenset(group) for group in section} for section in (groups(1)[:9], groups(1)[9:18]))
    assert len(first & second) <= 1  # sections of 9 groups are nine tenths of the sequences, others each time
    # Short and long sequences take turns: the lengths of successive groups are in no order.
    means = [lengths[group].mean() for group in groups(1)[:9]]
    assert means != sorted(means)


@pytest.mark.parametrize(("count", "batch"), [(100, 10), (34, 20), (20, 20), (21, 20), (1000, 7)])
def test_no_group_has_a_sequence_twice_and_every_sequence_comes_as_often(count: int, batch: int) -> None:
    lengths = np.random.default_rng(0).integers(5, 90, count)
    groups = list(islice(training_groups(lengths, batch, np.random.default_rng(1)), 600))
    assert all(len(set(group.tolist())) == batch for group in groups)
    counts = np.bincount(np.concatenate(groups), minlength=count)
    assert counts.max() - counts.min() <= 3  # passes overlap within sections


def padding_share(lengths: Integers, groups: Sequence[Integers]) -> float:
    """Return the share of the steps of groups that no sequence has; it is not computed, but batches are smaller."""
    filled = sum(int(lengths[group].sum()) for group in groups)
    return 1 - filled / sum(int(lengths[group].max()) * len(group) for group in groups)


@pytest.mark.parametrize(
    ("spread", "most"),
    [(0.2, 0.02), (0.5, 0.055), (1.0, 0.2)],  # lognormal: from half as long to double; from a seventh to sevenfold
)
def test_sequences_of_a_group_are_of_similar_lengths(spread: float, most: float) -> None:
    lengths = np.maximum(np.random.default_rng(0).lognormal(4.0, spread, 1000), 1).astype(np.int64)
    share = padding_share(lengths, list(islice(training_groups(lengths, 20, np.random.default_rng(1)), 500)))
    assert share < most
    shuffled = np.random.default_rng(2).permutation(1000).reshape(-1, 20)
    assert share < 0.25 * padding_share(lengths, list(shuffled))


def test_the_first_group_of_an_evaluation_has_the_empty_columns() -> None:
    lengths = np.array([7, 3, 9, 5, 4])
    assert [group.tolist() for group in evaluation_groups(lengths, 2)] == [[1], [4, 3], [0, 2]]


def test_labels_count_at_the_last_step_or_at_all() -> None:
    values = np.zeros((5, 1), np.float32)
    last = of_labels(values, np.array([2, 3]), np.array([4, 6]), every_step=False)
    assert last.targets.tolist() == [4, 4, 6, 6, 6]
    assert last.loss_mask.tolist() == [0, 1, 0, 0, 1]
    assert of_labels(values, np.array([2, 3]), np.array([4, 6]), every_step=True).loss_mask.tolist() == [1] * 5


def test_next_steps_never_cross_from_one_sequence_to_the_next() -> None:
    values = np.arange(9, dtype=np.float32)[:, None]
    found = of_next_steps(values, np.array([4, 2, 3]))
    assert found.inputs[:, 0].tolist() == [0, 1, 2, 4, 6, 7]
    assert found.targets[:, 0].tolist() == [1, 2, 3, 5, 7, 8]
    assert found.lengths.tolist() == [3, 1, 2]
    assert found.loss_mask.tolist() == [1] * 6


def test_padding_changes_no_prediction() -> None:
    """The state of `torch.nn.GRU` at the last step is the same in a padded batch and by itself."""
    torch.manual_seed(0)
    gru = torch.nn.GRU(2, 5)
    packed = numbered([3, 8, 5])
    (batch,) = packed.evaluation(4)
    with torch.no_grad():
        together, _ = gru(torch.from_numpy(batch.inputs))
        for column, length in enumerate((8, 5, 3)):
            alone, _ = gru(torch.from_numpy(batch.inputs[:length, column]))
            torch.testing.assert_close(together[length - 1, column], alone[-1])


@pytest.mark.parametrize("kind", [np.uint64, np.uint8, np.int64])
def test_lengths_are_told_as_they_are_given(kind: type) -> None:
    mask = np.zeros((5, 3), np.float32)
    largest = int(np.iinfo(kind).max)
    for values, said in (
        ([largest, 2, 1], f"lengths begins with {largest}; the longest"),
        ([5, largest, 1], f"lengths has {largest} at column 1 after 5; order"),
        ([5, 2, 3], "lengths has 3 at column 2 after 2; order"),
    ):
        assert str(lengths_breach(np.array(values, kind), mask)).startswith(said)
    assert lengths_breach(np.array([5, 2, 0], kind), mask) is None
