"""Labelled sequences are divided by class and content, completed, and standardised by the training part alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tasks.errors import TaskError
from tasks.labelled.division import divided
from tasks.labelled.record import Labelled
from tasks.labelled.sets import LONGEST, LabelSets, Preparation, label_sets, packed, unpacked
from tasks.task import Split

Values = npt.NDArray[np.float64]
RNG = np.random.default_rng(0)
NAN = float("nan")


def labelled(sequences: list[Values], labels: list[str], channels: tuple[str, ...] = ("a", "b")) -> Labelled:
    places = [f"line {number}" for number in range(1, len(labels) + 1)]
    return Labelled("data.ts", sequences, labels, places, channels[: sequences[0].shape[1]])


def some(count: int, scale: float = 1.0) -> list[Values]:
    return [RNG.normal(3.0, scale, (int(RNG.integers(2, 9)), 2)) * [1.0, 100.0] for _ in range(count)]


def parts_of(found: LabelSets, split: Split) -> list[npt.NDArray[np.float32]]:
    each = found.sets[split]
    return np.split(each.values, np.cumsum(each.lengths)[:-1])


def test_values_are_standardised_by_the_training_part() -> None:
    train, test = some(20), some(10, 5.0)
    read = {Split.TRAIN: labelled(train, ["x", "y"] * 10), Split.TEST: labelled(test, ["y", "x"] * 5)}
    found = label_sets(read, Preparation(shares={Split.VALIDATION: 0.2}))
    assert found.classes == ("x", "y")
    assert [found.sets[split].labels.size for split in Split] == [16, 4, 10]
    training = np.concatenate(parts_of(found, Split.TRAIN)).astype(np.float64)
    np.testing.assert_allclose(training.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(training.std(axis=0), 1.0, rtol=1e-6)
    # One scale and one shift for each channel turn the test part into what was read.
    first = np.concatenate(test)
    second = np.concatenate(parts_of(found, Split.TEST)).astype(np.float64)
    for channel in range(2):
        slope, shift = np.polyfit(second[:, channel], first[:, channel], 1)
        np.testing.assert_allclose(second[:, channel] * slope + shift, first[:, channel], rtol=1e-5, atol=1e-4)
    assert found.sets[Split.TEST].labels.tolist() == [1, 0] * 5


def test_a_division_has_the_shares_of_each_class_and_no_copy_on_two_sides() -> None:
    labels = np.repeat([0, 1, 2], [50, 20, 4])
    digests = [bytes([k // 2]) for k in range(74)]  # each sequence is there twice
    shares = {Split.VALIDATION: 0.2, Split.TEST: 0.1}
    found = divided(labels, digests, shares)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(74))
    counts = {split: np.bincount(labels[numbers], minlength=3).tolist() for split, numbers in found.items()}
    assert counts[Split.VALIDATION] == [10, 4, 2]
    assert counts[Split.TEST] == [6, 2, 0]  # of the smallest class, the last sequence is for training
    sides = {split: {digests[number] for number in numbers} for split, numbers in found.items()}
    assert not sides[Split.TRAIN] & (sides[Split.VALIDATION] | sides[Split.TEST])
    assert not sides[Split.VALIDATION] & sides[Split.TEST]


def test_a_division_does_not_depend_on_the_order_of_the_file() -> None:
    labels, digests = RNG.integers(0, 3, 60), [bytes([k]) for k in range(60)]
    order = RNG.permutation(60)
    shares = {Split.VALIDATION: 0.2, Split.TEST: 0.2}
    one = divided(labels, digests, shares)
    other = divided(labels[order], [digests[k] for k in order], shares)
    for split, numbers in one.items():
        assert {digests[number] for number in numbers} == {digests[order[number]] for number in other[split]}


def with_missing() -> dict[Split, Labelled]:
    train = [np.array([[1.0, NAN], [2.0, 4.0], [NAN, 5.0], [4.0, NAN]]), *some(5)]
    return {
        Split.TRAIN: labelled(train, ["x", "y", "x", "y", "x", "y"]),
        Split.VALIDATION: labelled([np.array([[NAN, 1.0], [NAN, NAN], [7.0, 3.0], [NAN, NAN], [NAN, NAN]])], ["x"]),
        Split.TEST: labelled(some(3), ["x", "y", "y"]),
    }


def test_missing_values_are_refused_with_the_first_of_them() -> None:
    message = (
        r"data\.ts, line 1: step 1 of channel b is missing \(6 values of 2 sequences are\); set missing = 'forward'"
    )
    for average in (1, 2, 5):
        with pytest.raises(TaskError, match=message):
            label_sets(with_missing(), Preparation(average=average))


def test_missing_values_are_filled_and_missing_ends_are_cut() -> None:
    raw = with_missing()
    training = np.concatenate(list(raw[Split.TRAIN].sequences))
    mean, scale = np.nanmean(training, axis=0), np.nanstd(training, axis=0)
    for missing, first, second in (
        ("forward", [[1, NAN], [2, 4], [2, 5], [4, 5]], [[NAN, 1], [NAN, 1], [7, 3]]),
        ("mean", [[1, NAN], [2, 4], [NAN, 5], [4, NAN]], [[NAN, 1], [NAN, NAN], [7, 3]]),
    ):
        found = label_sets(raw, Preparation(missing=missing))
        for split, values in (Split.TRAIN, first), (Split.VALIDATION, second):
            expected = (np.array(values) - mean) / scale
            np.testing.assert_allclose(parts_of(found, split)[0], np.nan_to_num(expected), rtol=1e-5, atol=1e-6)
        assert (found.sets[Split.TRAIN].missing, found.sets[Split.TRAIN].cut) == (3, 0)
        assert (found.sets[Split.VALIDATION].missing, found.sets[Split.VALIDATION].cut) == (3, 2)
        assert found.sets[Split.VALIDATION].lengths.tolist() == [3]
        leading = [found.sets[split].leading for split in (Split.TRAIN, Split.VALIDATION)]
        assert leading == ([1, 2] if missing == "forward" else [0, 0])


def test_averages_are_those_of_successive_steps() -> None:
    sequence = np.array([[1.0], [3.0], [NAN], [5.0], [9.0]])
    read = {
        split: labelled([sequence, sequence * 2, sequence + number], ["x", "y", "x"])
        for number, split in enumerate(Split, 1)
    }
    found = label_sets(read, Preparation("forward", average=2))
    raw = np.array([2.0, 5.0, 9.0, 4.0, 10.0, 18.0, 3.0, 6.0, 10.0])
    np.testing.assert_allclose(found.sets[Split.TRAIN].values[:, 0], (raw - raw.mean()) / raw.std(), rtol=1e-5)
    assert [(each.averaged, each.missing) for each in found.sets.values()] == [(3, 0)] * 3
    whole = label_sets(read, Preparation("forward"))
    assert [(each.averaged, each.missing) for each in whole.sets.values()] == [(0, 3)] * 3


def test_a_constant_channel_is_told_and_does_not_divide_by_zero() -> None:
    flat = [np.stack([sequence[:, 0], np.full(len(sequence), 0.1)], axis=1) for sequence in some(12)]
    read = {
        Split.TRAIN: labelled(flat, ["x", "y"] * 6),
        Split.TEST: labelled(some(2), ["x", "y"]),
    }
    found = label_sets(read, Preparation(shares={Split.VALIDATION: 0.2}))
    assert found.constant.tolist() == [False, True]
    np.testing.assert_allclose(found.sets[Split.TRAIN].values[:, 1], 0.0, atol=1e-6)
    assert np.isfinite(found.sets[Split.TEST].values).all()


def test_the_channels_of_parts_are_matched_by_name() -> None:
    train, test = some(8), some(4)
    swapped = labelled([sequence[:, ::-1] for sequence in test], ["x", "y"] * 2, ("b", "a"))
    straight = labelled(test, ["x", "y"] * 2)
    one, other = (
        label_sets(
            {Split.TRAIN: labelled(train, ["x", "y"] * 4), Split.TEST: part},
            Preparation(shares={Split.VALIDATION: 0.2}),
        )
        for part in (swapped, straight)
    )
    np.testing.assert_array_equal(one.sets[Split.TEST].values, other.sets[Split.TEST].values)


def test_what_is_cached_is_what_was_made() -> None:
    read: dict[Split | None, Labelled] = {None: labelled(some(30), ["x", "y"] * 15)}
    made = label_sets(read, Preparation(shares={Split.VALIDATION: 0.2, Split.TEST: 0.2}))
    again = unpacked(packed(made))
    assert (again.classes, again.channels) == (made.classes, made.channels)
    for split in Split:
        assert again.sets[split].digests() == made.sets[split].digests()
        assert again.sets[split].labels.tolist() == made.sets[split].labels.tolist()
        assert (again.sets[split].missing, again.sets[split].cut) == (0, 0)


@pytest.mark.parametrize(
    ("sequences", "labels", "message"),
    [
        (some(4), ["x"] * 4, r"data\.ts: all sequences have the label 'x'; there must be two or more"),
        ([np.full((3, 2), NAN), *some(3)], ["x", "y"] * 2, r"data\.ts, line 1: has no value; leave the sequence out"),
        (some(2), ["x", "y"], r"line 1: the 2 sequences there leave none for validation; add sequences"),
        ([np.full((3, 2), 7.0 + k) for k in range(2)] * 4, ["x", "y"] * 4, r"leave none for validation"),
        (
            [np.zeros((LONGEST + 1, 2)), *some(9)],
            ["x", "y"] * 5,
            r"line 1: has 20,001 steps; at most 20,000 fit, so set",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_one_line(sequences: list[Values], labels: list[str], message: str) -> None:
    read: dict[Split | None, Labelled] = {None: labelled(sequences, labels)}
    with pytest.raises(TaskError, match=message) as caught:
        label_sets(read, Preparation(shares={Split.VALIDATION: 0.2, Split.TEST: 0.2}))
    assert "\n" not in str(caught.value)


def test_parts_with_other_channels_are_refused() -> None:
    for channels, message in (
        (("a", "c"), "has the channel 'c', which data.ts has not"),
        (("a",), "has 1 channels, and"),
    ):
        test = labelled([sequence[:, : len(channels)] for sequence in some(4)], ["x", "y"] * 2, channels)
        with pytest.raises(TaskError, match=message):
            label_sets({Split.TRAIN: labelled(some(8), ["x", "y"] * 4), Split.TEST: test}, Preparation())
