"""Music task: prediction of the next chord of polyphonic music."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tasks.cache import key_of, load_or_build
from tasks.chorales import chorale_tunes, chorales
from tasks.description import Description, Fact, Kind, package_source, reading
from tasks.errors import TaskError
from tasks.matlab import matlab_pieces
from tasks.midi import midi_notes
from tasks.parameters import check_fold
from tasks.piano_rolls import KEYS, LONGEST, PACKED, Pieces, packed, pitch_name, roll_of, roll_windows, unpacked
from tasks.splits import split_of
from tasks.task import NATS_PER_STEP, Batch, Output, Split, Task

LARGEST_MIDI_FILE = 10_000_000  # bytes

_FORMAT = "midi 1"  # version of the cache's content; increases when the same files give other piano rolls
_FOLDERS = {Split.TRAIN: "train", Split.VALIDATION: "valid", Split.TEST: "test"}


@dataclass(frozen=True, kw_only=True)
class Music(Task):
    """Prediction of the sounding keys out of 88 at each quarter note; the loss mask covers every step of a piece.

    The metric is that of Boulanger-Lewandowski et al. 2012, used in Jozefowicz et al. 2015: the negative log-likelihood
    per step in nats, summed over 88 independent sigmoids.

    The music is Bach's four-part chorales in the package `music21`, with all settings of a tune in one split
    (`tasks.chorales`). With `data`, it is a `.mat` file with `traindata`, `validdata` and `testdata`, a folder with one
    such file, or a folder of MIDI files in subfolders `train`, `valid` and `test`. Without subfolders, a hash of the
    file's name assigns an eighth of the files to validation, and an eighth to test.

    Parameters: `data` is the file or folder. `fold`, 0 to 3, divides the chorales in another way: what is validation or
    test in one fold is training data in the others.

    A batch is pieces of similar length, from a zero state that is carried over between their windows. Shorter pieces
    are padded with steps outside the loss mask. In training, each pass draws new batches; some pieces are repeated to
    fill the last batch.

    Raises:
        TaskError: a file is unusable, or music21 or its scores are not installed.
    """

    name = "music"
    metric = NATS_PER_STEP
    output = Output.MULTI_LABEL
    summary = "chords of Bach's chorales (or MIDI or .mat files); negative log-likelihood per step"

    data: str | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        if self.data is not None and not isinstance(self.data, str | Path):
            raise TaskError(f"task 'music': data = {self.data!r}, but it must be the path of a file or folder")
        check_fold(self.name, self.fold, self.data)
        _ = self._pieces  # read here, so that a bad file is an error before any worker starts

    @property
    def output_size(self) -> int:
        return KEYS

    def label(self, index: int) -> str:
        return pitch_name(index)

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        pieces = self._pieces[Split.TRAIN]
        lengths = np.array([len(piece) for piece in pieces], np.float64)
        while True:
            chosen = np.append(rng.permutation(len(pieces)), rng.integers(len(pieces), size=-len(pieces) % batch))
            chosen = chosen[np.argsort(lengths[chosen] * rng.uniform(0.9, 1.1, len(chosen)), kind="stable")]
            for group in rng.permutation(chosen.reshape(-1, batch)):
                yield from roll_windows([pieces[number] for number in group], batch, steps)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        pieces = sorted(self._pieces[split], key=len)
        for begin in range(0, len(pieces), batch):
            yield from roll_windows(pieces[begin : begin + batch], batch, steps)

    def describe(self) -> dict[Split, Description]:
        source = package_source("music21") if self.data is None else str(self.data)
        tunes = chorale_tunes(self.fold) if self.data is None else None
        readings = {split: reading(self.evaluation(split, 1, LONGEST), KEYS, self.output) for split in Split}
        found = {}
        for split, read in readings.items():
            others = [readings[other] for other in Split if other is not split]
            described = read.description(source, others, unit="pieces")
            if tunes is not None:
                described = replace(described, facts=(*described.facts, Fact("tunes", tunes[split], Kind.COUNT)))
            found[split] = described
        return found

    def content(self) -> Iterator[bytes]:
        for split in Split:
            yield f"\n{split}\n".encode()
            for piece in self._pieces[split]:
                yield len(piece).to_bytes(8, "little") + piece.tobytes()

    @cached_property
    def _pieces(self) -> Pieces:
        pieces = chorales(self.fold) if self.data is None else _own_pieces(Path(self.data))
        for rolls in pieces.values():
            for roll in rolls:
                roll.flags.writeable = False
        return pieces


def _own_pieces(path: Path) -> Pieces:
    """Return the pieces of a user's file or folder."""
    where = f"data = {str(path)!r}"
    if path.suffix.lower() in (".pkl", ".pickle", ".p"):
        raise TaskError(f"{where} is a pickle, which can run code when it is loaded; give a .mat file or MIDI files")
    if path.is_file():
        return matlab_pieces(path)
    if not path.is_dir():
        raise TaskError(f"{where} does not exist; give a .mat file or a folder of MIDI files")
    matlab = sorted(found for found in path.iterdir() if found.suffix.lower() == ".mat")
    if len(matlab) == 1:
        return matlab_pieces(matlab[0])
    if matlab:
        raise TaskError(f"{where} has {len(matlab)} .mat files; name one of them")
    return _midi_pieces(path)


def _midi_pieces(folder: Path) -> Pieces:
    """Return the pieces of the MIDI files of a folder; parsed data are cached."""
    files: dict[Split, list[Path]] = {split: [] for split in Split}
    if any((folder / name).is_dir() for name in _FOLDERS.values()):
        files = {split: _midi_files(folder / name) for split, name in _FOLDERS.items()}
    else:
        for path in _midi_files(folder):
            files[split_of(path.name)].append(path)
    for split, paths in files.items():
        if not paths:
            raise TaskError(
                f"data = {str(folder)!r} has no .mid file for {split}; put some into subfolders train, valid and test"
            )
    contents = {split: [(repr(str(path)), _midi_bytes(path)) for path in paths] for split, paths in files.items()}
    parts = [part for split, found in contents.items() for part in (split.value, *(data for _, data in found))]

    def build() -> Pieces:
        return {
            split: [roll_of(midi_notes(data, name), name) for name, data in found] for split, found in contents.items()
        }

    return unpacked(load_or_build("midi", key_of([_FORMAT, *parts]), PACKED, lambda: packed(build())))


def _midi_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi") and path.is_file())


def _midi_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_MIDI_FILE:
            raise TaskError(f"{str(path)!r} has {size:,} bytes; the limit is {LARGEST_MIDI_FILE:,}, so leave it out")
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"{str(path)!r} cannot be read: {error.strerror}; check the file") from error
