"""Piano rolls of MATLAB files, in the form in which polyphonic music benchmarks are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import TaskError
from tasks.rolls import KEYS, LONGEST, Pieces, Roll
from tasks.task import Split

LARGEST_FILE = 500_000_000  # bytes

_KEYS = {Split.TRAIN: "traindata", Split.VALIDATION: "validdata", Split.TEST: "testdata"}


def matlab_pieces(path: Path) -> Pieces:
    """The pieces of a `.mat` file (MATLAB 5 to 7): cell arrays `traindata`, `validdata`, `testdata` of (T, 88).

    Raises:
        TaskError: the file cannot be read, a key is missing, or a piece is not (T, 88) of 0 and 1.
    """
    from scipy.io import loadmat  # here, because it takes a while and few need it

    name = repr(str(path))
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise TaskError(f"{name} has {size:,} bytes; the limit is {LARGEST_FILE:,}, so cut it")
        content: dict[str, Any] = loadmat(str(path), variable_names=list(_KEYS.values()))
    except TaskError:
        raise
    except NotImplementedError as error:  # what scipy says of HDF5
        raise TaskError(f"{name} is a MATLAB 7.3 file, which cannot be read; save it with -v7") from error
    except Exception as error:  # the reader fails in many ways on what is no MATLAB file
        raise TaskError(f"{name} is no MATLAB file that can be read ({type(error).__name__}); check it") from error
    return {split: _rolls(content, key, name) for split, key in _KEYS.items()}


def _rolls(content: dict[str, Any], key: str, name: str) -> list[Roll]:
    if key not in content:
        raise TaskError(f"{name} has no {key!r}; it must have {', '.join(_KEYS.values())}")
    cells = content[key]
    if not isinstance(cells, np.ndarray) or cells.dtype != object or cells.size == 0:
        raise TaskError(f"{name}: {key!r} must be a cell array of at least one piece")
    return [_roll(piece, f"{name}: piece {index} of {key!r}") for index, piece in enumerate(cells.ravel(), start=1)]


def _roll(piece: object, source: str) -> Roll:
    if not isinstance(piece, np.ndarray) or piece.ndim != 2 or piece.shape[1] != KEYS or not 0 < len(piece) <= LONGEST:
        shape = getattr(piece, "shape", None)
        raise TaskError(f"{source} has shape {shape}; it must be (steps, {KEYS}) with 1 to {LONGEST:,} steps")
    if piece.dtype.kind not in "buif":
        raise TaskError(f"{source} has elements of type {piece.dtype}; they must be the numbers 0 and 1")
    wrong = piece[(piece != 0) & (piece != 1)]
    if wrong.size:
        raise TaskError(f"{source} has the value {wrong[0]}; all values must be 0 or 1")
    return piece.astype(np.uint8)
