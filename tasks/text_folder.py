"""Texts of a user's folder in three splits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tasks.decoding import decoded, unpacked
from tasks.description import Fact
from tasks.errors import TaskError
from tasks.folders import (
    SPLIT_NAMES,
    division_of,
    files_of,
    is_hidden,
    listed,
    read_each,
    read_file,
    split_named,
    unread_fact,
    unusable,
    words_of,
)
from tasks.task import Split

LARGEST_FILE = 200_000_000  # bytes

_SUFFIXES = (".txt", ".tokens", ".raw", "")
_ADDED = re.compile(r"(set|data|text|corpus|file|split)$")  # `trainset.txt`
_LEAST_WORDS = 2

Files = dict[Split, list[Path]]


def folder_texts(folder: Path) -> dict[Split, str]:
    """Return the texts of a folder in the format of the Penn Treebank: one sentence per line, blanks between words.

    `text_files` finds the files, and `tasks.decoding` decodes them. Several files of a split are joined.

    Raises:
        TaskError: there is no such folder, or files are missing, ambiguous, too short, too large, or no text; all that
            cannot be used are named.
    """
    files = text_files(folder)
    texts, errors = read_each((path for paths in files.values() for path in paths), _file_text)
    if errors:
        raise unusable(folder, len(texts) + len(errors), errors)
    return {split: "\n".join(texts[path] for path in paths) for split, paths in files.items()}


def text_files(folder: Path) -> Files:
    """Return the files of each split.

    The names are searched in this order: `ptb.train.txt`; `train.txt`; another name that has the word, as
    `wiki.train.tokens`. `tasks.folders.SPLIT_NAMES` lists the words of each split. The ending is `.txt`, `.tokens`,
    `.raw` or none, and `.gz` may follow. Without any such file, folders `train`, `valid` and `test` have the files.

    Raises:
        TaskError: there is no such folder, or a split has no file or several.
    """
    if not folder.is_dir():
        raise TaskError(f"data = {str(folder)!r} is not a folder; give one with train, valid and test .txt files")
    try:
        entries = sorted(path for path in folder.iterdir() if not is_hidden(path.name))
    except OSError as error:
        raise TaskError(f"data = {str(folder)!r} cannot be read: {error.strerror}; check the folder") from error
    candidates = [path for path in entries if not (path.is_dir() and "." not in path.name)]
    found = {split: _files_of_split(candidates, split) for split in Split}
    if not any(found.values()):
        files = [path for path in files_of(folder) if _base(path.name) is not None]
        division = division_of(folder, files)
        if division is not None and all(division.files.values()):
            return division.files
    for split, paths in found.items():
        if len(paths) != 1:
            word = SPLIT_NAMES[split][0]
            if paths:
                has = listed([path.name for path in paths])
            else:
                names = [f"{path.name}/" if path.is_dir() else path.name for path in entries]
                has = f"none, but {listed(names)}" if names else "none"
            raise TaskError(f"data = {str(folder)!r} must have one .txt file with {word!r} in its name; it has {has}")
    return found


def unread_files(folder: Path) -> tuple[Fact, ...]:
    """Return the fact of the files of a folder that are in no split."""
    files = {path for paths in text_files(folder).values() for path in paths}
    others = [path for path in files_of(folder) if path not in files]
    return unread_fact(folder, others, "the files of the three splits were found by their names")


def _files_of_split(entries: list[Path], split: Split) -> list[Path]:
    """Return the files whose names fit a split best."""
    standard = f"ptb.{SPLIT_NAMES[split][0]}.txt"
    rules: tuple[Callable[[str], bool], ...] = (
        lambda name: name.lower() in (standard, f"{standard}.gz"),
        lambda name: split_named(_base(name) or "") is split,
        lambda name: {split_named(_ADDED.sub("", word)) for word in words_of(_base(name) or "")} - {None} == {split},
    )
    for rule in rules:
        found = [path for path in entries if rule(path.name)]
        names = {path.name for path in found}
        found = [path for path in found if path.name.removesuffix(".gz") not in names - {path.name}]
        if found:
            return found
    return []


def _base(name: str) -> str | None:
    """Return the name of a file of text without its ending; None for another kind of file."""
    name = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    stem, dot, ending = name.rpartition(".")
    if not dot or split_named(ending) is not None:  # `ptb.train`
        return name
    return stem if f".{ending.lower()}" in _SUFFIXES else None


def _file_text(path: Path) -> str:
    source = repr(str(path))
    text = decoded(unpacked(read_file(path, LARGEST_FILE), LARGEST_FILE, source), source)
    if len(text.split(maxsplit=_LEAST_WORDS)) < _LEAST_WORDS:
        raise TaskError(f"{source} has fewer than two words; give a longer text")
    return text
