"""Series of a table: rows by group, division into splits, missing values, and standard units.

Dimension letters: N rows, C columns, h horizon.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.batch import Split
from tasks.cache import load_or_build
from tasks.errors import TaskError
from tasks.pieces import Steps
from tasks.splits import trains_little
from tasks.table_files import read_table
from tasks.tables import SHOWN, Floats, Skipped, refuse, shown
from tasks.times import check_order, irregular_steps, times_of

Integers = npt.NDArray[np.int64]

_ORDER = (Split.TRAIN, Split.VALIDATION, Split.TEST)
_PARTS = ("values", "names", "groups", "times", "places", "unit", "index", "empty")


class Missing(StrEnum):
    """Treatment of missing values."""

    REFUSE = "refuse"
    FORWARD = "forward"  # the last known value of the series; it is never a target that counts
    DROP = "drop"  # rows with a missing value are left out


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a file.

    Attributes:
        values: (N, C); NaN where a value is missing.
        names: names of the C columns.
        groups: (N,) number of the group of each row, 0, 1, 2 ... in the order of the file.
        times: (N,) numbers or dates; None without a time column.
        places: (N,) line or row of the file, as `unit` says.
        unit: what `places` count.
        skipped: what of the file is left out.
    """

    values: Floats
    names: tuple[str, ...]
    groups: Integers
    times: npt.NDArray[np.generic] | None
    places: Integers
    unit: str
    skipped: Skipped


@dataclass(frozen=True, eq=False)
class Part:
    """Series of one split, cleaned; h rows of each only serve as targets.

    Attributes:
        values: (N, C) in the units of the file, without gaps.
        filled: (N, C) whether a value was missing and is the last known one.
        lengths: (S,) rows of each series, more than h.
        dropped: number of rows left out because of a missing value.
        short: number of series left out because they have too few rows.
        irregular: number of steps of another length than usual; None without a time column.
        digests: checksum of each series.
    """

    values: Floats
    filled: npt.NDArray[np.bool_]
    lengths: Integers
    dropped: int
    short: int
    irregular: int | None
    digests: tuple[bytes, ...]

    def steps(self, horizon: int, targets: Integers, centre: Floats, scale: Floats) -> Steps:
        """Return the steps that can be forecast, in standard units; those whose target was missing do not count."""
        values = ((self.values - centre) / scale).astype(np.float32)
        known = np.logical_not(np.any(self.filled[:, targets], axis=1))
        place = np.arange(len(values)) - np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        now = np.flatnonzero(place < np.repeat(self.lengths, self.lengths) - horizon)
        later = now + horizon
        return Steps(values[now], values[later][:, targets], known[later].astype(np.float32), self.lengths - horizon)


def read_rows(
    path: Path, time: str | None, group: str | None, ignore: tuple[str, ...], decimal: str, header: bool, key: str
) -> Rows:
    """Read a file; what was read is cached under `key`.

    Raises:
        TaskError: `tasks.table_files.read_table` refuses it, the rows of a group are not in the order of time, a group
            has no name, or no column is left.
    """
    where = f"data = {str(path)!r}"

    def build() -> dict[str, npt.NDArray[np.generic]]:
        texts = tuple(name for name in (time, group) if name is not None)
        table = read_table(path, texts, ignore, decimal=decimal, header=header)
        if not table.numbers:
            raise TaskError(f"{where} has no column of numbers beside {', '.join(map(shown, [*texts, *ignore]))}")
        groups = np.zeros(len(table.places), np.int64)
        if group is not None:
            empty = np.flatnonzero(table.texts[group] == "")
            if len(empty):
                cells = [table.cell(row, group) for row in empty[:SHOWN]]
                raise refuse(where, cells, "empty", "name the series of each row", len(empty))
            _, first, inverse = np.unique(table.texts[group], return_index=True, return_inverse=True)
            groups = np.argsort(np.argsort(first))[inverse].astype(np.int64)
        times: npt.NDArray[np.generic] = np.empty(0)
        if time is not None:
            times = times_of(where, table, time)
            check_order(where, table, time, times, groups)
        return {
            "values": np.column_stack(list(table.numbers.values())),
            "names": np.array(list(table.numbers), np.str_),
            "groups": groups,
            "times": times,
            "places": table.places,
            "unit": np.array([table.unit]),
            "index": np.array(table.skipped.index, np.str_),
            "empty": np.array([table.skipped.empty]),
        }

    found = load_or_build("series", key, _PARTS, build)
    times = found["times"] if len(found["times"]) else None
    names = tuple(map(str, found["names"]))
    skipped = Skipped(tuple(map(str, found["index"])), int(found["empty"][0]))
    return Rows(found["values"], names, found["groups"], times, found["places"], str(found["unit"][0]), skipped)


