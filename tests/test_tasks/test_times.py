"""Times are exact and in their order, whatever their century and unit."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import TaskError
from tasks.tables import Table
from tasks.times import Times, check_order, compact_dates, irregular_steps, times_of


def times(*cells: str) -> Times:
    return times_of("data", table(*cells), "t")


def table(*cells: str) -> Table:
    return Table({}, {"t": np.array(cells, np.str_)}, np.arange(1, len(cells) + 1), "row")


@settings(deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=9))
def test_dates_of_all_years_are_those_of_python(dates: list[datetime.datetime]) -> None:
    found = times(*(date.isoformat() for date in dates))
    assert found.astype("datetime64[us]").tolist() == dates


@settings(deadline=None)
@given(st.lists(st.dates(datetime.date(1000, 1, 1), datetime.date(2999, 12, 31)), min_size=1, max_size=9))
def test_dates_of_digits_are_those_of_python(dates: list[datetime.date]) -> None:
    found = times(*(date.strftime("%Y%m%d") for date in dates))
    assert found.astype("datetime64[D]").tolist() == dates


@pytest.mark.parametrize("year", [1500, 2026])
@pytest.mark.parametrize("rest", ["10:00 GMT+3", "10:00 UTC+1", "01:00 PM", "Fri", "10:00 CET"])
def test_what_is_no_iso_8601_is_refused_in_every_century(year: int, rest: str) -> None:
    """Pandas reads GMT+3 as POSIX does, three hours west of Greenwich."""
    with pytest.raises(TaskError, match="no time"):
        times(f"{year}-11-27 {rest}", f"{year}-11-28 10:00")


def test_offsets_are_those_of_iso_8601_in_every_century() -> None:
    for year in (1500, 2026, 2500):
        found = times(f"{year}-11-27T10:00+03:00", f"{year}-11-27T10:00Z", f"{year}-11-27 10:00:00.5-0130")
        hours = (found - np.datetime64(f"{year}-11-27")) / np.timedelta64(1, "h")
        assert hours == pytest.approx([7.0, 10.0, 11.5 + 0.5 / 3600])


def test_nanoseconds_are_exact_where_they_are_needed() -> None:
    found = times("2001-01-01T00:00:00.000000001", "2001-01-01T00:00:00.000000002Z", "2001-01-01T01:00:00.000000003+01")
    assert np.diff(found).astype(int).tolist() == [1, 1]
    far = times("1500-01-01T00:00:00.000000000", "2001-01-01T00:00:00.000001000")
    assert far.astype(str).tolist() == ["1500-01-01T00:00:00.000000", "2001-01-01T00:00:00.000001"]
    message = "data has the time '1500-01-01', which is beyond the years 1678 to 2261, beside times with nanoseconds; "
    with pytest.raises(TaskError, match=message):
        times("1500-01-01", "2001-01-01T00:00:00.000000001")


def test_zones_are_one_time() -> None:
    found = times("1499-12-31T23:30:00-01:00", "1500-01-01T02:30:00+02:00")
    assert found[0] == found[1] - np.timedelta64(0, "s") == np.datetime64("1500-01-01T00:30:00")


def test_whole_numbers_are_compared_exactly() -> None:
    """Floats of this size are 256 apart."""
    cells = [str(1_700_000_000_000_000_000 + 100 * k) for k in range(9)]
    found = times(*cells)
    check_order("data", table(*cells), "t", found, np.zeros(9, np.int64))
    assert irregular_steps(found) == 0
    cells[5] = str(int(cells[5]) + 1)
    assert irregular_steps(times(*cells)) == 2
    assert times("18446744073709551615", "18446744073709551614").tolist() == [2**64 - 1, 2**64 - 2]
    assert irregular_steps(times("-9223372036854775808", "0", "9223372036854775807")) == 0
    assert times("-1", "+2", "3.5").tolist() == [-1, 2, 3.5]


@pytest.mark.parametrize("cell", ["", "nan", "inf", "1_5", "03.02.2001", "1500-02-30", "10000-01-01", "\uff12", "NaT"])
def test_what_is_no_time_is_refused(cell: str) -> None:
    for other in ("7", "2001-02-03"):
        with pytest.raises(
            TaskError, match=r"no time \(.*row 2, column 't': .*\); write numbers, or ISO 8601 dates such"
        ):
            times(other, cell)


@pytest.mark.parametrize(
    "cells",
    [["20010229"], ["20011301"], ["2001010124"], ["200101012360"], ["20010101235960"], ["20010101", "2001010100"]],
)
def test_digits_that_are_no_dates_are_numbers(cells: list[str]) -> None:
    assert compact_dates(np.array(cells, np.str_)) is None
    assert times(*cells).tolist() == [int(cell) for cell in cells]


def test_months_and_years_before_nanoseconds_are_equal_steps() -> None:
    months = [f"{1500 + k // 12}-{k % 12 + 1:02}-01" for k in range(40)]
    assert irregular_steps(times(*months)) == 0
    assert irregular_steps(times(*(month.replace("-", "") for month in months))) == 0
    assert irregular_steps(times(*months[:7], *months[8:])) == 1
