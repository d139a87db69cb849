"""Parsed data on disk, so that text and scores are read once and not at every start.

The folder is the user's cache folder for `gatesearch`, or the one that the environment variable GATESEARCH_CACHE
names. A file holds plain arrays (.npz, no pickle); its name has a checksum of the source and of the parameters,
so that it never answers for other data. A damaged file is made again.
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
    """Where parsed data are kept."""
    return Path(os.environ.get("GATESEARCH_CACHE") or user_cache_dir("gatesearch"))


def key_of(parts: Iterable[bytes | str]) -> str:
    """A checksum of a sequence of texts; where one ends and the next begins makes a difference."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def load_or_build(kind: str, key: str, names: Iterable[str], build: Callable[[], Arrays]) -> Arrays:
    """The arrays called `names` of a `kind` of data, from the cache, or built and put there.

    A folder that cannot be written to is no error: the arrays are built each time.
    """
    path = folder() / f"{kind}-{key[:40]}.npz"
    if path.exists():
        try:
            return _read(path, names)
        except _DAMAGE as error:
            _LOG.warning("the cache file %s is damaged (%s) and is made again", path, error)
    _LOG.info("parsing %s data, once; they are cached in %s", kind, path.parent)
    arrays = build()
    try:
        _write(path, arrays)
    except OSError as error:
        _LOG.warning("parsed data are not cached: %s", error)
    return arrays


def _read(path: Path, names: Iterable[str]) -> Arrays:
    """Read whole arrays; the archive's own checksums are compared on the way."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in names}


def _write(path: Path, arrays: Arrays) -> None:
    """Write under another name and rename, so that nobody ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
