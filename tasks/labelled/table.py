"""Labelled sequences in a long table: a row for each step, with the sequence, the time, the values and the label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError
from tasks.labelled.record import Labelled
from tasks.table_files import read_table
from tasks.tables import Table, number_of, shown
from tasks.times import irregular_steps, times_of


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a long table; all others are the values of the channels.

    Attributes:
        sequence: the sequence that a row belongs to.
        time: when it was measured, numbers or dates; the rows of a sequence are sorted by it. None: they are in order.
        label: the label of the sequence, the same in all of its rows.
        ignore: columns that are not read.
        decimal: decimal mark of a CSV file, a point or a comma.
    """

    sequence: str
    time: str | None
    label: str
    ignore: tuple[str, ...] = ()
    decimal: str = "."


def read_label_table(path: Path, columns: Columns) -> Labelled:
    """Read a long table, CSV, Parquet or `.npz` (`tasks.table_files`).

    Raises:
        TaskError: the file or a column is unusable, a sequence has two labels, or a time twice.
    """
    texts = [name for name in (columns.sequence, columns.label, columns.time) if name is not None]
    table = read_table(path, texts, columns.ignore, decimal=columns.decimal)
    if not table.numbers:
        raise TaskError(f"{path}: has no column of values beside {', '.join(map(shown, texts))}; add one per channel")
    values = np.stack(list(table.numbers.values()), axis=1)
    codes, sequences = _coded(table, columns.sequence, path)
    label_codes, labels = _coded(table, columns.label, path)
    times = None if columns.time is None else times_of(str(path), table, columns.time)
    order = np.argsort(codes, kind="stable") if times is None else np.lexsort((times, codes))
    parts = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    uneven: list[bool] = []
    apart: list[bool] = []
    for sequence, rows in zip(sequences, parts, strict=True):
        others = label_codes[rows] != label_codes[rows[0]]
        if others.any():
            row = int(rows[others][0])
            raise TaskError(
                f"{path}, {table.cell(row, columns.label)}: {columns.sequence} {shown(sequence)} has the labels "
                f"{shown(labels[label_codes[rows[0]]])} and {shown(labels[label_codes[row]])}; give it one"
            )
        if times is not None:
            same = times[rows][1:] == times[rows][:-1]
            if same.any():
                row = int(rows[1:][same][0])
                raise TaskError(
                    f"{path}, {table.cell(row, columns.time or '')}: {columns.sequence} {shown(sequence)} has this "
                    "time twice; leave one of the rows out, or give each a time of its own"
                )
            uneven.append(irregular_steps(times[rows]) > 0)
        else:
            apart.append(int(rows[-1] - rows[0]) >= len(rows))
    return Labelled(
        source=str(path),
        sequences=[values[rows] for rows in parts],
        labels=[labels[label_codes[rows[0]]] for rows in parts],
        places=[f"{columns.sequence} {shown(sequence)}" for sequence in sequences],
        channels=tuple(table.numbers),
        classes=tuple(_in_order(labels)),
        uneven=uneven,
        apart=apart,
        skipped=table.skipped,
    )


def _coded(table: Table, name: str, path: Path) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the number of each row's text in a column, and the texts in order of their first row."""
    column = table.texts[name]
    empty = np.flatnonzero(column == "")
    if len(empty):
        raise TaskError(f"{path}, {table.cell(int(empty[0]), name)}: is empty; each row needs one")
    found, first, codes = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], [str(text) for text in found[order]]


def _in_order(labels: list[str]) -> list[str]:
    """Return labels by their numbers if all are numbers, else by the alphabet."""
    numbers = {label: number_of(label) for label in labels}
    if any(number is None or math.isnan(number) for number in numbers.values()):  # NaN is in no order
        return sorted(labels)
    return sorted(labels, key=lambda label: numbers[label] or 0.0)
