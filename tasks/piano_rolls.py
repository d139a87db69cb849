"""Piano rolls: the sounding keys of a piano at each step.

Dimension letters: T steps of a piece (quarter notes), B columns of a batch, W = 88 keys, A0 to C8.
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
_FINEST = 12  # times are rounded to 1/12 quarter note, so that imprecise ones fall on the beat

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


def roll_of(notes: Iterable[Note], source: str) -> Roll:
    """Return the piano roll of notes: those that sound on each beat (quarter note), from the first to the last.

    A note that begins on a beat sounds there; one that ends on it does not. A note between two beats, and pitches that
    a piano does not have, are left out.

    Args:
        notes: the notes of a piece, in any order.
        source: name of the piece, for messages.

    Raises:
        TaskError: no note sounds on a beat, or the piece is too long.
    """
    spans = [
        (note.pitch - LOWEST, _first_beat(note.begin), _first_beat(note.end))
        for note in notes
        if 0 <= note.pitch - LOWEST < KEYS
    ]
    spans = [(key, begin, end) for key, begin, end in spans if end > begin]
    if not spans:
        raise TaskError(f"{source} has no note of a piano on any beat; leave it out")
    first, last = min(begin for _, begin, _ in spans), max(end for _, _, end in spans)
    if last - first > LONGEST:
        raise TaskError(f"{source} has {last - first:,} quarter notes; the limit is {LONGEST:,}, so cut it")
    roll = np.zeros((last - first, KEYS), np.uint8)
    for key, begin, end in spans:
        roll[begin - first : end - first, key] = 1
    return roll


def _first_beat(time: float) -> int:
    """Return the first whole quarter note at or after a time."""
    return -(-round(time * _FINEST) // _FINEST)


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
