"""Pieces of a user's folder of MIDI files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.cache import Arrays, key_of, load_or_build
from tasks.copies import onset_mark, roll_mark, splits_of
from tasks.description import Fact
from tasks.errors import TaskError
from tasks.folders import division_of, files_of, read_each, read_file, unread_fact, unusable
from tasks.grid_facts import COUNTS, counts_of, grid_facts, summed
from tasks.midi import MidiNotes, read_midi
from tasks.piano_rolls import PACKED, Pieces, Roll, packed, roll_of, steps_in_quarter, unpacked
from tasks.task import Split

LARGEST_FILE = 10_000_000  # bytes

_FORMAT = "midi 4"  # version of the cache's content; increases when the same files give other piano rolls
_SUFFIXES = (".mid", ".midi")


def midi_pieces(folder: Path, grid: str) -> tuple[Pieces, dict[Split, tuple[Fact, ...]]]:
    """Return the pieces of a folder's MIDI files, and what is known of each split; parsed data are cached.

    The folders `train`, `valid` and `test` (`tasks.folders.division_of`) give the splits. Without them, a hash of the
    content assigns an eighth of the pieces to validation and an eighth to test; copies of a piece
    (`tasks.copies.splits_of`) are in one split.

    Raises:
        TaskError: a split has no file, or files cannot be used; all of them are named.
    """
    everything = files_of(folder)
    files = [path for path in everything if path.suffix.lower() in _SUFFIXES]
    division = division_of(folder, files)
    beside = set(division.beside) if division is not None else set()
    used = [path for path in files if path not in beside]
    _check_splits(folder, {split: len(paths) for split, paths in division.files.items()} if division else None, files)
    contents, errors = read_each(used, lambda path: read_file(path, LARGEST_FILE))
    if errors:  # name those that are damaged in the same message
        _, damaged = read_each(contents, lambda path: _read(path, contents[path], grid))
        raise unusable(folder, len(used), {path: (errors | damaged)[path] for path in used if path in errors | damaged})
    owners = {path: split for split, paths in division.files.items() for path in paths} if division else {}
    parts = [part for path in used for part in (owners.get(path, "by content"), contents[path])]

    def build() -> Arrays:
        return _parsed(folder, contents, owners, grid)

    arrays = load_or_build("midi", key_of([_FORMAT, grid, *parts]), (*PACKED, *COUNTS), build)
    facts = grid_facts(arrays, grid)
    left = sorted(set(everything) - set(used))
    why = "they lie beside the folders of the splits, or are no .mid files" if division else "they are no .mid files"
    facts[Split.TRAIN] += unread_fact(folder, left, why)
    return unpacked(arrays), facts


def _parsed(folder: Path, contents: Mapping[Path, bytes], owners: Mapping[Path, Split], grid: str) -> Arrays:
    read_files, errors = read_each(contents, lambda path: _read(path, contents[path], grid))
    if errors:
        raise unusable(folder, len(contents), errors)
    if not owners:
        names = {str(path): path for path in contents}
        marks = {}
        for name, path in names.items():
            midi, _, roll = read_files[path]
            marks[name] = [f"onsets {onset_mark(midi.notes)}", f"roll {roll_mark(roll)}"]
        splits = splits_of(marks)
        owners = {path: splits[name] for name, path in names.items()}
        counts = {split: list(owners.values()).count(split) for split in Split}
        _check_splits(folder, counts, list(contents), len({tuple(own) for own in marks.values()}))
    pieces: Pieces = {split: [] for split in Split}
    rows: dict[Split, list[list[int]]] = {split: [] for split in Split}
    for path, (midi, per_quarter, roll) in read_files.items():
        pieces[owners[path]].append(roll)
        rows[owners[path]].append(counts_of(midi, roll, per_quarter))
    return packed(pieces) | summed(rows)


def _read(path: Path, data: bytes, grid: str) -> tuple[MidiNotes, int, Roll]:
    midi = read_midi(data, repr(str(path)))
    per_quarter = steps_in_quarter(grid, midi.notes)
    return midi, per_quarter, roll_of(midi.notes, repr(str(path)), per_quarter)


def _check_splits(
    folder: Path, counts: Mapping[Split, int] | None, files: list[Path], different: int | None = None
) -> None:
    """Raise `TaskError` if a split has no file."""
    missing = next((split for split in Split if not (files if counts is None else counts[split])), None)
    if missing is None:
        return
    among = f" among {len(files):,} ({different:,} different)" if different is not None else ""
    raise TaskError(
        f"data = {str(folder)!r} has no .mid file for {missing}{among}; put some into subfolders train, valid and test"
    )
