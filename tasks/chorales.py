"""Bach's four-part chorales as piano rolls, from the scores in the package `music21`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from tasks.cache import Arrays, key_of, load_or_build
from tasks.errors import TaskError
from tasks.piano_rolls import PACKED, Note, Pieces, packed, roll_of, unpacked
from tasks.scores import score_parts
from tasks.splits import split_of
from tasks.task import Split

_FORMAT = "chorales 2"  # version of the cache's content; increases when the same scores give other arrays
_RUN = 12  # number of successive intervals that two settings of one tune share

Voices = list[list[Note]]  # soprano, alto, tenor, bass


def chorales(fold: int = 0) -> Pieces:
    """Return the chorales in three splits; the first call parses them in a few seconds and caches them.

    The pieces are the scores with exactly four parts (365 of 410 in music21 10.5), with repeats played once. Settings
    of one tune (see `tunes`) are in one split. A hash assigns an eighth of the tunes to validation, and an eighth to
    test; which ones, the fold says (`tasks.splits.split_of`).

    Raises:
        TaskError: music21 or its scores are not installed.
    """
    return unpacked(_arrays(fold))


def chorale_tunes(fold: int = 0) -> dict[Split, int]:
    """Return the number of different tunes of the chorales in each split.

    Raises:
        TaskError: music21 or its scores are not installed.
    """
    return dict(zip(Split, _arrays(fold)["tunes"].tolist(), strict=True))


def _arrays(fold: int) -> Arrays:
    """Return the packed pieces, and in `tunes` the number of tunes of each split."""
    files = {path.stem: path for path in _score_files()}
    divided = [f"fold {fold}"] if fold else []
    key = key_of([_FORMAT, *divided, *(part for name, path in files.items() for part in (name, path.read_bytes()))])
    return load_or_build("chorales", key, (*PACKED, "tunes"), lambda: _parsed(files, fold))


def tunes(voices: Mapping[str, Voices]) -> dict[str, str]:
    """Return the tune of each chorale, named by the first chorale that sets it.

    Two chorales set one tune if their catalogue numbers are equal (`bwv18.5-w` and `bwv18.5-lz`), or if their sopranos
    share 12 successive intervals, taken on the beat with repeated notes merged. The comparison thus ignores key, rhythm
    and ornaments between beats. The relation is transitive.
    """
    first: dict[object, str] = {}
    tune = {name: name for name in voices}

    def root(name: str) -> str:
        while tune[name] != name:
            name = tune[name]
        return name

    for name, (soprano, *_) in sorted(voices.items()):
        intervals = _intervals(soprano)
        marks: list[object] = [name.partition("-")[0]]
        marks += [tuple(intervals[start : start + _RUN]) for start in range(len(intervals) - _RUN + 1)]
        for mark in marks:
            a, b = root(first.setdefault(mark, name)), root(name)
            tune[max(a, b)] = min(a, b)
    return {name: root(name) for name in voices}


def _intervals(melody: Sequence[Note]) -> list[int]:
    """Return the intervals in semitones between successive different pitches of a melody on the beats."""
    pitches: list[int] = []
    for beat in range(int(max(note.end for note in melody)) + 1):
        for note in melody:
            if note.begin <= beat < note.end and (not pitches or pitches[-1] != note.pitch):
                pitches.append(note.pitch)
    return [after - before for before, after in pairwise(pitches)]


def _parsed(files: Mapping[str, Path], fold: int) -> Arrays:
    scores = {name: score_parts(path) for name, path in files.items()}
    voices = {name: parts for name, parts in scores.items() if len(parts) == 4}
    pieces: Pieces = {split: [] for split in Split}
    tune_of = tunes(voices)
    for name, tune in tune_of.items():
        notes = [note for part in voices[name] for note in part]
        pieces[split_of(tune, fold)].append(roll_of(notes, name))
    splits = [split_of(tune, fold) for tune in set(tune_of.values())]
    return packed(pieces) | {"tunes": np.array([splits.count(split) for split in Split], np.int64)}


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
