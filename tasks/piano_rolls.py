"""Piano rolls: the sounding keys of a piano at each step.

A step is a quarter note, or a part of one: `GRIDS` names the choices.

Dimension letters: T steps of a piece, B columns of a batch, W = 88 keys, A0 to C8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.cache import Arrays
from tasks.errors import TaskError
from tasks.task import Batch, Split

KEYS = 88
LOWEST = 21  # MIDI number of A0
LONGEST = 100_000  # largest number of steps of a piece
GRIDS = {"quarter": 1, "eighth": 2, "sixteenth": 4}
"""Steps in a quarter note, by the name of the grid."""

BY_FILE = "file"
"""Name of the grid that each file's notes choose (`fitting_grid`)."""

FINEST_GRID = 48
"""Largest number of steps in a quarter note."""

_PARTS = 12  # times are rounded to 1/12 of a step, so that imprecise ones fall on it

Roll = npt.NDArray[np.uint8]  # (T, W) of 0 and 1
Pieces = dict[Split, list[Roll]]
PACKED = tuple(name for split in Split for name in (split.value, f"{split}_lengths"))  # names of arrays of `packed`

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Note(NamedTuple):
    """Note with its times in quarter notes from the beginning."""

    pitch: int  # MIDI number
    begin: float
    end: float


def pitch_name(key: int) -> str:
    """Return the name of a piano key; 0 is A0, and 87 is C8."""
    octave, tone = divmod(key + LOWEST, 12)
    return f"{_NAMES[tone]}{octave - 1}"


class Losses(NamedTuple):
    """Numbers of notes that a piano roll does not have, or does not tell from others.

    Attributes:
        notes: all notes, percussion left out.
        dropped: those between two steps of the grid.
        merged: those that begin while, or just when, another note of their key ends in the roll.
        outside: those that a piano does not have.
        percussion: notes of percussion, which are no pitches.
    """

    notes: int
    dropped: int
    merged: int
    outside: int
    percussion: int = 0


def roll_of(notes: Iterable[Note], source: str, per_quarter: int = 1) -> Roll:
    """Return the piano roll of notes: those that sound at each step, from the first to the last.

    A note that begins on a step sounds there; one that ends on it does not. A note between two steps, and pitches that
    a piano does not have, are left out; `losses_of` counts them.

    Args:
        notes: the notes of a piece, in any order.
        source: name of the piece, for messages.
        per_quarter: steps in a quarter note.

    Raises:
        TaskError: no note sounds on a step, or the piece is too long.
    """
    spans = [span for span in _spans(notes, per_quarter) if span[2] > span[1]]
    if not spans:
        where = "on any beat" if per_quarter == 1 else f"on any step of 1/{per_quarter} quarter note"
        raise TaskError(f"{source} has no note of a piano {where}; leave it out")
    first, last = min(begin for _, begin, _ in spans), max(end for _, _, end in spans)
    if last - first > LONGEST:
        unit = "quarter notes" if per_quarter == 1 else f"steps of 1/{per_quarter} quarter note"
        raise TaskError(f"{source} has {last - first:,} {unit}; the limit is {LONGEST:,}, so cut it")
    roll = np.zeros((last - first, KEYS), np.uint8)
    for key, begin, end in spans:
        roll[begin - first : end - first, key] = 1
    return roll


def losses_of(notes: Sequence[Note], per_quarter: int = 1, percussion: int = 0) -> Losses:
    """Return how many notes the roll of `roll_of` lacks or merges."""
    spans = sorted(_spans(notes, per_quarter))
    dropped = merged = 0
    until: dict[int, int] = {}
    for key, begin, end in spans:
        if end <= begin:
            dropped += 1
            continue
        merged += begin <= until.get(key, begin - 1)
        until[key] = max(end, until.get(key, end))
    return Losses(len(notes), dropped, merged, len(notes) - len(spans), percussion)


def fitting_grid(notes: Iterable[Note]) -> int:
    """Return the smallest number of steps in a quarter note with which all notes of a piano begin on a step.

    It is `FINEST_GRID` if there is none up to it.
    """
    begins = np.array([note.begin for note in notes if 0 <= note.pitch - LOWEST < KEYS])
    for per_quarter in range(1, FINEST_GRID):
        if not np.any(np.rint(begins * (per_quarter * _PARTS)) % _PARTS):
            return per_quarter
    return FINEST_GRID


def steps_in_quarter(grid: str, notes: Iterable[Note]) -> int:
    """Return the steps in a quarter note of a piece: those of a grid of `GRIDS`, or those that its notes need."""
    return fitting_grid(notes) if grid == BY_FILE else GRIDS[grid]


def longest_silence(roll: Roll) -> int:
    """Return the largest number of successive steps without a note."""
    sounding = np.flatnonzero(roll.any(axis=1))
    return int(np.diff(np.concatenate([[-1], sounding, [len(roll)]])).max()) - 1


def _spans(notes: Iterable[Note], per_quarter: int) -> list[tuple[int, int, int]]:
    """Return key, first step and end of each note of a piano; a note between two steps ends where it begins."""
    return [
        (note.pitch - LOWEST, _first_step(note.begin, per_quarter), _first_step(note.end, per_quarter))
        for note in notes
        if 0 <= note.pitch - LOWEST < KEYS
    ]


def _first_step(time: float, per_quarter: int) -> int:
    """Return the first step at or after a time in quarter notes."""
    return -(-round(time * (per_quarter * _PARTS)) // _PARTS)


def roll_windows(pieces: Sequence[Roll], batch: int, steps: int) -> Iterator[Batch]:
    """Yield windows over at most `batch` pieces, one per column, from a zero state.

    The input of a step is the previous step, and silence at the first one, so that every step of a piece is predicted
    (as in Boulanger-Lewandowski et al. 2012). Shorter and missing pieces are padded with silence outside the loss mask.
    """
    length = max(len(piece) for piece in pieces)
    for begin in range(0, length, steps):
        # Window by window: one long piece in a batch of short ones, padded as a whole, may not fit in memory.
        end, first = min(begin + steps, length), max(begin - 1, 0)
        rolls = np.zeros((end - begin + 1, batch, KEYS), np.float32)  # from the step before the window to its last step
        loss_mask = np.zeros((end - begin, batch), np.float32)
        for column, piece in enumerate(pieces):
            part = piece[first:end]
            rolls[first + 1 - begin : first + 1 - begin + len(part), column] = part
            loss_mask[: max(len(piece) - begin, 0), column] = 1.0
        yield Batch(
            inputs=rolls[:-1],
            targets=rolls[1:].copy(),  # a view would let a caller that writes to it change the inputs
            loss_mask=loss_mask,
            starts=begin == 0,
        )


def packed(pieces: Pieces) -> Arrays:
    """Return pieces as plain arrays for the cache: the concatenated steps of each split, and the lengths."""
    arrays: Arrays = {}
    for split, rolls in pieces.items():
        arrays[split.value] = np.concatenate(rolls)
        arrays[f"{split}_lengths"] = np.array([len(roll) for roll in rolls], np.int64)
    return arrays


def unpacked(arrays: Arrays) -> Pieces:
    """Return the pieces of arrays from `packed`."""
    return {split: np.split(arrays[split], np.cumsum(arrays[f"{split}_lengths"])[:-1]) for split in Split}
