"""Files `.ts` are read as their format says; what breaks it is one line with the file, the line and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.errors import TaskError
from tasks.labelled.ts import read_ts

HEADER = """#A description, in any language: Übung
@problemName Test
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true left Right 3
@data
"""
DATA = """1,2,3:4,5,6:left
-1.5,2e2:+3,?:right
"""


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = path / "test.ts"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_sequences_of_unlike_lengths_are_read(tmp_path: Path, encoding: str, end: str) -> None:
    found = read_ts(written(tmp_path, (HEADER + DATA).replace("\n", end), encoding))
    assert found.classes == ("left", "Right", "3")
    assert list(found.labels) == ["left", "Right"]  # whose case is that of the header
    assert list(found.places) == ["line 10", "line 11"]
    assert found.channels == ("1", "2")
    np.testing.assert_array_equal(found.sequences[0], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(found.sequences[1], [[-1.5, 3], [200, np.nan]])


def test_a_univariate_file_needs_no_number_of_dimensions(tmp_path: Path) -> None:
    text = "@problemname x\n@univariate true\n@serieslength 3\n@classlabel true a b\n\n@data\n1,2,3:a\n\n4,NaN,6:b\n"
    found = read_ts(written(tmp_path, text))
    assert [sequence[:, 0].tolist()[0] for sequence in found.sequences] == [1, 4]
    assert np.isnan(found.sequences[1][1, 0])
    assert list(found.places) == ["line 7", "line 9"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@timeStamps false", "@timeStamps true", r"test\.ts: has @timeStamps true; write the values without time"),
        ("1,2,3:4,5,6:left", "(0,1),(1,2):(0,4),(1,5):left", r"test\.ts, line 10: has time stamps; write the values"),
        ("@classLabel true left Right 3", "@classLabel false", r"has no class labels; write @classLabel true"),
        ("@classLabel true left Right 3", "@classLabel true", r"@classLabel true names no class; write the labels"),
        ("@classLabel true left Right 3", "@targetLabel true", r"has @targetLabel true, which are numbers; this task"),
        ("left Right 3", "left left", r"@classLabel has 'left' more than once; write each label once"),
        (
            "@classLabel true left",
            "@classLabel perhaps left",
            r"has @classlabel 'perhaps left Right 3'; it must be true",
        ),
        ("@dimensions 2", "@dimensions two", r"has @dimensions two; it must be a number from 1 to 999999"),
        (
            "@dimensions 2",
            "@dimensions 2\n@dimensions 3",
            r"line 7: has the tag @dimensions a second time, with another",
        ),
        ("@dimensions 2", "@dimensions 3", r"line 10: has 2 channels before the label; there must be 3, separated by"),
        ("4,5,6:left", "4,5:left", r"line 10: has 3 values in channel 1, and 2 in channel 2; write \? for those that"),
        (":left", ":up", r"line 10: ends with the label 'up'; it must be one of @classLabel: left, Right, 3"),
        ("1,2,3", "1,x,3", r"line 10, channel 1, step 2: has 'x' for a value; it must be a number, or \? if it is"),
        ("1,2,3", "1,,3", r"line 10, channel 1, step 2: has '' for a value"),
        (
            "1,2,3",
            "1,2,,",
            r"line 10, channel 1, step 3: has '' for a value; it must be a number, or \? if it is missing",
        ),
        ("4,5,6:left", "4,5,6,:left", r"line 10, channel 2, step 4: has '' for a value"),
        ("1,2,3", "1,2_0,3", r"line 10, channel 1, step 2: has '2_0' for a value"),
        (
            "@equalLength false",
            "@equalLength true",
            r"line 11: has 2 steps, and @equalLength true says that each .* has 3",
        ),
        (
            "@equalLength false",
            "@equalLength true\n@seriesLength 4",
            r"line 11: has 3 steps, and @equalLength true says that each sequence has 4; correct the line, or",
        ),
        ("@equalLength false", "@seriesLength long", r"has @seriesLength 'long'; it must be a number of steps"),
        ("1,2,3", "1,2,inf", r"line 10, channel 1, step 3: has the value inf; values must be within 1e\+30"),
        ("@data\n", "", r"line 9: has '1,2,3:4,5,6:left' before @data; lines of the header begin with # or @"),
        (DATA, "", r"test\.ts: has no sequence after @data; each line after it is one"),
        (DATA, DATA + "@missing true\n", r"line 12: has the tag '@missing true' after @data; move it before @data"),
        (DATA, "\0\0\1", r"line 10: has a NUL character; save the file as UTF-8 text"),
    ],
)
def test_what_breaks_the_format_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = HEADER + DATA
    assert old in text
    with pytest.raises(TaskError, match=message) as caught:
        read_ts(written(tmp_path, text.replace(old, new)))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"cannot read .*none\.ts: No such file or directory; check the path"):
        read_ts(tmp_path / "none.ts")
