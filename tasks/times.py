"""Times of the rows of a table: numbers or ISO 8601 dates, their order, and how regular their steps are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError
from tasks.tables import SHOWN, Table, number_of, refuse, shown

Times = npt.NDArray[Any]  # (N,) int64, uint64, float64 or datetime64

_FORMS = "write numbers, or ISO 8601 dates such as 2026-11-27 or 2026-11-27T10:00, of the years 1 to 9999"
_COMPACT = (8, 10, 12, 14)  # digits of 20261127, and with hour, minute and second
_DATE = re.compile(
    r"(\d{4})-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:[.,]\d{1,9})?)?)? ?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_YEARS = 1678, 2261  # whole years whose nanoseconds fit: pandas reads their dates itself
_ZEROS = re.compile(r"(\.\d{6})0+")  # of a fraction of a second, beyond microseconds


def times_of(where: str, table: Table, column: str) -> Times:
    """Return the times of a table's rows.

    They are numbers if all cells of the column are, exact where they are whole. Dates are those of ISO 8601 (in UTC);
    or they are digits alone, 20261127, 2026112710 and so on, if each cell is such a date.

    Raises:
        TaskError: a cell is empty, or neither; or dates are so far apart that nanoseconds do not fit.
    """
    cells = table.texts[column]
    for reader in (compact_dates, _whole, _real):
        found = reader(cells)
        if found is not None:
            break
    else:
        found = _dates(where, cells)
    _check(where, table, column, ~np.isfinite(found))
    return found


def is_date(cell: str) -> bool:
    """Return whether a cell is a date by ISO 8601."""
    if not cell:
        return False
    import pandas as pd  # slow to import

    return not pd.isna(pd.to_datetime(cell, format="ISO8601", errors="coerce", utc=True)) or _far_date(cell) is not None


def is_compact_time(cells: Sequence[str], *, grouped: bool) -> bool:
    """Return whether successive cells of a column are dates of digits alone, in increasing order.

    Args:
        cells: the first cells of the column.
        grouped: whether rows of several series are mixed, so that dates may repeat and fall.
    """
    dates = compact_dates(np.array(cells, np.str_))
    if dates is None or len(dates) < 2:
        return False
    return bool(len(np.unique(dates)) > 1 if grouped else (dates[1:] > dates[:-1]).all())


def compact_dates(cells: npt.NDArray[np.str_]) -> Times | None:
    """Return the dates of cells of digits alone, year first; None unless all are valid dates of one form."""
    width = cells.dtype.itemsize // 4
    if width not in _COMPACT or not len(cells):
        return None
    digits = _codes(cells).astype(np.int64) - ord("0")
    if (digits < 0).any() or (digits > 9).any():  # padding, too, so that all have one length
        return None
    year = digits[:, :4] @ [1000, 100, 10, 1]
    month, day, *clock = (digits[:, place] * 10 + digits[:, place + 1] for place in range(4, width, 2))
    if not ((year >= 1000) & (year < 3000) & (month >= 1) & (month <= 12) & (day >= 1)).all():
        return None
    months = (year * 12 + month - 1 - 1970 * 12).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (days.astype("datetime64[M]") != months).any():
        return None
    found: Times = days.astype("datetime64[s]")
    for value, limit, seconds in zip(clock, (24, 60, 60), (3600, 60, 1), strict=False):
        if (value >= limit).any():
            return None
        found = found + value * seconds
    return found


def check_order(where: str, table: Table, column: str, times: Times, groups: npt.NDArray[np.int64]) -> None:
    """Raise `TaskError` unless the times of each group increase from row to row."""
    order = np.argsort(groups, kind="stable")
    together = groups[order][1:] == groups[order][:-1]
    ordered = times[order]
    wrong = np.flatnonzero(together & ~(ordered[1:] > ordered[:-1]))
    if not len(wrong):
        return
    cells = table.texts[column]
    first = [
        f"{table.cell(order[k + 1], column)}: {shown(cells[order[k + 1]])} after {shown(cells[order[k]])}"
        for k in wrong[:SHOWN]
    ]
    remedy = "sort the rows by time, keep one row for each time"
    if not groups.any():
        remedy += ", and name the column of the series in `group` if there are several"
    raise refuse(where, first, "not later than the row before", remedy, len(wrong))


def irregular_steps(times: Times) -> int:
    """Return how many steps between the increasing times of a series differ from its most frequent step.

    Dates may be a number of months apart: on the same day of the month, or on the last days of months.
    """
    if len(times) < 3:
        return 0
    if times.dtype.kind != "M":
        if times.dtype.kind == "i" and int(times[-1]) - int(times[0]) >= 1 << 63:  # the steps may not fit
            times = times.astype(np.float64)
        steps = np.diff(times)
        usual = float(np.median(steps))
        return int((np.abs(steps - usual) > 1e-6 * abs(usual)).sum())
    counts = [_unusual(np.diff(times).astype(np.int64))]
    months = times.astype("datetime64[M]")
    first, last = times - months, (months + np.timedelta64(1, "M")).astype(times.dtype) - times
    if (first == first[0]).all() or (last == last[0]).all():
        counts.append(_unusual(np.diff(months).astype(np.int64)))
    return min(counts)


def _unusual(steps: npt.NDArray[np.int64]) -> int:
    return len(steps) - int(np.unique(steps, return_counts=True)[1].max())


def _codes(cells: npt.NDArray[np.str_]) -> npt.NDArray[np.uint32]:
    """Return the characters of cells, (N, width), padded with 0."""
    return np.ascontiguousarray(cells).view(np.uint32).reshape(len(cells), -1)


def _whole(cells: npt.NDArray[np.str_]) -> Times | None:
    """Return whole numbers; None unless all cells are, and fit into 64 bits."""
    codes = _codes(cells)
    digits = (codes >= ord("0")) & (codes <= ord("9"))
    allowed = digits | (codes == 0)
    allowed[:, :1] |= (codes[:, :1] == ord("-")) | (codes[:, :1] == ord("+"))
    if not (allowed.all() and digits.any(axis=1).all()):
        return None
    for kind in (np.int64, np.uint64):
        try:
            return np.array([int(cell) for cell in cells.tolist()], kind)
        except (OverflowError, ValueError):
            continue
    return None


def _real(cells: npt.NDArray[np.str_]) -> Times | None:
    """Return numbers; None unless all cells are."""
    numbers = [number_of(cell) for cell in cells.tolist()]
    return None if None in numbers else np.array(numbers, np.float64)


def _dates(where: str, cells: npt.NDArray[np.str_]) -> Times:
    """Return dates by ISO 8601, NaT where a cell is none: in a unit that is exact and holds all of them."""
    import pandas as pd  # slow to import

    series = pd.Series(cells.astype(object))
    stamps = pd.to_datetime(series.where(series != "", None), format="ISO8601", errors="coerce", utc=True)
    found: Times = stamps.dt.tz_convert(None).to_numpy()
    # Nanoseconds hold the years from 1678 to 2261 alone, and pandas takes other dates for none among them.
    far = {row: _far_date(str(cells[row])) for row in np.flatnonzero(np.isnat(found))}
    far = {row: date for row, date in far.items() if date is not None}
    if not far:
        return found
    coarse: Times = found.astype("datetime64[us]")
    if (coarse != found)[~np.isnat(found)].any():
        row = next(iter(far))
        raise TaskError(
            f"{where} has the time {shown(cells[row])}, which is beyond the years 1678 to 2261, beside times with "
            "nanoseconds; write all times with microseconds at most"
        )
    for row, date in far.items():
        coarse[row] = date
    return coarse


def _far_date(cell: str) -> np.datetime64 | None:
    """Return a date whose nanoseconds do not fit, in microseconds; None if it is no date, or has nanoseconds."""
    date = _DATE.fullmatch(cell)
    if date is None or _YEARS[0] <= int(date[1]) <= _YEARS[1]:
        return None
    import pandas as pd  # slow to import

    try:
        stamp = pd.Timestamp(_ZEROS.sub(r"\1", cell))
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        return np.datetime64(stamp.as_unit("us", round_ok=False).to_datetime64())
    except (ValueError, OverflowError):
        return None


def _check(where: str, table: Table, column: str, wrong: npt.NDArray[np.bool_]) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        cells = [f"{table.cell(row, column)}: {shown(table.texts[column][row])}" for row in rows[:SHOWN]]
        raise refuse(where, cells, "no time", _FORMS, len(rows))
