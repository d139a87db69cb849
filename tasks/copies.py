"""Copies of pieces of music: marks that are equal for copies, and groups of pieces that share a mark.

A copy may have another name, tempo, division of the quarter note, order of tracks or loudness, another key, shorter or
longer notes, or times that differ by less than the grid of 1/48 quarter note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.piano_rolls import FINEST_GRID, Note, Pieces, Roll
from tasks.splits import split_of
from tasks.task import Split

_LEAST = 12  # successive chords from which pieces that differ by a transposition are copies


def onset_mark(notes: Sequence[Note]) -> str:
    """Return a checksum of the pitches that begin together and their times; transposition changes that of short pieces.

    Short pieces are alike by chance: any two single notes differ by a transposition.
    """
    first = min((note.begin for note in notes), default=0.0)
    onsets = sorted({(round((note.begin - first) * FINEST_GRID), note.pitch) for note in notes})
    table = np.array(onsets, np.int64).reshape(-1, 2)
    if len(np.unique(table[:, 0])) >= _LEAST:
        table[:, 1] -= table[:, 1].min()
    return _digest(table)


def roll_mark(roll: Roll) -> str:
    """Return a checksum of the keys that sound together; transposition changes that of short pieces."""
    keys = np.flatnonzero(roll.any(axis=0))
    if np.count_nonzero(np.any(roll[1:] != roll[:-1], axis=1)) + 1 >= _LEAST:
        roll = roll[:, keys[0] : keys[-1] + 1]
    return _digest(roll)


def groups_of(marks: Mapping[str, Iterable[Hashable]]) -> dict[str, str]:
    """Return the group of each piece, named by its first piece in alphabetical order.

    Two pieces are in one group if they share a mark, or each shares one with a third.
    """
    first: dict[Hashable, str] = {}
    group = {name: name for name in marks}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for name, own in sorted(marks.items()):
        for mark in own:
            a, b = root(first.setdefault(mark, name)), root(name)
            group[max(a, b)] = min(a, b)
    return {name: root(name) for name in marks}


def splits_of(marks: Mapping[str, Sequence[str]]) -> dict[str, Split]:
    """Return the split of each piece by a hash of its content: copies are in one split, whatever their names.

    Args:
        marks: marks of each piece by its name.
    """
    groups = groups_of(marks)
    keys: dict[str, str] = {}
    for name, group in groups.items():
        keys[group] = min([*marks[name], *([keys[group]] if group in keys else [])])
    return {name: split_of(keys[group]) for name, group in groups.items()}


def repeated_pieces(pieces: Pieces) -> dict[Split, list[bool]]:
    """Return for each piece whether a copy of it is in another split."""
    marks = {split: [roll_mark(roll) for roll in rolls] for split, rolls in pieces.items()}
    elsewhere = {split: {mark for other in Split if other is not split for mark in marks[other]} for split in Split}
    return {split: [mark in elsewhere[split] for mark in own] for split, own in marks.items()}


def _digest(table: npt.NDArray[Any]) -> str:
    digest = hashlib.blake2b(repr(table.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()
