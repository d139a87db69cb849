"""Bach's four-part chorales as piano rolls, from the scores in the package `music21`."""

from __future__ import annotations

import importlib.util
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from tasks.cache import Arrays, key_of, load_or_build
from tasks.copies import groups_of
from tasks.description import Fact, Kind
from tasks.errors import TaskError
from tasks.grid_facts import COUNTS, counts_of, grid_facts, summed
from tasks.midi import MidiNotes
from tasks.piano_rolls import PACKED, Note, Pieces, packed, roll_of, steps_in_quarter, unpacked
from tasks.scores import score_parts
from tasks.splits import split_of
from tasks.task import Split

_FORMAT = "chorales 5"  # version of the cache's content; increases when the same scores give other arrays
_RUN = 12  # number of successive intervals that two settings of one tune share

Voices = list[list[Note]]  # soprano, alto, tenor, bass


def chorales(fold: int = 0, grid: str = "quarter") -> Pieces:
    """Return the chorales in three splits; the first call parses them in a few seconds and caches them.

    The pieces are the scores with exactly four parts (365 of 410 in music21 10.5), with repeats played once. Settings
    of one tune (see `tunes`) are in one split. A hash assigns an eighth of the tunes to validation, and an eighth to
    test; which ones, the fold says (`tasks.splits.split_of`). Steps are those of a grid (`tasks.piano_rolls.GRIDS`).

    Raises:
        TaskError: music21 or its scores are not installed.
    """
    return unpacked(_arrays(fold, grid))


def chorale_facts(fold: int = 0, grid: str = "quarter") -> dict[Split, tuple[Fact, ...]]:
    """Return what is known of the chorales of each split: different tunes, and what the grid drops.

    Raises:
        TaskError: music21 or its scores are not installed.
    """
    arrays = _arrays(fold, grid)
    tunes = dict(zip(Split, arrays["tunes"].tolist(), strict=True))
    facts = grid_facts(arrays, grid)
    return {split: (*facts[split], Fact("tunes", tunes[split], Kind.COUNT)) for split in Split}


def _arrays(fold: int, grid: str) -> Arrays:
    """Return the packed pieces, their counts, and in `tunes` the number of tunes of each split."""
    files = {path.stem: path for path in _score_files()}
    divided = [f"fold {fold}", f"grid {grid}"]
    key = key_of([_FORMAT, *divided, *(part for name, path in files.items() for part in (name, path.read_bytes()))])
    return load_or_build("chorales", key, (*PACKED, *COUNTS, "tunes"), lambda: _parsed(files, fold, grid))


def tunes(voices: Mapping[str, Voices]) -> dict[str, str]:
    """Return the tune of each chorale, named by the first chorale that sets it.

    Two chorales set one tune if their catalogue numbers are equal (`bwv18.5-w` and `bwv18.5-lz`), or if their sopranos
    share 12 successive intervals, taken on the beat with repeated notes merged. The comparison thus ignores key, rhythm
    and ornaments between beats. The relation is transitive.
    """
    return groups_of({name: _tune_marks(name, soprano) for name, (soprano, *_) in voices.items()})


def _tune_marks(name: str, soprano: Sequence[Note]) -> list[Hashable]:
    """Return the catalogue number of a chorale, and the runs of `_RUN` intervals of its melody."""
    intervals = _intervals(soprano)
    runs = [tuple(intervals[start : start + _RUN]) for start in range(len(intervals) - _RUN + 1)]
    return [name.partition("-")[0], *runs]


def _intervals(melody: Sequence[Note]) -> list[int]:
    """Return the intervals in semitones between successive different pitches of a melody on the beats."""
    pitches: list[int] = []
    for beat in range(int(max(note.end for note in melody)) + 1):
        for note in melody:
            if note.begin <= beat < note.end and (not pitches or pitches[-1] != note.pitch):
                pitches.append(note.pitch)
    return [after - before for before, after in pairwise(pitches)]


def _parsed(files: Mapping[str, Path], fold: int, grid: str) -> Arrays:
    scores = {name: score_parts(path) for name, path in files.items()}
    voices = {name: parts for name, parts in scores.items() if len(parts) == 4}
    pieces: Pieces = {split: [] for split in Split}
    counts: dict[Split, list[list[int]]] = {split: [] for split in Split}
    tune_of = tunes(voices)
    for name, tune in tune_of.items():
        notes = [note for part in voices[name] for note in part]
        per_quarter = steps_in_quarter(grid, notes)
        roll = roll_of(notes, name, per_quarter)
        pieces[split_of(tune, fold)].append(roll)
        counts[split_of(tune, fold)].append(counts_of(MidiNotes(notes, 0, False), roll, per_quarter))
    splits = [split_of(tune, fold) for tune in set(tune_of.values())]
    return packed(pieces) | summed(counts) | {"tunes": np.array([splits.count(split) for split in Split], np.int64)}


def _score_files() -> list[Path]:
    package = importlib.util.find_spec("music21")
    if package is None or package.origin is None:
        raise TaskError(
            "the music task reads the scores of the package 'music21', which is not installed; run: pip install music21"
        )
    folder = Path(package.origin).parent / "corpus" / "bach"
    files = sorted(path for path in folder.glob("bwv*") if path.suffix in (".mxl", ".xml"))
    if not files:
        raise TaskError("the package 'music21' is installed without Bach's scores; run: pip install music21")
    return files
