"""Assignment of samples, tunes and files to splits by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.task import Split

_PRIME = np.uint64(0x100000001B3)  # odd, so that no power of it is 0 modulo 2**64
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

_PIECE = 4_000_000  # tokens
_TABLE_BITS = 24
_TABLE_MASK = np.uint64((1 << _TABLE_BITS) - 1)

FOLDS = 4
"""Number of ways to divide a data set of the project's own; no two of them have validation or test data in common."""


def split_of(key: str, fold: int = 0) -> Split:
    """Return the split of a key by its hash: an eighth of all keys is validation, an eighth test.

    Args:
        key: name of a sample, tune or file.
        fold: which eighths these are, below `FOLDS`.
    """
    octant = hashlib.blake2b(key.encode(), digest_size=1).digest()[0] >> 5
    held_out = {2 * fold: Split.VALIDATION, 2 * fold + 1: Split.TEST}
    return held_out.get(octant, Split.TRAIN)


def trains_little(trained: Sequence[int], held_out: Sequence[int]) -> bool:
    """Return whether training gets less than half of the data that its share of the sequences implies.

    Args:
        trained: lengths of the sequences of training.
        held_out: lengths of the others.
    """
    count, whole = len(trained) + len(held_out), sum(trained) + sum(held_out)
    return 2 * sum(trained) * count < len(trained) * whole


def hashes_of(characters: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return a hash of 64 bits for each of many texts, (N,).

    The hash is a polynomial of the character codes in a prime, modulo 2**64, followed by the last steps of SplitMix64
    (Steele, Lea and Flood 2014). A cryptographic hash of each text would take longer than drawing the texts.

    Args:
        characters: character codes of the concatenated texts, (L,).
        lengths: lengths of the texts, (N,).
    """
    longest = int(lengths.max(initial=1))
    powers = np.cumprod(np.full(longest, _PRIME))
    numbers = characters.astype(np.uint64) + np.uint64(1)
    if len(characters) == longest * len(lengths):
        mixed = (numbers.reshape(-1, longest) * powers).sum(axis=1)
    else:
        begins = np.cumsum(lengths) - lengths
        mixed = np.add.reduceat(numbers * powers[np.arange(len(characters)) - np.repeat(begins, lengths)], begins)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    found: npt.NDArray[np.uint64] = mixed
    return found


def runs_of(tokens: npt.NDArray[Any], length: int) -> npt.NDArray[np.uint64]:
    """Return a hash of each run of `length` successive tokens, (L - length + 1,); none if there are fewer tokens.

    The hash is the polynomial of the prime whose coefficients are the tokens, modulo 2**64.
    """
    if len(tokens) < length:
        return np.zeros(0, np.uint64)
    # By doubling: the hash of a run is that of its first half and, times a power, that of its second.
    found = (tokens.astype(np.uint64) + np.uint64(1)) * _PRIME
    done = 1
    for bit in f"{length:b}"[1:]:
        found = found[:-done] + found[done:] * _power(done)
        done *= 2
        if bit == "1":
            last = (tokens[done:].astype(np.uint64) + np.uint64(1)) * _power(done + 1)
            found = found[: len(last)] + last
            done += 1
    return found


def _power(exponent: int) -> np.uint64:
    """Return a power of the prime modulo 2**64."""
    return np.uint64(pow(int(_PRIME), exponent, 1 << 64))


def in_shared_runs(tokens: npt.NDArray[Any], others: Iterable[npt.NDArray[Any]], length: int) -> npt.NDArray[np.bool_]:
    """Return whether each token is in a run of `length` successive tokens that is also in one of the other texts, (L,).

    The others are read in pieces, since the hashes of a long text take several times its memory.
    """
    own = runs_of(tokens, length)
    # Few runs are shared as a rule, so a table of the last bits of the hashes finds those that are worth sorting.
    table = np.zeros(1 << _TABLE_BITS, np.bool_)
    table[own & _TABLE_MASK] = True
    found = np.zeros(len(own), np.bool_)
    for other in others:
        for begin in range(0, len(other), _PIECE):
            hashes = runs_of(other[begin : begin + _PIECE + length - 1], length)
            found |= np.isin(own, np.unique(hashes[table[hashes & _TABLE_MASK]]))
    edges = np.zeros(len(tokens) + 1, np.int64)
    begins = np.flatnonzero(found)
    np.add.at(edges, begins, 1)
    np.add.at(edges, begins + length, -1)
    inside: npt.NDArray[np.bool_] = np.cumsum(edges[:-1]) > 0
    return inside


def octants_of(characters: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return the first three bits of `hashes_of`, 0 to 7, for each of many texts, (N,)."""
    octants: npt.NDArray[np.uint64] = hashes_of(characters, lengths) >> np.uint64(61)
    return octants


def octant_splits(split: Split, octants: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return whether each octant belongs to a split: an eighth of all is validation, an eighth test."""
    wanted = np.zeros(8, np.bool_)
    wanted[{Split.TRAIN: slice(2, 8), Split.VALIDATION: slice(0, 1), Split.TEST: slice(1, 2)}[split]] = True
    found: npt.NDArray[np.bool_] = wanted[octants]
    return found


def codes_of(text: str) -> npt.NDArray[np.uint32]:
    """Return the character codes of a text."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
