"""Recordings converted to rows of features, and their division into splits.

Each different recording is converted once, block by block, into a file of the cache (`tasks.row_file`), so that memory
does not grow with the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tasks.audio.decoding import Measures, decode, libraries
from tasks.audio.folder import Found, file_digest, recordings_in
from tasks.cache import Arrays, key_of
from tasks.description import Fact
from tasks.errors import TaskError
from tasks.folders import read_each, unusable
from tasks.row_file import Append, RowFile, load_or_write
from tasks.splits import trains_little
from tasks.task import Split

_FORMAT = "audio 2"  # version of the cache's content; increases when the same files give other rows

_HELD_OUT = 8  # one in so many recordings is validation, and one is test

_MEASURES = ("rate", "channels", "frames", "silent", "clipped", "cut", "behind", "digest")

Integers = npt.NDArray[np.int64]


class Features(Protocol):
    """Rows that are made of the samples of a recording, in any division into blocks."""

    @property
    def width(self) -> int:
        """Numbers in a row."""

    @property
    def dtype(self) -> str:
        """Type of the numbers."""

    def feed(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Return the rows that the next samples (n,) complete."""

    def end(self) -> npt.NDArray[Any]:
        """Return the rows that are still missing."""


@dataclass(frozen=True, eq=False)
class Part:
    """Recordings of one split, sorted by the names of their files: R of them.

    Attributes:
        spans: rows of each in the file of rows, from the first up to the last, (R, 2).
        numbers: place of each in the tables of all different recordings, (R,).
        labels: class of each, (R,); empty without labels.
    """

    spans: Integers
    numbers: Integers
    labels: Integers

    @property
    def lengths(self) -> Integers:
        """Rows of each recording, (R,)."""
        lengths: Integers = self.spans[:, 1] - self.spans[:, 0]
        return lengths


@dataclass(frozen=True, eq=False)
class Recordings:
    """All recordings of a task.

    Attributes:
        rows: their features.
        measures: arrays over the different recordings, by the fields of `Measures`.
        parts: the recordings of each split.
        classes: the labels, sorted; empty without labels.
        facts: files that are not read.
    """

    rows: RowFile
    measures: Arrays
    parts: Mapping[Split, Part]
    classes: tuple[str, ...]
    facts: tuple[Fact, ...]


def load_recordings(
    path: Path, rate: int, features: Callable[[], Features], setting: Sequence[str], *, labelled: bool
) -> Recordings:
    """Find, convert and divide the recordings of a file or folder.

    Folders divide them, or else their content does: of the recordings in the order of their checksums, the first eighth
    is validation and the next is test, at least one each, within each label if there are labels. Copies are in one
    split. If training would get less than half of the sound that its share implies, the shortest recordings are held
    out instead. A single recording is divided by time, with its last two eighths as validation and test.

    Args:
        path: the user's file or folder.
        rate: samples per second.
        features: makes the features of one recording.
        setting: what the features depend on, for the cache.
        labelled: whether the folders' names are labels.

    Raises:
        TaskError: files cannot be used, all of which are named; or there are too few.
    """
    libraries()
    found = recordings_in(path, labelled=labelled)
    hashes, unread = read_each(found.paths, file_digest)
    if unread:  # name those that are damaged in the same message
        _, damaged = read_each(list(hashes), lambda one: decode(one, rate, lambda samples: None))
        raise _unusable(found, unread | damaged)
    twins: dict[str, list[Path]] = {}
    for one, digest in hashes.items():
        twins.setdefault(digest, []).append(one)
    order = sorted(twins)  # by content, so that names change nothing
    fresh = features()

    def write(append: Append) -> Arrays:
        return _converted(found, [twins[digest] for digest in order], rate, features, append)

    rows, index = load_or_write(
        "audio",
        key_of([_FORMAT, str(rate), *setting, *order]),
        fresh.dtype,
        fresh.width,
        ("lengths", *_MEASURES),
        write,
    )
    ends = np.cumsum(index["lengths"])
    spans = np.stack([ends - index["lengths"], ends], axis=1)
    places = {digest: place for place, digest in enumerate(order)}
    numbers = {one: places[digest] for one, digest in hashes.items()}
    measures = {name: index[name] for name in _MEASURES}
    if len(found.paths) == 1 and not found.splits and not labelled:
        return Recordings(rows, measures, _by_time(found, spans[0]), (), found.facts)
    classes = tuple(sorted(set(found.labels.values())))
    if labelled and len(classes) < 2:
        raise TaskError(f"data = {str(path)!r} has the single label {classes[0]!r}; labels are the names of subfolders")
    sounds = {one: str(index["digest"][number]) for one, number in numbers.items()}
    lengths = dict(zip(index["digest"].tolist(), index["lengths"].tolist(), strict=True))
    splits = found.splits or splits_by_content(path, sounds, found.labels, lengths)
    parts = {}
    for split in Split:
        own = [one for one in found.paths if splits[one] is split]
        chosen = np.array([numbers[one] for one in own], np.int64)
        labels = np.array([classes.index(found.labels[one]) for one in own] if labelled else [], np.int64)
        parts[split] = Part(spans[chosen], chosen, labels)
    _check_labels(path, classes, parts[Split.TRAIN])
    return Recordings(rows, measures, parts, classes, found.facts)


