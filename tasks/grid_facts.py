"""Facts of piano rolls made from notes: what the grid drops and merges, and how fine it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tasks.cache import Arrays
from tasks.description import Fact, Kind
from tasks.midi import MidiNotes
from tasks.piano_rolls import BY_FILE, FINEST_GRID, GRIDS, Roll, longest_silence, losses_of
from tasks.task import Split

COUNTS = tuple(f"{split}_counts" for split in Split)
"""Names of the arrays of `summed`."""

MANY_DROPPED = 0.3
"""Share of the notes that the grid drops, above which a task is warned about; the chorales' quarter grid drops 0.20."""

LONG_SILENCE = 128
"""Quarter notes of silence within a piece, above which a task is warned about; steps where the grid is not known."""

_NOTES, _DROPPED, _MERGED, _OUTSIDE, _PERCUSSION, _MENDED, _ELSEWHERE, _OPEN, _LEAST, _MOST, _SILENCE = range(11)


def counts_of(midi: MidiNotes, roll: Roll, per_quarter: int) -> list[int]:
    """Return the counts of a piece: its losses (`losses_of`), what was mended in its file, its grid, its silence."""
    silence = longest_silence(roll) // per_quarter
    mended = int(midi.mended), midi.elsewhere, midi.open
    return [*losses_of(midi.notes, per_quarter, midi.percussion), *mended, per_quarter, per_quarter, silence]


def summed(counts: Mapping[Split, Sequence[Sequence[int]]]) -> Arrays:
    """Return the counts of all pieces of each split for the cache: sums, and the extremes of grids and silence."""
    found: Arrays = {}
    for split, rows in counts.items():
        table = np.array(rows, np.int64).reshape(len(rows), -1)
        least, most = table.min(axis=0), table.max(axis=0)
        found[f"{split}_counts"] = np.concatenate(
            [table.sum(axis=0)[:_LEAST], least[[_LEAST]], most[[_MOST, _SILENCE]]]
        )
    return found


def silence_fact(longest: int, unit: str) -> Fact:
    """Return the fact of the longest silence within a piece, in steps or quarter notes."""
    remedy = "cut it out, or leave out the piece that has it"
    return Fact(f"{unit} in the longest silence", longest, Kind.COUNT, LONG_SILENCE, remedy)


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
        silence_fact(count(_SILENCE), "quarter notes"),
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
    if somewhere(_ELSEWHERE):
        facts.append(Fact("notes that another track or all notes off ended", count(_ELSEWHERE), Kind.COUNT))
    if somewhere(_OPEN):
        remedy = "each sounds to the end of its track; look whether releases are missing"
        facts.append(Fact("notes that are never released", count(_OPEN), Kind.COUNT, 0, remedy))
    if grid == BY_FILE:
        facts.append(Fact("steps in a quarter note, least", count(_LEAST), Kind.COUNT))
        facts.append(Fact("steps in a quarter note, most", count(_MOST), Kind.COUNT))
    return facts
