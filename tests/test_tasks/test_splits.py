"""The hash split: its shares, and that it never changes."""

from __future__ import annotations

import pytest

from tasks.splits import split_of
from tasks.task import Split


def test_an_eighth_of_the_keys_is_validation_and_another_is_test() -> None:
    splits = [split_of(str(number)) for number in range(20_000)]
    for split, share in ((Split.TRAIN, 0.75), (Split.VALIDATION, 0.125), (Split.TEST, 0.125)):
        assert splits.count(split) / len(splits) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("key", "split"),
    [("ab", Split.VALIDATION), ("z", Split.TEST), ("hello", Split.TEST), ("abcde", Split.TRAIN), ("3+4", Split.TRAIN)],
)
def test_the_split_of_a_key_is_the_same_for_ever(key: str, split: Split) -> None:
    """BLAKE2b of one byte: 14, 39, 41, 100 and 235; below 32 is validation, below 64 test."""
    assert split_of(key) is split
