"""Facts of piano rolls made from notes: what the grid drops and merges, and how fine it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tasks.cache import Arrays
from tasks.description import Fact, Kind
from tasks.piano_rolls import BY_FILE, FINEST_GRID, GRIDS, Note, losses_of
from tasks.task import Split

COUNTS = tuple(f"{split}_counts" for split in Split)
"""Names of the arrays of `summed`."""

MANY_DROPPED = 0.3
"""Share of the notes that the grid drops, above which a task is warned about; the chorales' quarter grid drops 0.24."""

_NOTES, _DROPPED, _MERGED, _OUTSIDE, _PERCUSSION, _MENDED, _LEAST, _MOST = range(8)


def counts_of(notes: Sequence[Note], per_quarter: int, percussion: int = 0, mended: bool = False) -> list[int]:
    """Return the counts of a piece: its losses (`losses_of`), whether its file was mended, and its grid."""
    return [*losses_of(notes, per_quarter, percussion), int(mended), per_quarter, per_quarter]


def summed(counts: Mapping[Split, Sequence[Sequence[int]]]) -> Arrays:
    """Return the counts of all pieces of each split for the cache: sums, and the range of the grids."""
    found: Arrays = {}
    for split, rows in counts.items():
        table = np.array(rows, np.int64).reshape(len(rows), -1)
        found[f"{split}_counts"] = np.concatenate(
            [table[:, :_LEAST].sum(axis=0), [table[:, _LEAST].min()], [table[:, _MOST].max()]]
        )
    return found


def _finer(grid: str) -> list[str]:
    names = list(GRIDS)
    return [*names[names.index(grid) + 1 :], BY_FILE]


def grid_facts(arrays: Arrays, grid: str) -> dict[Split, tuple[Fact, ...]]:
    """Return the facts of each split from the counts of `summed`. Rare ones, where a count is not 0 in any split."""
    return {split: tuple(_facts(arrays, split, grid)) for split in Split}


def _facts(arrays: Arrays, split: Split, grid: str) -> list[Fact]:
    def count(which: int) -> int:
        return int(arrays[f"{split}_counts"][which])

    def somewhere(which: int) -> bool:
        return any(arrays[name][which] for name in COUNTS)

    notes = max(count(_NOTES), 1)
    finer = f"they are shorter than 1/{FINEST_GRID} quarter note; leave out the pieces that have them"
    if grid != BY_FILE:
        finer = f"set the option grid, now {grid}, to {' or '.join(_finer(grid))}"
    facts = [
        Fact("notes", count(_NOTES), Kind.COUNT),
        Fact("notes dropped by the grid", count(_DROPPED), Kind.COUNT),
        Fact("of the notes dropped by the grid", count(_DROPPED) / notes, Kind.SHARE, MANY_DROPPED, finer),
        Fact("notes merged with the one before", count(_MERGED), Kind.COUNT),
    ]
    if somewhere(_OUTSIDE):
        facts.append(Fact("notes that a piano does not have, left out", count(_OUTSIDE), Kind.COUNT))
    if somewhere(_PERCUSSION):
        facts.append(Fact("percussion notes, left out", count(_PERCUSSION), Kind.COUNT))
    if somewhere(_MENDED):
        facts.append(Fact("files with wrong lengths, read nevertheless", count(_MENDED), Kind.COUNT))
    if grid == BY_FILE:
        facts.append(Fact("steps in a quarter note, least", count(_LEAST), Kind.COUNT))
        facts.append(Fact("steps in a quarter note, most", count(_MOST), Kind.COUNT))
    return facts
