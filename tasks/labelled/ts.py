"""Files `.ts` of the UCR and UEA archive of time series classification.

The format is that of sktime, "ts File Format v1.0", and of aeon, ".ts File Format": comments, a header of lines that
begin with `@`, and after `@data` one sequence a line. Channels are separated by colons, the values of a channel by
commas, and the label stands last. Tags are read in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.errors import TaskError
from tasks.labelled.record import Floats, Labelled, numbers_of, text_lines


@dataclass(frozen=True)
class _Header:
    classes: tuple[str, ...]
    dimensions: int | None  # None: not stated
    equal: bool  # whether all sequences have one length
    length: int | None  # of all sequences; None: not stated


def read_ts(path: Path) -> Labelled:
    """Read a `.ts` file.

    Lengths that the header states must be those of the data lines, since a line may have been cut. What it says of
    missing values is not needed. Other tags than the format's are ignored. Labels must be among the classes of the
    header; their case may differ.

    Raises:
        TaskError: a line breaks the format, or the file has time stamps, or no class labels.
    """
    lines = text_lines(path)
    header = _header(lines, path)
    known = {label.casefold(): label for label in header.classes} | {label: label for label in header.classes}
    sequences: list[Floats] = []
    labels, places = [], []
    for number, line in lines:
        if line.startswith(("#", "%")):
            continue
        where = f"{path}, line {number}"
        if line.startswith("@"):
            raise TaskError(f"{where}: has the tag {line[:40]!r} after @data; move it before @data")
        if line.startswith("("):
            raise TaskError(f"{where}: has time stamps; write the values alone, with @timeStamps false")
        *channels, label = (part.strip() for part in line.split(":"))
        if label not in known and label.casefold() not in known:
            raise TaskError(
                f"{where}: ends with the label {label[:40]!r}; it must be one of @classLabel: {_listed(header.classes)}"
            )
        dimensions = header.dimensions or (sequences[0].shape[1] if sequences else len(channels))
        values = _values(channels, dimensions, where)
        length = header.length or (len(sequences[0]) if sequences else len(values))
        if header.equal and len(values) != length:
            raise TaskError(
                f"{where}: has {len(values):,} steps, and @equalLength true says that each sequence has {length:,}; "
                "correct the line, or write @equalLength false"
            )
        sequences.append(values)
        labels.append(known.get(label) or known[label.casefold()])
        places.append(f"line {number}")
    if not sequences:
        raise TaskError(f"{path}: has no sequence after @data; each line after it is one")
    names = tuple(str(channel) for channel in range(1, sequences[0].shape[1] + 1))
    return Labelled(str(path), sequences, labels, places, names, header.classes)


def _header(lines: Iterator[tuple[int, str]], path: Path) -> _Header:
    """Read the header, up to `@data`."""
    found: dict[str, list[str]] = {}
    for number, line in lines:
        where = f"{path}, line {number}"
        if line.startswith(("#", "%")):
            continue
        if not line.startswith("@"):
            raise TaskError(f"{where}: has {line[:40]!r} before @data; lines of the header begin with # or @")
        tag, *values = line[1:].split()
        tag = tag.lower()
        if tag == "data":
            return _checked_header(found, path)
        if tag != "problemname" and found.get(tag, values) != values:
            raise TaskError(f"{where}: has the tag @{tag} a second time, with another value; keep one of them")
        found[tag] = values
    raise TaskError(f"{path}: has no line @data; it stands before the sequences")


def _checked_header(found: dict[str, list[str]], path: Path) -> _Header:
    if _flag(found, "timestamps", path):
        raise TaskError(f"{path}: has @timeStamps true; write the values without time stamps, and @timeStamps false")
    if _flag(found, "targetlabel", path):
        raise TaskError(f"{path}: has @targetLabel true, which are numbers; this task needs classes, in @classLabel")
    if not _flag(found, "classlabel", path):
        raise TaskError(f"{path}: has no class labels; write @classLabel true, and the labels after it")
    classes = found["classlabel"][1:]
    if not classes:
        raise TaskError(f"{path}: @classLabel true names no class; write the labels after it")
    again = sorted({label for label in classes if classes.count(label) > 1})
    if again:
        raise TaskError(f"{path}: @classLabel has {again[0]!r} more than once; write each label once")
    stated = found.get("dimensions") or found.get("dimension")
    if stated is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", stated[0]):
        raise TaskError(f"{path}: has @dimensions {stated[0][:40]}; it must be a number from 1 to 999999")
    if stated is None and _flag(found, "univariate", path):
        stated = ["1"]
    length = found.get("serieslength")
    if length is not None and not re.fullmatch(r"[0-9]{1,9}", length[0] if length else ""):
        raise TaskError(f"{path}: has @seriesLength {' '.join(length)[:40]!r}; it must be a number of steps")
    return _Header(
        classes=tuple(classes),
        dimensions=None if stated is None else int(stated[0]),
        equal=_flag(found, "equallength", path),
        length=None if length is None else int(length[0]),
    )


def _flag(found: dict[str, list[str]], tag: str, path: Path) -> bool:
    values = found.get(tag)
    if values is None:
        return False
    if not values or values[0].lower() not in ("true", "false"):
        raise TaskError(f"{path}: has @{tag} {' '.join(values)[:40]!r}; it must be true or false")
    return values[0].lower() == "true"


def _values(channels: list[str], dimensions: int, where: str) -> Floats:
    """Return the values (L, D) of a line."""
    if len(channels) != dimensions:
        raise TaskError(
            f"{where}: has {len(channels)} channels before the label; there must be {dimensions}, separated by colons"
        )
    read: list[Floats] = []
    for number, text in enumerate(channels, 1):
        values = numbers_of(text.split(","), f"{where}, channel {number}")
        if read and len(values) != len(read[0]):
            raise TaskError(
                f"{where}: has {len(read[0]):,} values in channel 1, and {len(values):,} in channel {number}; "
                "write ? for those that are missing"
            )
        read.append(values)
    return np.stack(read, axis=1)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(name[:40] for name in names[:12])
    return shown if len(names) <= 12 else f"{shown}, ... ({len(names)})"