def splits_by_content(
    folder: Path, sounds: Mapping[Path, str], labels: Mapping[Path, str], lengths: Mapping[str, int]
) -> dict[Path, Split]:
    """Return the split of each recording by its content; copies are in one split.

    If training would get less than half of the sound that its share of the recordings implies, the shortest are held
    out instead.

    Args:
        folder: the user's folder, for messages.
        sounds: a checksum of the sound of each recording.
        labels: the label of each, within which recordings are divided; none without labels.
        lengths: the length of each sound.

    Raises:
        TaskError: there are fewer than three different recordings, or of a label.
    """
    groups: dict[str, list[str]] = {}
    seen: set[str] = set()
    for path, sound in sounds.items():
        if sound not in seen:  # a recording with two labels is divided with those of the first one
            groups.setdefault(labels.get(path, ""), []).append(sound)
            seen.add(sound)
    splits: dict[str, Split] = {}
    for label, own in sorted(groups.items()):
        if len(own) < len(Split):
            of_label = f" with label {label!r}" if label else ""
            different = set(own)
            files = sum(sound in different and labels.get(path, "") == label for path, sound in sounds.items())
            recordings = "recording" if files == 1 else "recordings"
            unlike = f", {len(own)} of them different" if files > len(own) else ""
            raise TaskError(
                f"data = {str(folder)!r} has {files} {recordings}{of_label}{unlike}, too few for three splits; give at "
                "least three that differ, or put them into folders train, valid and test"
            )
        held_out = max(1, round(len(own) / _HELD_OUT))
        order = sorted(own)
        sizes = [lengths[sound] for sound in order]
        if trains_little(sizes[2 * held_out :], sizes[: 2 * held_out]):
            order.sort(key=lambda sound: lengths[sound])
        for place, sound in enumerate(order):
            past = place // held_out
            splits[sound] = (Split.VALIDATION, Split.TEST)[past] if past < 2 else Split.TRAIN
    return {path: splits[sound] for path, sound in sounds.items()}


def _by_time(found: Found, span: Integers) -> dict[Split, Part]:
    """Divide a single recording by time."""
    begin, end = span.tolist()
    cuts = [begin, *(begin + (end - begin) * eighths // _HELD_OUT for eighths in (6, 7)), end]
    if cuts[2] - cuts[1] < 2:
        raise TaskError(
            f"{str(found.paths[0])!r} has {end - begin} samples, too few for three splits; give a longer one"
        )
    none = np.empty(0, np.int64)
    ranges = pairwise(cuts)
    return {
        split: Part(np.array([cut], np.int64), np.zeros(1, np.int64), none)
        for split, cut in zip(Split, ranges, strict=True)
    }


def _check_labels(folder: Path, classes: Sequence[str], training: Part) -> None:
    """Raise `TaskError` if a label has no training recording."""
    missing = [label for number, label in enumerate(classes) if number not in training.labels]
    if missing:
        raise TaskError(
            f"data = {str(folder)!r} has no training recording with label {missing[0]!r}; put some into the folder of "
            "training, or leave the label out"
        )


def _converted(
    found: Found, files: Sequence[Sequence[Path]], rate: int, features: Callable[[], Features], append: Append
) -> Arrays:
    """Append the rows of recordings, and return the index: their lengths and measures.

    Args:
        found: the recordings.
        files: the files of each different recording, equal copies.
        rate: samples per second.
        features: makes the features of one recording.
        append: takes the next rows.
    """
    lengths: list[int] = []
    copies = {own[0]: own for own in files}

    def convert(path: Path) -> Measures:
        made = features()
        length = 0

        def take(samples: npt.NDArray[np.float32]) -> None:
            nonlocal length
            rows = made.feed(samples)
            append(rows)
            length += len(rows)

        measures = decode(path, rate, take)
        last = made.end()
        append(last)
        lengths.append(length + len(last))
        return measures

    measured, errors = read_each(list(copies), convert)
    if errors:
        named = {copy: path for path in errors for copy in copies[path]}
        raise _unusable(
            found, {copy: errors[path].replace(repr(str(path)), repr(str(copy))) for copy, path in named.items()}
        )
    arrays = {name: np.array([getattr(one, name) for one in measured.values()]) for name in _MEASURES}
    return arrays | {"lengths": np.array(lengths, np.int64)}


def _unusable(found: Found, errors: Mapping[Path, str]) -> TaskError:
    """Return the error of all files that cannot be used."""
    return unusable(found.folder, len(found.paths), dict(sorted(errors.items())))
