"""Hash splits: their shares, and fixed examples."""

from __future__ import annotations

import numpy as np
import pytest

from tasks import splits as splits_module
from tasks.splits import FOLDS, codes_of, in_shared_runs, octant_splits, octants_of, runs_of, split_of
from tasks.task import Split
from tests.test_tasks.text_splits import split_of_text


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


def test_no_two_folds_have_validation_or_test_in_common() -> None:
    keys = [str(number) for number in range(4_000)]
    held_out: set[str] = set()
    for fold in range(FOLDS):
        splits = {key: split_of(key, fold) for key in keys}
        for split in (Split.VALIDATION, Split.TEST):
            chosen = {key for key in keys if splits[key] is split}
            assert len(chosen) / len(keys) == pytest.approx(0.125, abs=0.02)
            assert not held_out & chosen
            held_out |= chosen
    assert held_out == set(keys)


def polynomial(text: str) -> int:
    """Return the hash of a text, computed with Python integers."""
    total: int = sum((ord(c) + 1) * 0x100000001B3 ** (n + 1) for n, c in enumerate(text)) % 2**64
    total = (total ^ (total >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    total = (total ^ (total >> 27)) * 0x94D049BB133111EB % 2**64
    return total >> 61


def test_many_texts_at_once_get_the_octants_that_plain_numbers_give() -> None:
    texts = ["a", "ab", "ba", "é" * 50, "3+-4", "<xyz></xyz>", "a" * 300]
    codes = codes_of("".join(texts))
    assert octants_of(codes, np.array([len(text) for text in texts])).tolist() == [polynomial(text) for text in texts]


def test_splits_of_short_texts_have_their_shares() -> None:
    """All words of three letters: the shares are right, and neighbours are independent."""
    letters = np.array([[a, b, c] for a in range(97, 123) for b in range(97, 123) for c in range(97, 123)])
    octants = octants_of(letters.ravel(), np.full(len(letters), 3))
    np.testing.assert_allclose(np.bincount(octants.astype(int)) / len(octants), 1 / 8, atol=0.01)
    same = (octants[1:] == octants[:-1]).mean()
    assert same == pytest.approx(1 / 8, abs=0.01)
    shares = [octant_splits(split, octants).mean() for split in Split]
    np.testing.assert_allclose(shares, [0.75, 0.125, 0.125], atol=0.01)


@pytest.mark.parametrize("text", ["hello", "3+4", "<a></a>", "b"])
def test_a_text_alone_has_the_split_that_it_has_among_others(text: str) -> None:
    octant = polynomial(text)
    expected = {0: Split.VALIDATION, 1: Split.TEST}.get(octant, Split.TRAIN)
    assert split_of_text(text) is expected


@pytest.mark.parametrize("length", [1, 3, 12, 13])
def test_runs_have_equal_hashes_where_their_tokens_are_equal(length: int) -> None:
    tokens = np.array([4, 0, 7, 4, 0, 7, 4, 1, 0, 7, 4, 0], np.int32)
    hashes = runs_of(tokens, length)
    runs = [tuple(tokens[place : place + length].tolist()) for place in range(len(tokens) - length + 1)]
    assert len(hashes) == len(runs)
    assert [[a == b for b in hashes] for a in hashes] == [[a == b for b in runs] for a in runs]


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_words_in_shared_runs_are_those_of_a_plain_search(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """The texts are read in pieces, also where a run spans two of them."""
    monkeypatch.setattr(splits_module, "_PIECE", piece)
    rng = np.random.default_rng(1)
    for length in (1, 2, 4):
        own, *others = (rng.integers(3, size=count).astype(np.int32) for count in (40, 9, 2, 30))
        runs = [tuple(other[k : k + length].tolist()) for other in others for k in range(len(other) - length + 1)]
        expected = np.zeros(len(own), np.bool_)
        for place in range(len(own) - length + 1):
            if tuple(own[place : place + length].tolist()) in runs:
                expected[place : place + length] = True
        assert in_shared_runs(own, others, length).tolist() == expected.tolist()
    assert in_shared_runs(np.arange(3), [np.arange(3)], 5).tolist() == [False] * 3
