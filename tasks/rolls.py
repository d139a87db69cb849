"""Piano rolls: which of a piano's 88 keys sound at each step.

Dimension letters: T steps of a piece (one a quarter note), B columns of a batch, W = 88 keys, A0 to C8.
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
LONGEST = 100_000  # steps of a piece
_FINEST = 12  # times are rounded to this part of a quarter note, so that sloppy ones fall on the beat

Roll = npt.NDArray[np.uint8]  # (T, W) of 0 and 1
Pieces = dict[Split, list[Roll]]
PACKED = tuple(name for split in Split for name in (split.value, f"{split}_lengths"))  # names of `packed` arrays

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Note(NamedTuple):
    """A sounding note; times in quarter notes from the beginning."""

    pitch: int  # MIDI number
    begin: float
    end: float


def pitch_name(key: int) -> str:
    """Name of a piano key, 0 is A0 and 87 C8."""
    octave, tone = divmod(key + LOWEST, 12)
    return f"{_NAMES[tone]}{octave - 1}"


def roll_of(notes: Iterable[Note], source: str) -> Roll:
    """The notes that sound at the beginning of each quarter note, from the first one that sounds to the last.

    A note that begins right there sounds, one that ends there does not; shorter ones between two beats are lost.
    Pitches that a piano has not are left out.

    Raises:
        TaskError: no note sounds on a beat, or the piece, called `source`, is too long.
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
    """The first whole quarter note at or after a time."""
    return -(-round(time * _FINEST) // _FINEST)


def roll_windows(pieces: Sequence[Roll], batch: int, steps: int) -> Iterator[Batch]:
    """Walk at most `batch` pieces side by side, from a zero state; each step is predicted from those before.

    Step t reads the roll of step t - 1, and silence at the first one, so that every step of a piece is predicted
    and counts (as in Boulanger-Lewandowski et al. 2012). Shorter pieces, and missing ones, are filled up with
    silence that does not count.
    """
    length = max(len(piece) for piece in pieces)
    for begin in range(0, length, steps):
        # Window by window: the whole of one long piece beside many short ones may not fit in memory.
        end, first = min(begin + steps, length), max(begin - 1, 0)
        rolls = np.zeros((end - begin + 1, batch, KEYS), np.float32)  # from the step before the window to its last
        loss_mask = np.zeros((end - begin, batch), np.float32)
        for column, piece in enumerate(pieces):
            part = piece[first:end]
            rolls[first + 1 - begin : first + 1 - begin + len(part), column] = part
            loss_mask[: max(len(piece) - begin, 0), column] = 1.0
        yield Batch(
            inputs=rolls[:-1],
            targets=rolls[1:].copy(),  # or who writes into it would change the next inputs
            loss_mask=loss_mask,
            starts=begin == 0,
        )


def packed(pieces: Pieces) -> Arrays:
    """Plain arrays of pieces, for the cache: all steps of a split in a row, and the lengths."""
    arrays: Arrays = {}
    for split, rolls in pieces.items():
        arrays[split.value] = np.concatenate(rolls)
        arrays[f"{split}_lengths"] = np.array([len(roll) for roll in rolls], np.int64)
    return arrays


def unpacked(arrays: Arrays) -> Pieces:
    """The pieces of `packed` arrays."""
    return {split: np.split(arrays[split], np.cumsum(arrays[f"{split}_lengths"])[:-1]) for split in Split}
