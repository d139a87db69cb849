"""Disk cache of parsed data, so that text and scores are parsed once.

The folder is the user's cache folder for `gatesearch`, or the one in the environment variable GATESEARCH_CACHE. A file
contains plain arrays (.npz, no pickle). Its name has a checksum of the source and the parameters, so other data never
hit it. A damaged file is rebuilt.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_dir

Arrays = dict[str, npt.NDArray[Any]]

_LOG = logging.getLogger(__name__)
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


def folder() -> Path:
    """Return the folder of the cache."""
    return Path(os.environ.get("GATESEARCH_CACHE") or user_cache_dir("gatesearch"))


def key_of(parts: Iterable[bytes | str]) -> str:
    """Return a checksum of a sequence of texts, which depends on the boundaries between them."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def load_or_build(kind: str, key: str, names: Iterable[str], build: Callable[[], Arrays]) -> Arrays:
    """Return arrays from the cache, or build and cache them.

    A folder that is not writable is not an error: the arrays are then built on every call.

    Args:
        kind: prefix of the file's name.
        key: checksum from `key_of`.
        names: names of the arrays.
        build: returns the arrays by name.
    """
    path = folder() / f"{kind}-{key[:40]}.npz"
    if path.exists():
        try:
            return _read(path, names)
        except _DAMAGE as error:
            _LOG.warning("the cache file %s is damaged (%s) and is rebuilt", path, error)
    _LOG.info("parsing %s data; they are cached in %s", kind, path.parent)
    arrays = build()
    try:
        _write(path, arrays)
    except OSError as error:
        _LOG.warning("parsed data are not cached: %s", error)
    return arrays


def _read(path: Path, names: Iterable[str]) -> Arrays:
    """Read whole arrays, which compares the archive's checksums."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in names}


def _write(path: Path, arrays: Arrays) -> None:
    """Write to a temporary name and rename, so that no reader sees a partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
