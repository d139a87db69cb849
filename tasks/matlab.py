"""Piano rolls in MATLAB files, the format of published polyphonic music benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.errors import TaskError
from tasks.folders import listed, read_file
from tasks.matfile import MatArray, MatFileError, read_variables
from tasks.piano_rolls import KEYS, LONGEST, Pieces, Roll
from tasks.task import Split

LARGEST_FILE = 500_000_000  # bytes

_KEYS = {Split.TRAIN: "traindata", Split.VALIDATION: "validdata", Split.TEST: "testdata"}


def matlab_pieces(path: Path) -> Pieces:
    """Return the pieces of a `.mat` file (MATLAB 5 to 7) with `traindata`, `validdata` and `testdata`.

    Each is a cell array of (T, 88), or, as scipy saves a list of pieces of one length, an array of (N, T, 88).

    Raises:
        TaskError: the file cannot be read, a key is missing, or pieces are not (T, 88) of 0 and 1; all are named.
    """
    name = repr(str(path))
    try:
        content = read_variables(read_file(path, LARGEST_FILE), _KEYS.values())
    except MatFileError as error:
        version = next((version for version in ("7.3", "4") if str(error) == f"its version is MATLAB {version}"), None)
        if version is not None:
            raise TaskError(
                f"{name} is a MATLAB {version} file, which is not supported; save it with -v7, as cell arrays"
            ) from error
        raise TaskError(f"{name} is not a readable MATLAB file ({error}); check it") from error
    missing = [key for key in _KEYS.values() if key not in content]
    if missing:
        has = f"has no {listed([repr(key) for key in missing])}"
        raise TaskError(f"{name} {has}; it must have {', '.join(_KEYS.values())}")
    errors: list[str] = []
    pieces = {split: _rolls(content[key], key, name, errors) for split, key in _KEYS.items()}
    if len(errors) == 1:
        raise TaskError(f"{name}: {errors[0]}")
    if errors:
        reasons = [error.partition("; ")[0] for error in errors]
        raise TaskError(
            f"{name}: {listed(reasons)}; a piece must be (steps, {KEYS}) with 1 to {LONGEST:,} steps of 0 and 1"
        )
    return pieces


def _rolls(found: list[MatArray] | MatArray, key: str, name: str, errors: list[str]) -> list[Roll]:
    """Return the pieces of a variable; what is wrong with them is added to `errors`."""
    if isinstance(found, MatArray):
        if len(found.shape) != 3 or found.shape[2] != KEYS or not found.shape[0]:
            raise TaskError(f"{name}: {_no_cells(found, key)}")
        values = found.values
        found = [
            MatArray(found.shape[1:], found.kind, None if values is None else values[piece])
            for piece in range(found.shape[0])
        ]
    if not found:
        raise TaskError(f"{name}: {key!r} must be a cell array of at least one piece")
    rolls = []
    for index, piece in enumerate(found, start=1):
        what = _breach(piece)
        if what is None and piece.values is not None:
            rolls.append(piece.values.astype(np.uint8))
        else:
            errors.append(f"piece {index} of {key!r} {what}")
    return rolls


def _no_cells(found: MatArray, key: str) -> str:
    """Return what is wrong with a variable that is no cell array, and the lines of Python that save one."""
    has = f"it is {found.kind} of shape {found.shape}"
    save = f"cells = numpy.empty(len(pieces), object); cells[:] = pieces; savemat(path, {{{key!r}: cells, ...}})"
    return f"{key!r} must be a cell array of at least one piece, but {has}; in Python, save it with: {save}"


def _breach(piece: MatArray) -> str | None:
    """Return what is wrong with a piece; None if nothing."""
    if len(piece.shape) != 2 or piece.shape[1] != KEYS or not 0 < piece.shape[0] <= LONGEST:
        return f"has shape {piece.shape}; it must be (steps, {KEYS}) with 1 to {LONGEST:,} steps"
    if piece.values is None:
        return f"has elements of type {piece.kind}; they must be the numbers 0 and 1"
    wrong = piece.values[(piece.values != 0) & (piece.values != 1)]
    return f"has the value {wrong[0]}; all values must be 0 or 1" if wrong.size else None
