"""Recordings of a user's file or folder: which files they are, and the split and label of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.description import Fact
from tasks.errors import TaskError
from tasks.folders import division_of, files_of, listed, split_named, unread_fact
from tasks.task import Split

SUFFIXES = (".wav", ".wave", ".flac")

_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Found:
    """Recordings of a file or folder.

    Attributes:
        folder: the folder, or that of the only file.
        paths: the files, sorted.
        splits: the split of each file; empty if no folders divide them.
        labels: the label of each file; empty if they are not asked for.
        facts: files that are not read.
    """

    folder: Path
    paths: tuple[Path, ...]
    splits: Mapping[Path, Split]
    labels: Mapping[Path, str]
    facts: tuple[Fact, ...]


def recordings_in(path: Path, *, labelled: bool) -> Found:
    """Find the recordings of a file or folder.

    Folders `train`, `valid` and `test` divide them (`tasks.folders.division_of`). The label of a recording is the name
    of the first folder below that of its split, or else of the first folder above it.

    Raises:
        TaskError: there is no recording, a split has none, or one has no label.
    """
    where = f"data = {str(path)!r}"
    if path.is_file() and not labelled:
        return Found(path.parent, (path,), {}, {}, ())
    if not path.is_dir():
        if path.is_file():
            raise TaskError(f"{where} is a file; labels need a folder with a subfolder for each")
        raise TaskError(f"{where} does not exist; give a folder of .wav or .flac files")
    everything = files_of(path)
    paths = [found for found in everything if found.suffix.lower() in SUFFIXES]
    division = division_of(path, paths)
    splits = {one: split for split, own in division.files.items() for one in own} if division else {}
    used = [one for one in paths if division is None or one in splits]
    if not used:
        raise TaskError(f"{where} has no .wav or .flac file among {len(everything):,} files; give a folder of some")
    if division is not None:
        missing = next((split for split in Split if not division.files[split]), None)
        if missing is not None:
            raise TaskError(f"{where} has no .wav or .flac file for {missing}; put some into train, valid and test")
    left = sorted(set(everything) - set(used))
    why = "they are no .wav or .flac files"
    facts = unread_fact(path, left, why if division is None else f"{why}, or lie beside the folders of the splits")
    return Found(path, tuple(used), splits, _labels(path, used, divided=bool(splits)) if labelled else {}, facts)


def _labels(folder: Path, paths: Iterable[Path], *, divided: bool) -> dict[Path, str]:
    labels: dict[Path, str] = {}
    bare = []
    for path in paths:
        parts = path.relative_to(folder).parts[:-1]
        place = next((place for place, part in enumerate(parts) if divided and split_named(part) is not None), -1)
        named = parts[place + 1 :] or parts[:place]
        if named:
            labels[path] = named[0]
        else:
            bare.append(path)
    if bare:
        names = listed([repr(str(path)) for path in bare])
        raise TaskError(
            f"data = {str(folder)!r} has recordings without a label ({names}); labels are the names of subfolders, so "
            "put each recording into one"
        )
    return labels


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's content, read in blocks. Raises `TaskError` if it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            raise TaskError(f"{str(path)!r} is no regular file or a broken link; leave it out")
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise TaskError(f"{str(path)!r} cannot be read: {error.strerror}; check the file") from error
    return digest.hexdigest()
