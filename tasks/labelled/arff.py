r"""Files `.arff` of the UCR and UEA archive of time series classification.

The format is Weka's. A univariate sequence is a line of numeric attributes with the label. A multivariate one is a
relational attribute with the label: a quoted text in which each channel is a line, ended by `\n`. SciPy's reader takes
the quotes of all lines from the first one, and names no line in its errors, so this module reads the lines itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tasks.errors import TaskError
from tasks.labelled.record import Floats, Labelled, numbers_of, text_lines

_NUMERIC = ("numeric", "real", "integer")
_NAME = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{}]+)"""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_NAME})\s*(.*)", re.IGNORECASE)
_FIELD = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,'"]*)\s*(,|$)""")


@dataclass
class _Attribute:
    name: str
    kind: str  # "numeric", "relational" or "nominal"
    classes: tuple[str, ...] = ()
    columns: list[str] = field(default_factory=list)  # of a relational one


def read_arff(path: Path) -> Labelled:
    """Read an `.arff` file whose last attribute is the label, and nominal.

    The other attributes are the steps of one channel, or one relational attribute, whose rows are the channels.

    Raises:
        TaskError: a line breaks the format, or the attributes are others.
    """
    lines = text_lines(path)
    attributes = _attributes(lines, path)
    label = attributes[-1]
    if label.kind != "nominal":
        raise TaskError(
            f"{path}: the last attribute {label.name!r} is {label.kind}; it must be the label, {{a, b, ...}}"
        )
    values = attributes[:-1]
    relational = len(values) == 1 and values[0].kind == "relational"
    others = [attribute for attribute in values if attribute.kind != "numeric"]
    if not values or (others and not relational):
        what = f"{others[0].name!r} is {others[0].kind}" if others else "there is none"
        raise TaskError(
            f"{path}: of the attributes before the label, {what}; they must be numeric, or one relational attribute"
        )
    sequences, labels, places, channels = [], [], [], 0
    for number, line in lines:
        if line.startswith("%"):
            continue
        where = f"{path}, line {number}"
        *fields, found = _fields(line, where)
        if len(fields) != len(values):
            raise TaskError(
                f"{where}: has {len(fields) + 1} fields; there must be {len(attributes)}, one per attribute"
            )
        if found not in label.classes:
            raise TaskError(
                f"{where}: has the label {found[:40]!r}; it must be one of {', '.join(label.classes)[:200]}"
            )
        rows = re.split(r"\\n|\n", fields[0]) if relational else [",".join(fields)]
        sequence = _sequence(rows, len(values[0].columns) if relational else len(values), where)
        if channels and sequence.shape[1] != channels:
            raise TaskError(f"{where}: has {sequence.shape[1]} channels, and the first sequence {channels}; correct it")
        channels = sequence.shape[1]
        sequences.append(sequence)
        labels.append(found)
        places.append(f"line {number}")
    if not sequences:
        raise TaskError(f"{path}: has no sequence after @data; each line after it is one")
    names = tuple(str(channel) for channel in range(1, channels + 1))
    return Labelled(str(path), sequences, labels, places, names, label.classes)


def _attributes(lines: Iterator[tuple[int, str]], path: Path) -> list[_Attribute]:
    """Read the header, up to `@data`."""
    found: list[_Attribute] = []
    outer: _Attribute | None = None  # the relational attribute that is open
    for number, line in lines:
        where = f"{path}, line {number}"
        lower = line.lower()
        if line.startswith("%") or lower.startswith("@relation"):
            continue
        if lower.startswith("@data"):
            if outer is not None:
                raise TaskError(f"{where}: the relational attribute {outer.name!r} has no @end; write it before @data")
            if len(found) < 2:
                raise TaskError(
                    f"{where}: there are {len(found)} attributes before @data; values and a label are needed"
                )
            return found
        if lower.startswith("@end") and outer is not None:
            outer = None
            continue
        match = _ATTRIBUTE.fullmatch(line)
        if match is None:
            raise TaskError(f"{where}: has {line[:40]!r} before @data; it must be @attribute NAME KIND")
        attribute = _attribute(_unquoted(match[1]), match[2].strip(), where)
        if outer is None:
            found.append(attribute)
            outer = attribute if attribute.kind == "relational" else None
        elif attribute.kind == "numeric":
            outer.columns.append(attribute.name)
        else:
            raise TaskError(f"{where}: {attribute.name!r} is {attribute.kind}; within @relational all must be numeric")
    raise TaskError(f"{path}: has no line @data; it stands before the sequences")


def _attribute(name: str, kind: str, where: str) -> _Attribute:
    lower = kind.lower()
    if lower.split() and lower.split()[0] in _NUMERIC:
        return _Attribute(name, "numeric")
    if lower == "relational":
        return _Attribute(name, "relational")
    if kind.startswith("{") and kind.endswith("}"):
        classes = tuple(_fields(kind[1:-1], where))
        again = sorted({label for label in classes if classes.count(label) > 1})
        if again:
            raise TaskError(f"{where}: has the label {again[0][:40]!r} more than once; write each once")
        return _Attribute(name, "nominal", classes)
    raise TaskError(f"{where}: {name!r} is of the kind {kind[:40]!r}; use numeric, relational or {{a, b, ...}}")


def _fields(line: str, where: str) -> list[str]:
    """Return the fields of a line, separated by commas, without blanks and quotes around them."""
    if line.startswith("{"):
        raise TaskError(f"{where}: is sparse, {{index value, ...}}; write all values of the line")
    fields, at = [], 0
    while True:
        match = _FIELD.match(line, at)
        if match is None:
            raise TaskError(f"{where}: has a quote that does not end, or text beside it; write 'text' or \"text\"")
        fields.append(_unquoted(match[1].strip()))
        if not match[2]:
            return fields
        at = match.end()


def _unquoted(text: str) -> str:
    r"""Return a text without the quotes around it; `\n` is kept as it is written."""
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return re.sub(r"\\(['\"\\])", r"\1", text[1:-1])
    return text


def _sequence(rows: list[str], steps: int, where: str) -> Floats:
    """Return the values (L, D) of the rows of a sequence, one for each channel."""
    while len(rows) > 1 and not rows[-1].strip():  # after the last `\n`
        rows = rows[:-1]
    read = []
    for channel, row in enumerate(rows, 1):
        values = numbers_of(row.split(","), f"{where}, channel {channel}")
        if len(values) != steps:
            raise TaskError(f"{where}, channel {channel}: has {len(values):,} values; there must be {steps:,}")
        read.append(values)
    return np.stack(read, axis=1)
