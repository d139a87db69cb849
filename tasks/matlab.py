"""Piano rolls in MATLAB files, the format of published polyphonic music benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.errors import TaskError
from tasks.matfile import MatArray, MatFileError, read_cells
from tasks.piano_rolls import KEYS, LONGEST, Pieces, Roll
from tasks.task import Split

LARGEST_FILE = 500_000_000  # bytes

_KEYS = {Split.TRAIN: "traindata", Split.VALIDATION: "validdata", Split.TEST: "testdata"}


def matlab_pieces(path: Path) -> Pieces:
    """Return the pieces of a `.mat` file (MATLAB 5 to 7): cell arrays `traindata`, `validdata`, `testdata` of (T, 88).

    Raises:
        TaskError: the file cannot be read, a key is missing, or a piece is not (T, 88) of 0 and 1.
    """
    name = repr(str(path))
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise TaskError(f"{name} has {size:,} bytes; the limit is {LARGEST_FILE:,}, so cut it")
        content = read_cells(path.read_bytes(), _KEYS.values())
    except OSError as error:
        raise TaskError(f"{name} cannot be read: {error.strerror}; check the file") from error
    except MatFileError as error:
        if "7.3" in str(error):
            raise TaskError(f"{name} is a MATLAB 7.3 file, which is not supported; save it with -v7") from error
        raise TaskError(f"{name} is not a readable MATLAB file ({error}); check it") from error
    return {split: _rolls(content, key, name) for split, key in _KEYS.items()}


def _rolls(content: dict[str, list[MatArray] | None], key: str, name: str) -> list[Roll]:
    if key not in content:
        raise TaskError(f"{name} has no {key!r}; it must have {', '.join(_KEYS.values())}")
    cells = content[key]
    if not cells:
        raise TaskError(f"{name}: {key!r} must be a cell array of at least one piece")
    return [_roll(piece, f"{name}: piece {index} of {key!r}") for index, piece in enumerate(cells, start=1)]


def _roll(piece: MatArray, source: str) -> Roll:
    if len(piece.shape) != 2 or piece.shape[1] != KEYS or not 0 < piece.shape[0] <= LONGEST:
        raise TaskError(f"{source} has shape {piece.shape}; it must be (steps, {KEYS}) with 1 to {LONGEST:,} steps")
    if piece.values is None:
        raise TaskError(f"{source} has elements of type {piece.kind}; they must be the numbers 0 and 1")
    wrong = piece.values[(piece.values != 0) & (piece.values != 1)]
    if wrong.size:
        raise TaskError(f"{source} has the value {wrong[0]}; all values must be 0 or 1")
    return piece.values.astype(np.uint8)
