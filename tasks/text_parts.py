"""Any text files in three splits: by their names, by files, or one file cut by position."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.decoding import decoded, unpacked
from tasks.description import Fact
from tasks.errors import TaskError
from tasks.folders import division_of, files_of, read_each, read_file, split_named, unread_fact, unusable, words_of
from tasks.task import Split
from tasks.text_folder import LARGEST_FILE, text_files

_LEAST = 3  # different files that are divided by files


@dataclass(frozen=True)
class TextParts:
    """Texts by split, as UTF-8; the facts name files that were not read."""

    texts: Mapping[Split, list[bytes]]
    facts: tuple[Fact, ...]


def text_parts(path: Path, *, as_bytes: bool, validation: float, test: float) -> TextParts:
    """Read the texts of a file or a folder.

    A file is cut by position: its end is the test text, and validation stands before that. A folder has files or
    folders that are named after the splits, as `tasks.text_folder` finds them. Without such names, whole files are
    assigned to the splits by a hash of their content; copies are in one split, and the largest file trains.

    Args:
        path: the file or folder; files may be compressed by gzip.
        as_bytes: whether files are read as they are, not as text (`tasks.decoding`).
        validation: share of the text for validation.
        test: share of the text for test.

    Raises:
        TaskError: the path does not exist, files are no texts, or they are too few to be divided.
    """
    where = f"data = {str(path)!r}"
    if path.is_file():
        whole = _content(path, as_bytes)
        return TextParts(_cut(where, whole, as_bytes, validation, test), ())
    if not path.is_dir():
        raise TaskError(f"{where} does not exist; give a text file or a folder of them")
    files = files_of(path)
    division = _named(path, files)
    if division is not None:
        contents = _contents(path, [each for paths in division.values() for each in paths], as_bytes)
        read = {split: [contents[each] for each in paths] for split, paths in division.items()}
        beside = [each for each in files if each not in contents]
        return TextParts(read, unread_fact(path, beside, "the files of the three splits were found by their names"))
    contents = _contents(path, files, as_bytes, tolerant=True)
    others = [each for each in files if each not in contents]
    facts = unread_fact(path, others, "they are no texts")
    return TextParts(_divided(where, list(contents.values()), validation, test), facts)


def _named(folder: Path, files: list[Path]) -> Mapping[Split, list[Path]] | None:
    """Return the files of each split by their names; None if no names of splits are there."""
    division = division_of(folder, files)
    if division is not None and all(division.files.values()):
        return division.files
    top = [split_named(word) for each in files if each.parent == folder for word in words_of(each.name)]
    if division is None and len(set(top) - {None}) < len(Split) - 1:  # one such word may be of a title
        return None
    return text_files(folder)


def _content(path: Path, as_bytes: bool) -> bytes:
    source = repr(str(path))
    data = unpacked(read_file(path, LARGEST_FILE), LARGEST_FILE, source)
    return data if as_bytes else decoded(data, source).encode()


def _contents(folder: Path, files: list[Path], as_bytes: bool, *, tolerant: bool = False) -> dict[Path, bytes]:
    """Return the content of files; those that are no text are errors, or are left out if `tolerant`."""
    found, errors = read_each(files, lambda path: _content(path, as_bytes))
    if errors and not (tolerant and found):
        raise unusable(folder, len(files), errors)
    return found


def _cut(where: str, whole: bytes, as_bytes: bool, validation: float, test: float) -> Mapping[Split, list[bytes]]:
    """Cut a text by position, between characters unless it is read as bytes."""
    cuts = [round(len(whole) * share) for share in (1.0 - validation - test, 1.0 - test)]
    if not as_bytes:
        cuts = [_boundary(whole, cut) for cut in cuts]
    first, last = cuts
    parts = {Split.TRAIN: whole[:first], Split.VALIDATION: whole[first:last], Split.TEST: whole[last:]}
    if not all(parts.values()):
        raise TaskError(f"{where} has {len(whole):,} bytes, too few to be cut into three texts; give a longer file")
    return {split: [part] for split, part in parts.items()}


def _boundary(text: bytes, place: int) -> int:
    """Return the first place from `place` on where a character of UTF-8 begins."""
    while place < len(text) and text[place] & 0xC0 == 0x80:
        place += 1
    return place


def _divided(where: str, contents: list[bytes], validation: float, test: float) -> Mapping[Split, list[bytes]]:
    """Assign texts to splits in the order of their hashes until each has its share."""
    copies: dict[bytes, list[bytes]] = {}
    for content in contents:
        copies.setdefault(hashlib.blake2b(content, digest_size=16).digest(), []).append(content)
    if len(copies) < _LEAST:
        raise TaskError(
            f"{where} has {len(copies)} different texts and none is named train, valid or test; give at least "
            f"{_LEAST}, or a single file, which is cut by position"
        )
    largest = max(copies, key=lambda digest: (len(copies[digest][0]), digest))
    order = [copies[digest] for digest in sorted(copies) if digest != largest]
    total = sum(map(len, contents))
    found: dict[Split, list[bytes]] = {split: [] for split in Split}
    for split, share in (Split.VALIDATION, validation), (Split.TEST, test):
        left = 1 if split is Split.VALIDATION else 0  # for test
        while len(order) > left and sum(map(len, found[split])) < max(share * total, 1):
            found[split] += order.pop(0)
    found[Split.TRAIN] = [content for same in (*order, copies[largest]) for content in same]
    return found
