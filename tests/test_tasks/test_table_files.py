"""Tables are read exactly, from every kind of file; what cannot be read is named by line and column."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import csv_file
from tasks.errors import TaskError
from tasks.table_files import date_column, read_table
from tasks.tables import Table

NUMBERS = np.array([[1.5, -2.0], [0.1 + 0.2, 1e-300], [np.pi, 123456789.125]])
"""Numbers whose decimal form is long."""


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def columns(table: Table) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in table.numbers.items()}


def refusal(path: Path, text: str, encoding: str = "utf-8", **options: bool | str) -> str:
    """Return the message with which a text is refused."""
    with pytest.raises(TaskError) as caught:
        read_table(written(path, text, encoding), **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"data = {str(path)!r}")
    return message.removeprefix(f"data = {str(path)!r}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_numbers_of_csv_files_are_exact(file: Path, separator: str, end: str, encoding: str) -> None:
    rows = [["größe", "b c"], *([repr(float(value)) for value in row] for row in NUMBERS)]
    table = read_table(written(file, end.join(map(separator.join, rows)), encoding))
    assert columns(table) == {"größe": NUMBERS[:, 0].tolist(), "b c": NUMBERS[:, 1].tolist()}
    assert table.places.tolist() == [2, 3, 4]


def test_a_file_that_pandas_wrote_is_read_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 3)), columns=["a", "b, c", 'd "e"'])
    frame.loc[3, "a"] = np.nan
    frame["whole"], frame["truth"] = rng.integers(-5, 5, 100), rng.random(100) < 0.5
    for name in ("table.csv", "table.csv.gz"):
        frame.to_csv(tmp_path / name, index=False)
        read = read_table(tmp_path / name)
        assert list(read.numbers) == list(frame.columns)
        for column, values in read.numbers.items():
            np.testing.assert_array_equal(values, frame[column].astype(float))


def test_decimal_commas_are_read_where_they_are_announced(file: Path) -> None:
    text = "a;b\n1,5;2\n-0,25;1e3\n"
    message = refusal(file, text)
    assert message == (
        ": 2 cells are no number (line 2, column 'a': '1,5'; line 3, column 'a': '-0,25'); "
        "with decimal commas, set decimal = ','; write thousands without marks"
    )
    assert columns(read_table(file, decimal=",")) == {"a": [1.5, -0.25], "b": [2.0, 1000.0]}
    assert columns(read_table(written(file, 'a,b\n"1,5",2\n'), decimal=",")) == {"a": [1.5], "b": [2.0]}
    assert "line 2, column 'a': '1.234'" in refusal(file, "a;b\n1.234;2\n", decimal=",")  # of thousands, perhaps


def test_missing_cells_truth_values_and_empty_lines(file: Path) -> None:
    table = read_table(written(file, "\na,b\n1,NA\n\n,true\n NaN ,False\n?,null\n\n"))
    np.testing.assert_array_equal(table.numbers["a"], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(table.numbers["b"], [np.nan, 1, 0, np.nan])
    assert table.places.tolist() == [3, 5, 6, 7]
    assert table.skipped.empty == 1  # of line 4; those at both ends are not between rows
    assert read_table(written(file, "a,b\n\n\n1,2\n\n3,4\n")).skipped.empty == 3
    one = read_table(written(file, "a\n1\n\n3\n\n"))  # an empty line of one column is an empty cell
    np.testing.assert_array_equal(one.numbers["a"], [1, np.nan, 3])
    assert one.skipped.empty == 0


def test_columns_may_be_texts_or_left_out(file: Path) -> None:
    table = read_table(written(file, "when,x,note\n2001, 1,abc\n2002,2,1\n"), ["when"], ["note"])
    assert columns(table) == {"x": [1.0, 2.0]}
    assert table.texts["when"].tolist() == ["2001", "2002"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " is empty; give a file with data"),
        ("\n\n", " is empty; give a file with data"),
        ("a,b\n", " has no rows; give a file with data"),
        ("a,a\n1,2\n", ": columns 1 and 2 are both named 'a'; rename one"),
        (",a\n0,2\n", ": column 1 has no name; name it in the header"),
        ("a,b,\n1,2,\n", ": column 3 has no name; name it in the header"),
        ("1.5,2\n3,4\n", ": the first line has numbers ('1.5', '2') where the names of the columns belong; add"),
        ("a,b\n1,2\n3\n", ": line 3 has 1 cell and the first line 2 (separated by ','); quote cells that contain"),
        ("a,b\n1,2,3\n", ": line 2 has 3 cells and the first line 2 (separated by ','); quote cells that contain"),
        ('a,b\n1,2\n"3,4\n', ": line 3 is no row of a CSV file (unexpected end of data); correct its quotes"),
        ("a\nx\n", ": 1 cell is no number (line 2, column 'a': 'x'); correct them, or name the column in `time`"),
        ('a\n"1,234.5"\n', ": 1 cell is no number (line 2, column 'a': '1,234.5'); write numbers without marks of"),
        ("a b\n1 2\n", ": 1 cell is no number (line 2, column 'a b': '1 2'); write numbers without"),
        ("a\n1\ninf\n", ": 1 cell is infinite or beyond 1e+30 (line 3, column 'a': inf); correct them, leave them"),
        ("a\n1\n-1e31\n", ": 1 cell is infinite or beyond 1e+30 (line 3, column 'a': -1e+31); correct them"),
        ("a\n1\n\0\n", " has a NUL character in line 3; save it as UTF-8"),
        ("a\n" + "x\n" * 9, ": 9 cells are no number (line 2, column 'a': 'x'; line 3, column 'a': 'x'; "),
        ("a\n\x1b[31m\n", ": 1 cell is no number (line 2, column 'a': '\\x1b[31m'); correct"),
    ],
)
def test_what_is_no_table_is_named(file: Path, text: str, message: str) -> None:
    assert refusal(file, text).startswith(message)


def test_wrong_cells_are_counted_to_the_end(file: Path) -> None:
    assert "; and 4 more); correct" in refusal(file, "a\n" + "x\n" * 9)


def test_a_file_without_header_has_numbered_columns(file: Path) -> None:
    assert columns(read_table(written(file, "1,2\n3,4\n"), header=False)) == {"1": [1.0, 3.0], "2": [2.0, 4.0]}


def test_other_encodings_and_files_are_refused(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(file, "a\n1\n\n" + "ü\n", "latin-1") == " is not UTF-8 (byte 0xfc in line 4); save it as UTF-8"
    assert "(byte 0xe4 in line 20,001); save" in refusal(file, "a\n" + "1\n" * 19_999 + "ä\n", "latin-1")
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(b"a\n1\n")[:-9])
    with pytest.raises(TaskError, match="is no gzip file, or is damaged"):
        read_table(packed)
    packed.write_bytes(b"a\n1\n")
    with pytest.raises(TaskError, match="is no gzip file, or is damaged"):
        read_table(packed)
    packed.write_bytes(gzip.compress(b"a\n" + b"1\n" * 100_000))
    assert packed.stat().st_size < 1000
    monkeypatch.setattr(csv_file, "LARGEST_TEXT", 10_000)
    with pytest.raises(TaskError, match="has more than 10,000 bytes; cut it"):
        read_table(packed)
    for name, word in ("a.pkl", "is a pickle"), ("a.xlsx", "is a spreadsheet"), ("a.parquet", "is no Parquet file, or"):
        if name != "a.parquet" or pytest.importorskip("pyarrow"):
            with pytest.raises(TaskError, match=word):
                read_table(written(tmp_path / name, "x"))
    with pytest.raises(TaskError, match=r"is a folder; give one CSV, Parquet or \.npz file"):
        read_table(tmp_path)
    with pytest.raises(TaskError, match="does not exist"):
        read_table(tmp_path / "nowhere.csv")


def test_arrays_of_npz_files_are_columns(tmp_path: Path) -> None:
    file = tmp_path / "arrays.npz"
    days = np.array(["2001-01-01", "2001-01-02", "NaT"], "datetime64[D]")
    np.savez(
        file,
        when=days,
        x=np.array([0.5, 1, 2], np.float32),
        both=NUMBERS,
        column=NUMBERS[:, :1],
        truth=[True, False, True],
        name=["a", "b", "c"],
    )
    table = read_table(file, ["when", "name"])
    assert columns(table) == {
        "x": [0.5, 1.0, 2.0],
        "both.1": NUMBERS[:, 0].tolist(),
        "both.2": NUMBERS[:, 1].tolist(),
        "column": NUMBERS[:, 0].tolist(),
        "truth": [1.0, 0.0, 1.0],
    }
    assert table.texts["when"].tolist() == ["2001-01-01", "2001-01-02", ""]
    assert table.texts["name"].tolist() == ["a", "b", "c"]
    assert (table.unit, table.places.tolist()) == ("row", [1, 2, 3])
    assert date_column(file, None, [], decimal=".", header=True) == "when"
    with pytest.raises(
        TaskError, match=r"column 'when' is of the type datetime64\[D\], which is no number; convert it"
    ):
        read_table(file)


def test_npz_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "arrays.npz"
    np.savez(file, x=np.array([1, "a", None], object))
    with pytest.raises(TaskError, match="has pickled objects, which can run code"):
        read_table(file)
    np.savez(file, x=np.zeros(3), y=np.zeros(4))
    with pytest.raises(TaskError, match=r"arrays of unlike lengths \('x' 3, 'y' 4\); all must have"):
        read_table(file)
    np.savez(file, x=np.zeros((3, 2, 2)))
    with pytest.raises(TaskError, match=r"array 'x' has the shape \(3, 2, 2\); it must be \(steps,\) or"):
        read_table(file)
    np.savez(file, x=np.zeros(3, complex))
    with pytest.raises(TaskError, match="column 'x' is of the type complex128, which is no number"):
        read_table(file)
    np.savez(file, x=[0.0, np.inf, 1.0])
    with pytest.raises(TaskError, match=r"1 cell is infinite or beyond 1e\+30 \(row 2, column 'x': inf\)"):
        read_table(file)
    file.write_bytes(b"x")
    with pytest.raises(TaskError, match=r"is no \.npz file, or is damaged"):
        read_table(file)


def test_parquet_files_are_read_as_pandas_wrote_them(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "table.parquet"
    frame = pd.DataFrame(
        {
            "x": NUMBERS[:, 0],
            "whole": pd.array([1, None, 3], "Int64"),
            "truth": [True, False, True],
            "small": np.array([0.5, np.nan, 2], np.float32),
            "name": ["a", "b", None],
            "kind": pd.Categorical(["u", "v", "u"]),
        },
        index=pd.date_range("2001-01-01", periods=3, freq="h", name="when", tz="UTC"),
    )
    frame.to_parquet(file)
    table = read_table(file, ["when", "name", "kind"])
    assert table.numbers["x"].tolist() == NUMBERS[:, 0].tolist()
    np.testing.assert_array_equal(table.numbers["whole"], [1, np.nan, 3])
    np.testing.assert_array_equal(table.numbers["small"], [0.5, np.nan, 2])
    assert table.numbers["truth"].tolist() == [1, 0, 1]
    assert table.texts["name"].tolist() == ["a", "b", ""]
    assert table.texts["kind"].tolist() == ["u", "v", "u"]
    assert table.texts["when"].tolist() == [f"2001-01-01T0{hour}:00:00.000000000" for hour in range(3)]
    assert date_column(file, None, [], decimal=".", header=True) == "when"
    with pytest.raises(TaskError, match=r"column 'name' is of the type (large_)?string, which is no number"):
        read_table(file, ["when"])
    with pytest.raises(TaskError, match="has no column 'where'; it has 'x', 'whole', 'truth'"):
        read_table(file, ["where"])


def test_a_row_index_of_pandas_is_no_column_unless_it_is_named(tmp_path: Path) -> None:
    """`reset_index` shows which columns pandas itself takes for data."""
    file = tmp_path / "table.parquet"
    frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5]})
    for index, name in ((frame.index, None), (pd.Index([7, 8, 9, 11]), None), (pd.Index([1, 2, 4, 8]), "year")):
        indexed = frame.set_axis(index.rename(name))
        indexed.to_parquet(file)
        table = read_table(file)
        assert list(table.numbers) == list(pd.read_parquet(file).columns) == ["x"]
        stored = () if index is frame.index else (name or "__index_level_0__",)
        assert table.skipped.index == stored
        for column in stored:
            assert read_table(file, [column]).texts[column].tolist() == [str(value) for value in index]
            assert read_table(file, [column]).skipped.index == ()
            assert read_table(file, (), [column]).skipped.index == ()
    levels = frame.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1), ("b", 2)], names=["id", "time"]))
    levels.to_parquet(file)
    assert read_table(file, ["id"]).skipped.index == ("time",)
    frame.rename(columns={"x": "__index_level_0__"}).assign(y=1.0).to_parquet(file)  # metadata lost, or renamed
    assert list(read_table(file).numbers) == ["y"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("day,x\n2001-02-03,1\n", "day"),
        ("day,x\n2001-02-03T04:05:06Z,1\n", "day"),
        ("day,x\n03.02.2001,1\n", None),
        ("x,day\n1,2001-02-03\n", None),
        ("year,x\n2001,1\n", None),  # a number, which may be an input
        ("day,x\n20010227,1\n20010228,1\n20010301,1\n", "day"),
        ("day,x\n2001022723,1\n2001022800,1\n", "day"),  # with the hour
        ("day,x\n200102272359,1\n200102280000,1\n", "day"),
        ("day,x\n20010227235959,1\n20010228000000,1\n", "day"),
        ("day,x\n20010228,1\n20010229,1\n", None),  # no leap year, so this is a number
        ("day,x\n20010228,1\n20010228,1\n", None),
        ("day,x\n20010228,1\n20010227,1\n", None),
        ("day,x\n983318400,1\n983404800,1\n", None),  # seconds since 1970
        ("day,x\n1577836800,1\n1577840400,1\n", None),
        ("day,x\n20010228,1\n", None),  # one row shows no order
    ],
)
def test_a_first_column_of_dates_is_found(file: Path, text: str, found: str | None) -> None:
    assert date_column(written(file, text), None, [], decimal=".", header=True) == found
    assert date_column(file, None, ["day"], decimal=".", header=True) is None
    assert date_column(file, "day", [], decimal=".", header=True) is None


def test_dates_of_digits_repeat_where_there_are_groups(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": [20010227, 20010228, 20010227, 20010228], "x": 1.5, "g": list("aabb")})
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_parquet(tmp_path / "table.parquet")
    np.savez(tmp_path / "table.npz", day=frame["day"], x=frame["x"], g=frame["g"].to_numpy(np.str_))
    for name in ("table.csv", "table.parquet", "table.npz"):
        assert date_column(tmp_path / name, "g", [], decimal=".", header=True) == "day"
        assert date_column(tmp_path / name, None, [], decimal=".", header=True) is None


@pytest.mark.parametrize("cell", ["1_5", "2_0", "_1", "1e1_0", "１５", "٣", "1__0"])  # noqa: RUF001
def test_numbers_that_only_python_reads_are_refused(file: Path, cell: str) -> None:
    message = f": 1 cell is no number (line 3, column 'x': {cell!r}); "
    assert refusal(file, f"x,y\n1,2\n{cell},3\n").startswith(message)
    assert refusal(file, f"x;y\n1;2,5\n{cell};3\n", decimal=",").startswith(message)


def test_blanks_and_spellings_of_numbers_and_missing_values(file: Path) -> None:
    cells = [" 1", "+1.", "-.5", "1E3", "\xa02\u2009", "nan", "-NaN", "+nan"]
    expected = [1, 1, -0.5, 1000, 2, *[np.nan] * 3]
    np.testing.assert_array_equal(read_table(written(file, "\n".join(["x", *cells]))).numbers["x"], expected)
    for cell in ("inf", "-Infinity", "1e999"):
        assert "1 cell is infinite or beyond 1e+30 (line 2, column 'x'" in refusal(file, f"x\n{cell}\n")
    for cell in ("0x10", "1d3", "--1", "1,000", "infinit"):
        assert "1 cell is no number" in refusal(file, f"x;y\n{cell};1\n")
