"""Columns that count rows or sequences are recognised, and measurements are not taken for them."""

from __future__ import annotations

import numpy as np

from tasks.description import Kind
from tasks.table_facts import numbering, rising, skipped_facts
from tasks.tables import Skipped

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 9, 30)
ENDS = np.cumsum(LENGTHS)


def test_numbers_of_sequences_and_rows_are_recognised() -> None:
    rows = np.arange(ENDS[-1])
    columns = {
        "row": rows,
        "row of a filtered table": np.cumsum(RNG.integers(1, 4, ENDS[-1])),
        "sequence": np.repeat(RNG.permutation(1000)[:30], LENGTHS),
        "step": np.concatenate([np.arange(length) for length in LENGTHS]),
        "measurement": RNG.normal(size=ENDS[-1]),
        "rising measurement": np.cumsum(RNG.random(ENDS[-1])),
        "whole measurement": RNG.integers(0, 1000, ENDS[-1]),
        "group of a sequence": np.repeat(np.arange(30) // 2, LENGTHS),
    }
    table = np.stack([column.astype(np.float64) for column in columns.values()], axis=1)
    sequences = np.split(table, ENDS[:-1])
    names = list(columns)
    assert [names[k] for k in np.flatnonzero(numbering(sequences))] == names[:3]
    assert [names[k] for k in np.flatnonzero(rising(sequences))] == ["row", "step"]
    assert not numbering(sequences[:9]).any()  # too few to tell


def test_a_missing_value_is_no_number_of_a_row() -> None:
    column = np.arange(60.0)
    column[17] = np.nan
    assert not numbering(np.split(column[:, None], 20)).any()
    assert not rising(np.split(column[:, None], 20)).any()


def test_empty_lines_are_warned_about() -> None:
    (told,) = skipped_facts(Skipped(empty=3))
    assert (told.name, told.value, told.limit) == ("empty lines between rows, not read", 3, 0)


def test_an_index_with_a_name_is_warned_about() -> None:
    assert skipped_facts(Skipped()) == ()
    (unnamed,) = skipped_facts(Skipped(("__index_level_0__",)))
    (named,) = skipped_facts(Skipped(("year",)))
    assert (unnamed.value, unnamed.kind, named.value) == (1, Kind.COUNT, 1)
    assert unnamed.limit > 1 > named.limit
    assert named.remedy == "'year' would be read if an option named them, as `time`, or after reset_index() in pandas"