def splits_by_time(rows: Rows, validation: float, test: float) -> npt.NDArray[np.int8]:
    """Return the split of each row as a place in `Split`: the first rows train, the last ones test.

    With a time column all groups are cut at the same times, else each at the same share of its rows.
    """
    found = np.zeros(len(rows.values), np.int8)
    if rows.times is not None:
        ordered = np.sort(rows.times)
        for cut in _cuts(len(ordered), validation, test):
            found += (rows.times >= ordered[cut]).astype(np.int8) if cut < len(ordered) else np.int8(0)
        return found
    for members in _members(rows.groups):
        for cut in _cuts(len(members), validation, test):
            found[members[cut:]] += 1
    return found


def splits_by_group(where: str, rows: Rows, validation: float, test: float) -> npt.NDArray[np.int8]:
    """Return the split of each row: whole groups, in the order of a hash of their values; copies are in one split.

    If training would get less than half of the rows that its share of the groups implies, the shortest groups are held
    out instead.

    Raises:
        TaskError: there are fewer than three different groups.
    """
    members = list(_members(rows.groups))
    digests = [_digest(rows.values[each]) for each in members]
    different = sorted(set(digests))
    if len(different) < len(_ORDER):
        raise TaskError(
            f"{where} has {len(different)} different series; a split by group needs at least 3, so set split = 'time'"
        )
    held = min(max(1, round(len(different) * validation)), len(different) - 2)
    last = min(max(1, round(len(different) * test)), len(different) - 1 - held)
    bounds = (len(different) - held - last, len(different) - last)
    lengths = dict(zip(digests, map(len, members), strict=True))
    sizes = [lengths[digest] for digest in different]
    if trains_little(sizes[: bounds[0]], sizes[bounds[0] :]):
        different.sort(key=lambda digest: -lengths[digest])
    place = {digest: int(np.searchsorted(bounds, k, side="right")) for k, digest in enumerate(different)}
    found = np.zeros(len(rows.values), np.int8)
    for each, digest in zip(members, digests, strict=True):
        found[each] = place[digest]
    return found


def parts_of(
    where: str, rows: Rows, splits: npt.NDArray[np.int8], horizon: int, missing: Missing
) -> Mapping[Split, Part]:
    """Return the series of each split, cleaned.

    Raises:
        TaskError: values are missing and are to be refused, or no series of a split has more than `horizon` rows.
    """
    gaps = np.isnan(rows.values)
    if missing is Missing.REFUSE and gaps.any():
        first = np.argwhere(gaps)[:SHOWN]
        cells = [f"{rows.unit} {rows.places[row]:,}, column {shown(rows.names[column])}" for row, column in first]
        remedy = "set missing = 'forward' (the last known value) or 'drop' (without these rows), or fill them in"
        raise refuse(where, cells, "missing", remedy, int(gaps.sum()))
    members = list(_members(rows.groups))
    return {
        split: _part(where, split, rows, [each[splits[each] == number] for each in members], horizon, missing)
        for number, split in enumerate(_ORDER)
    }


def _part(where: str, split: Split, rows: Rows, series: list[Integers], horizon: int, missing: Missing) -> Part:
    values, filled, digests = [], [], []
    dropped = short = longest = 0
    irregular = None if rows.times is None else 0
    for own in series:
        known = ~np.isnan(rows.values[own])
        # Rows before the first value of a column cannot be filled.
        kept = (known if missing is Missing.DROP else np.logical_or.accumulate(known, axis=0)).all(axis=1)
        dropped += int((~kept).sum())
        members, known = own[kept], known[kept]
        longest = max(longest, len(members))
        if len(members) <= horizon:
            short += len(own) > 0
            continue
        last = np.maximum.accumulate(np.where(known, np.arange(len(members))[:, None], 0), axis=0)
        values.append(np.take_along_axis(rows.values[members], last, axis=0))
        filled.append(~known)
        digests.append(_digest(values[-1]))
        if irregular is not None and rows.times is not None:
            irregular += irregular_steps(rows.times[members])
    if not values:
        raise TaskError(
            f"{where}: the longest series of {split} has {longest:,} rows, but horizon = {horizon} needs "
            f"{horizon + 1:,}; give longer series, a shorter horizon, or larger shares of validation and test"
        )
    lengths = np.array([len(each) for each in values], np.int64)
    return Part(np.concatenate(values), np.concatenate(filled), lengths, dropped, short, irregular, tuple(digests))


def _members(groups: Integers) -> Iterator[Integers]:
    """Yield the rows of each group, in the order of the file."""
    order = np.argsort(groups, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _cuts(count: int, validation: float, test: float) -> tuple[int, int]:
    """Return where validation and test begin among `count` rows."""
    return round(count * (1.0 - validation - test)), round(count * (1.0 - test))


def _digest(values: Floats) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
