"""Music task: prediction of the next chord of polyphonic music."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tasks.chorales import chorale_facts, chorales
from tasks.copies import repeated_pieces
from tasks.description import Description, Fact, package_source, reading
from tasks.errors import TaskError
from tasks.folders import files_of, is_hidden, unread_fact
from tasks.grid_facts import silence_fact
from tasks.matlab import matlab_pieces
from tasks.midi_folder import midi_pieces
from tasks.parameters import check_fold
from tasks.piano_rolls import BY_FILE, GRIDS, KEYS, LONGEST, Pieces, longest_silence, pitch_name, roll_windows
from tasks.task import NATS_PER_STEP, Batch, Output, Split, Task

DEFAULT_GRID = "quarter"

_Read = tuple[Pieces, dict[Split, tuple[Fact, ...]]]  # the pieces, and the facts of each split


@dataclass(frozen=True, kw_only=True)
class Music(Task):
    """Prediction of the sounding keys out of 88 at each step of a grid; the loss mask covers every step of a piece.

    The metric is that of Boulanger-Lewandowski et al. 2012, used in Jozefowicz et al. 2015: the negative log-likelihood
    per step in nats, summed over 88 independent sigmoids.

    The music is Bach's four-part chorales in the package `music21`, with all settings of a tune in one split
    (`tasks.chorales`). With `data`, it is a `.mat` file with `traindata`, `validdata` and `testdata`
    (`tasks.matlab`), a folder with one such file, or a folder of MIDI files (`tasks.midi_folder`).

    Parameters: `data` is the file or folder. `fold`, 0 to 3, divides the chorales in another way: what is validation or
    test in one fold is training data in the others. `grid` is the length of a step of chorales and MIDI files: quarter,
    eighth, sixteenth, or file, the coarsest grid on which all notes of the piece begin (`tasks.piano_rolls`).

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
    grid: str = DEFAULT_GRID

    def __post_init__(self) -> None:
        if self.data is not None and not isinstance(self.data, str | Path):
            raise TaskError(f"task 'music': data = {self.data!r}, but it must be the path of a file or folder")
        check_fold(self.name, self.fold, self.data)
        if self.grid not in (*GRIDS, BY_FILE):
            raise TaskError(f"task 'music': grid = {self.grid!r}, but it must be one of {', '.join((*GRIDS, BY_FILE))}")
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
        """Describe the pieces; copies in another split are those of `tasks.copies`."""
        source = package_source("music21") if self.data is None else str(self.data)
        pieces, facts = self._read
        repeated = repeated_pieces(pieces)
        found = {}
        for split in Split:
            read = reading(self.evaluation(split, 1, LONGEST), KEYS, self.output)
            described = read.description(source, (), unit="pieces")
            lengths = [len(piece) for piece, again in zip(pieces[split], repeated[split], strict=True) if again]
            found[split] = replace(
                described,
                repeated=len(lengths),
                repeated_steps=sum(lengths),
                facts=(*described.facts, *facts[split]),
            )
        return found

    def content(self) -> Iterator[bytes]:
        for split in Split:
            yield f"\n{split}\n".encode()
            for piece in self._pieces[split]:
                yield len(piece).to_bytes(8, "little") + piece.tobytes()

    @property
    def _pieces(self) -> Pieces:
        return self._read[0]

    @cached_property
    def _read(self) -> _Read:
        if self.data is None:
            pieces, facts = chorales(self.fold, self.grid), chorale_facts(self.fold, self.grid)
        else:
            pieces, facts = _own_pieces(Path(self.data), self.grid)
        for rolls in pieces.values():
            for roll in rolls:
                roll.flags.writeable = False
        return pieces, facts


def _own_pieces(path: Path, grid: str) -> _Read:
    """Return the pieces of a user's file or folder, and what is known of them."""
    where = f"data = {str(path)!r}"
    if path.suffix.lower() in (".pkl", ".pickle", ".p"):
        raise TaskError(f"{where} is a pickle, which can run code when it is loaded; give a .mat file or MIDI files")
    if path.is_file() and path.suffix.lower() in (".mid", ".midi"):
        raise TaskError(f"{where} is one MIDI file; give a folder of them, or a .mat file")
    files = [path]
    if path.is_dir():
        files = [found for found in sorted(path.iterdir()) if not is_hidden(found.name) and not found.is_dir()]
    elif not path.is_file():
        raise TaskError(f"{where} does not exist; give a .mat file or a folder of MIDI files")
    matlab = [path] if path.is_file() else [found for found in files if found.suffix.lower() == ".mat"]
    if not matlab:
        return midi_pieces(path, grid)
    if len(matlab) > 1:
        raise TaskError(f"{where} has {len(matlab)} .mat files; name one of them")
    if grid != DEFAULT_GRID:
        raise TaskError(f"grid = {grid!r}, but the steps of a .mat file are those of its rows; leave `grid` out")
    others = [] if path.is_file() else [found for found in files_of(path) if found != matlab[0]]
    unread = unread_fact(path, others, f"only {matlab[0].name!r} was read")
    pieces = matlab_pieces(matlab[0])
    facts: dict[Split, tuple[Fact, ...]] = {}
    for split, rolls in pieces.items():
        facts[split] = (silence_fact(max(map(longest_silence, rolls)), "steps"),)
    facts[Split.TRAIN] += unread
    return pieces, facts
