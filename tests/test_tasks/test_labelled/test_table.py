"""Long tables: rows belong to sequences, sorted by time, with one label each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.errors import TaskError
from tasks.labelled.table import Columns, read_label_table

COLUMNS = Columns("id", "time", "label")
TABLE = """id,time,x,y,label
b,2,5,50,up
a,1,1,10,down
b,1,4,40,up
a,3,3,,down
a,2,2,20,down
"""


def written(path: Path, text: str) -> Path:
    file = path / "table.csv"
    file.write_text(text)
    return file


def test_rows_are_sorted_within_each_sequence(tmp_path: Path) -> None:
    found = read_label_table(written(tmp_path, TABLE), COLUMNS)
    frame = pd.read_csv(tmp_path / "table.csv").sort_values("time")
    for place, name in enumerate(("b", "a")):  # in order of their first rows
        expected = frame[frame["id"] == name][["x", "y"]].to_numpy(np.float64)
        np.testing.assert_array_equal(found.sequences[place], expected)
    assert list(found.labels) == ["up", "down"]
    assert found.channels == ("x", "y")
    assert found.classes == ("down", "up")
    assert list(found.uneven) == [False, False]
    assert list(found.places) == ["id 'b'", "id 'a'"]


def test_without_times_rows_are_in_order_and_ignored_columns_are_not_read(tmp_path: Path) -> None:
    found = read_label_table(written(tmp_path, TABLE), Columns("id", None, "label", ("time", "y")))
    assert [sequence[:, 0].tolist() for sequence in found.sequences] == [[5, 4], [1, 3, 2]]
    assert found.channels == ("x",)
    assert list(found.uneven) == []
    assert list(found.apart) == [True, True]


def test_sequences_are_told_apart_from_interleaved_ones_only_where_times_do_not_order_them(tmp_path: Path) -> None:
    rows = sorted(TABLE.splitlines()[1:])
    together = "\n".join([TABLE.splitlines()[0], *rows])
    assert (
        list(read_label_table(written(tmp_path, together), Columns("id", None, "label", ("time",))).apart)
        == [False] * 2
    )
    again = f"{together}\na,1,9,9,down\n"  # the id of another sequence, used twice
    found = read_label_table(written(tmp_path, again), Columns("id", None, "label", ("time",)))
    assert list(found.apart) == [True, False]
    assert list(read_label_table(written(tmp_path, TABLE), COLUMNS).apart) == []


def test_uneven_times_and_dates_are_told(tmp_path: Path) -> None:
    dates = TABLE.replace(",1,", ",2024-01-01,").replace(",2,", ",2024-01-02T00:00,").replace(",3,", ",2024-01-05,")
    found = read_label_table(written(tmp_path, dates), COLUMNS)
    assert list(found.uneven) == [False, True]
    assert found.sequences[1][:, 0].tolist() == [1, 2, 3]


def test_labels_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    rows = "".join(f"{k},0,{k},{label}\n" for k, label in enumerate((10, 9, 2, 10)))
    found = read_label_table(written(tmp_path, f"id,time,x,label\n{rows}"), COLUMNS)
    assert found.classes == ("2", "9", "10")
    assert list(found.labels) == ["10", "9", "2", "10"]


def test_leading_zeros_tell_sequences_apart(tmp_path: Path) -> None:
    found = read_label_table(written(tmp_path, "id,time,x,label\n01,0,5,a\n1,0,6,b\n"), COLUMNS)
    assert [sequence.tolist() for sequence in found.sequences] == [[[5.0]], [[6.0]]]


def test_parquet_and_npz_are_the_same_table(tmp_path: Path) -> None:
    expected = read_label_table(written(tmp_path, TABLE), COLUMNS)
    frame = pd.read_csv(tmp_path / "table.csv")
    arrays: dict[str, Any] = {name: frame[name].to_numpy() for name in ("time", "x", "y")}
    arrays |= {name: frame[name].to_numpy(np.str_) for name in ("id", "label")}
    np.savez(tmp_path / "table.npz", **arrays)
    paths = [tmp_path / "table.npz"]
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        pass
    else:
        frame.to_parquet(tmp_path / "table.parquet")
        paths.append(tmp_path / "table.parquet")
    for path in paths:
        found = read_label_table(path, COLUMNS)
        for one, other in zip(found.sequences, expected.sequences, strict=True):
            np.testing.assert_array_equal(one, other)
        assert (list(found.labels), found.channels) == (list(expected.labels), expected.channels)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a,3,3,,down", "a,3,3,,up", r"line 5, column 'label': id 'a' has the labels 'down' and 'up'; give it one"),
        ("a,3,3,,down", "a,3,3,,", r"line 5, column 'label': is empty; each row needs one"),
        ("a,3,3,,down", ",3,3,,down", r"line 5, column 'id': is empty; each row needs one"),
        ("a,3,3", "a,2,3", r"line 6, column 'time': id 'a' has this time twice; leave one of the rows out, or give"),
        ("a,3,3", "a,noon,3", r"line 5, column 'time': 'noon'"),
        ("a,3,3", "a,3,three", r"line 5, column 'x': 'three'"),
        (
            "id,",
            "name,",
            r"has no column 'id'; it has 'name', 'time', 'x', 'y', 'label': name one of these in the options",
        ),
        ("x,y", "x,x", r"columns 3 and 4 are both named 'x'; rename one"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TABLE
    with pytest.raises(TaskError, match=message) as caught:
        read_label_table(written(tmp_path, TABLE.replace(old, new)), COLUMNS)
    assert "\n" not in str(caught.value)
    assert "table.csv" in str(caught.value)


def test_a_table_without_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"has no column of values beside 'id', 'label', 'time'; add one per channel"):
        read_label_table(written(tmp_path, "id,time,label\na,1,x\n"), COLUMNS)


def test_labels_that_only_python_reads_as_numbers_are_sorted_by_the_alphabet(tmp_path: Path) -> None:
    for labels, expected in (
        (["10", "9", "1e1"], ["9", "10", "1e1"]),
        (["1_2", "1_10"], ["1_10", "1_2"]),
        (["nan", "2", "10"], ["10", "2", "nan"]),
    ):
        rows = [f"{k},{t},1.5,{label}" for k, label in enumerate(labels) for t in range(2)]
        found = read_label_table(written(tmp_path, "\n".join(["id,time,x,label", *rows])), COLUMNS)
        assert list(found.classes) == expected


def test_times_are_sorted_in_any_century(tmp_path: Path) -> None:
    years = np.random.default_rng(0).permutation(np.arange(1670, 1686))
    rows = [f"{k},{year}-01-01,{year},{'ab'[k]}" for k in range(2) for year in years]
    found = read_label_table(written(tmp_path, "\n".join(["id,time,x,label", *rows])), COLUMNS)
    assert [sequence[:, 0].tolist() for sequence in found.sequences] == [list(range(1670, 1686))] * 2
    assert list(found.uneven) == [False, False]
