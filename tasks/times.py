"""Times of the rows of a table: numbers or ISO 8601 dates, their order, and how regular their steps are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.tables import SHOWN, Table, refuse, shown

Times = npt.NDArray[Any]  # (N,) float64, or datetime64[ns]


def times_of(where: str, table: Table, column: str) -> Times:
    """Return the times of a table's rows: numbers if all cells of the column are, else dates by ISO 8601 (in UTC).

    Raises:
        TaskError: a cell is empty, or neither.
    """
    cells = table.texts[column]
    try:
        numbers = cells.astype(np.float64)
    except ValueError:
        pass
    else:
        _check(where, table, column, ~np.isfinite(numbers), "numbers")
        return numbers
    series = pd.Series(cells.astype(object))
    stamps = pd.to_datetime(series.where(series != "", None), format="ISO8601", errors="coerce", utc=True)
    found = stamps.dt.tz_convert(None).to_numpy().astype("datetime64[ns]")
    _check(where, table, column, np.isnat(found), "ISO 8601 dates such as 2026-11-27 or 2026-11-27T10:00")
    return found


def is_date(cell: str) -> bool:
    """Return whether a cell is a date by ISO 8601."""
    return bool(cell) and not pd.isna(pd.to_datetime(cell, format="ISO8601", errors="coerce", utc=True))


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
    """Return how many steps between the times of a series differ from its most frequent step.

    Dates may be a number of months apart: on the same day of the month, or on the last days of months.
    """
    if len(times) < 3:
        return 0
    if times.dtype.kind != "M":
        steps = np.diff(times)
        usual = float(np.median(steps))
        return int((np.abs(steps - usual) > 1e-6 * abs(usual)).sum())
    counts = [_unusual(np.diff(times).astype(np.int64))]
    months = times.astype("datetime64[M]")
    first, last = times - months, (months + np.timedelta64(1, "M")).astype("datetime64[ns]") - times
    if (first == first[0]).all() or (last == last[0]).all():
        counts.append(_unusual(np.diff(months).astype(np.int64)))
    return min(counts)


def _unusual(steps: npt.NDArray[np.int64]) -> int:
    return len(steps) - int(np.unique(steps, return_counts=True)[1].max())


def _check(where: str, table: Table, column: str, wrong: npt.NDArray[np.bool_], what: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        cells = [f"{table.cell(row, column)}: {shown(table.texts[column][row])}" for row in rows[:SHOWN]]
        raise refuse(where, cells, "no time", f"write {what}", len(rows))
