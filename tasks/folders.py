"""Files of a user's folder of data: which are data, to which split they belong, and how they are named in messages."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tasks.batch import Split
from tasks.description import Fact, Kind
from tasks.errors import TaskError

_Result = TypeVar("_Result")

SPLIT_NAMES = {
    Split.TRAIN: ("train", "training"),
    Split.VALIDATION: ("valid", "validation", "val", "dev", "development"),
    Split.TEST: ("test", "testing"),
}
"""Names of folders and files of each split, in any case; the first is the one that messages recommend."""

SHOWN = 20
"""Names that a message lists; it counts the rest."""

MOST_FILES = 500_000
"""Largest number of files below a folder, so that a wrong one, such as the root, is refused soon."""

_SYSTEM = ("thumbs.db", "desktop.ini", "icon\r", "__macosx")  # of Windows and macOS


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or written by the system (`._a.mid`, `__MACOSX`, `Thumbs.db`)."""
    return name.startswith(".") or name.lower() in _SYSTEM


def files_of(folder: Path) -> list[Path]:
    """Return all files below a folder but hidden ones, sorted; linked folders are followed, each of them once.

    A broken link is among them, so that a reader names it.

    Raises:
        TaskError: a folder cannot be read, or there are more than `MOST_FILES` files.
    """
    found: list[Path] = []
    entered: set[str] = set()

    def fail(error: OSError) -> None:
        raise TaskError(f"folder {error.filename!r} cannot be read: {error.strerror}; check it") from error

    for place, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        true_place = os.path.realpath(place)
        if true_place in entered:
            folders.clear()
            continue
        entered.add(true_place)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        found += [Path(place, name) for name in names if not is_hidden(name)]
        if len(found) > MOST_FILES:
            raise TaskError(
                f"data = {str(folder)!r} has more than {MOST_FILES:,} files; give the folder of the data alone"
            )
    return sorted(found)


def read_file(path: Path, most: int) -> bytes:
    """Return the content of a file.

    Raises:
        TaskError: it cannot be read, is no regular file, or has more than `most` bytes.
    """
    shown = repr(str(path))
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(21, "Is a directory")
        if not stat.S_ISREG(found.st_mode):  # reading a pipe may never end
            raise TaskError(f"{shown} is not a regular file; leave it out")
        if found.st_size > most:
            raise TaskError(f"{shown} has {found.st_size:,} bytes; the limit is {most:,}, so cut it")
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"{shown} cannot be read: {error.strerror}; check the file") from error


def split_named(name: str) -> Split | None:
    """Return the split with this name of a folder or file, in any case."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), None)


@dataclass(frozen=True)
class Division:
    """Files of a folder that has subfolders for the splits."""

    files: dict[Split, list[Path]]
    beside: list[Path]  # files in none of these subfolders


def division_of(folder: Path, files: Iterable[Path]) -> Division | None:
    """Return the files by the folders that name their split, in any case; None if there are no such folders.

    The folders lie directly in `folder`, or else deeper if there are some for every split
    (`songs/train`, `songs/valid`, `songs/test`).

    Raises:
        TaskError: two folders have names of one split (`val` and `dev`), so that one of them may be other data.
    """
    files = list(files)
    folders = {path: path.relative_to(folder).parts[:-1] for path in files}
    top = {parts[0] for parts in folders.values() if parts and split_named(parts[0]) is not None}
    top |= {path.name for path in folder.iterdir() if path.is_dir() and split_named(path.name) is not None}
    depths = {path: 0 if split_named(parts[0]) is not None else None for path, parts in folders.items() if parts}
    if not top:
        depths = {
            path: next((depth for depth, part in enumerate(parts) if split_named(part) is not None), None)
            for path, parts in folders.items()
        }
        named = {split_named(folders[path][depth]) for path, depth in depths.items() if depth is not None}
        if len(named) < len(Split):
            return None
    chosen: dict[tuple[tuple[str, ...], Split], set[str]] = {}
    found: dict[Split, list[Path]] = {split: [] for split in Split}
    beside = []
    for path in files:
        depth = depths.get(path)
        split = None if depth is None else split_named(folders[path][depth])
        if depth is None or split is None:
            beside.append(path)
            continue
        found[split].append(path)
        chosen.setdefault((folders[path][:depth], split), set()).add(folders[path][depth])
    for (_, split), names in chosen.items():
        if len(names) > 1:
            raise TaskError(
                f"data = {str(folder)!r} has the folders {listed(sorted(map(repr, names)))} for {split}; keep one"
            )
    return Division(found, beside)


def words_of(name: str) -> list[str]:
    """Return the lower-case words of a file's name: `wikiTrain_2` has wiki, train and 2."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def listed(names: Collection[str], most: int = SHOWN) -> str:
    """Return names with commas between them; beyond `most`, the number of the rest."""
    shown = list(names)[:most]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def read_each(paths: Iterable[Path], read: Callable[[Path], _Result]) -> tuple[dict[Path, _Result], dict[Path, str]]:
    """Apply a reader to files; return what it reads, and the messages of its errors, as `unusable` takes them."""
    results: dict[Path, _Result] = {}
    errors: dict[Path, str] = {}
    for path in paths:
        try:
            results[path] = read(path)
        except TaskError as error:
            errors[path] = str(error)
    return results, errors


def unusable(folder: Path, count: int, errors: Mapping[Path, str]) -> TaskError:
    """Return the error of files that cannot be used; it names all of them, up to `SHOWN`.

    Args:
        folder: the user's folder.
        count: number of files that were tried.
        errors: the message of each of these files; a single one is the error as it stands.
    """
    if len(errors) == 1:
        return TaskError(next(iter(errors.values())))
    reasons = [message.partition("; ")[0] for message in errors.values()]
    return TaskError(
        f"{len(errors):,} of {count:,} files of data = {str(folder)!r} cannot be used: {listed(reasons)}; "
        "leave them out, or correct them"
    )


def unread_fact(folder: Path, files: Collection[Path], why: str) -> tuple[Fact, ...]:
    """Return the fact of files that were not read, for the training split; it names them. None if there are none."""
    if not files:
        return ()
    names = listed([repr(str(path.relative_to(folder))) for path in files])
    return (Fact("files not read", len(files), Kind.COUNT, 0, f"{why}: {names}", whole=True),)
