"""Files `.arff` are read as SciPy reads them, as far as it can; what breaks the format is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import arff

from tasks.errors import TaskError
from tasks.labelled.arff import read_arff

RELATIONAL = r"""% The form of the archive's multivariate sets
@relation Vowels

@attribute Vowels relational
  @attribute att0 numeric
  @attribute att1 numeric
  @attribute att2 numeric
@end Vowels
@attribute classAttribute {1,'two words',3}

@data
'1.0,2.0,3.0\n4.0,5.0,?',1
'1.5,2.5,?\n4.5,5.5,?','two words'
"""
FLAT = """@RELATION flat
@ATTRIBUTE att0 NUMERIC
@ATTRIBUTE att1 REAL
@ATTRIBUTE att2 integer
@ATTRIBUTE target {1,2}
@DATA
% a comment
1.0, -2.5, 3,1
?,1e3,7,2
"""


def written(path: Path, text: str) -> Path:
    file = path / "test.arff"
    file.write_text(text)
    return file


def test_relational_files_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    path = written(tmp_path, RELATIONAL)
    data, meta = arff.loadarff(path)
    found = read_arff(path)
    assert found.classes == tuple(meta["classAttribute"][1] or ())
    assert len(found.sequences) == len(data) == 2
    for sequence, label, row in zip(found.sequences, found.labels, data, strict=True):
        expected: Any = np.array([list(channel) for channel in row[0]]).T
        np.testing.assert_array_equal(sequence, expected)
        assert label == row[1].decode()
    assert found.channels == ("1", "2")
    assert list(found.places) == ["line 12", "line 13"]


def test_flat_files_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    path = written(tmp_path, FLAT)
    data: Any = arff.loadarff(path)[0]
    found = read_arff(path)
    expected = np.array([list(row)[:-1] for row in data], np.float64)
    np.testing.assert_array_equal(np.stack([sequence[:, 0] for sequence in found.sequences]), expected)
    assert list(found.labels) == [row[-1].decode() for row in data] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (RELATIONAL, "'1.0,2.0,3.0", "'1.0,2.0", r"line 12, channel 1: has 2 values; there must be 3"),
        (RELATIONAL, r"\n4.5,5.5,?", "", r"line 13: has 1 channels, and the first sequence 2; correct it"),
        (RELATIONAL, "?',1", "?',9", r"line 12: has the label '9'; it must be one of 1, two words, 3"),
        (RELATIONAL, "?',1", "?,1", r"line 12: has a quote that does not end, or text beside it; write 'text'"),
        (RELATIONAL, "@end Vowels\n", "", r"'classAttribute' is nominal; within @relational all must be numeric"),
        (RELATIONAL, "2.0,3.0", "two,3.0", r"line 12, channel 1, step 2: has 'two' for a value; it must be a number"),
        (FLAT, "{1,2}", "numeric", r"the last attribute 'target' is numeric; it must be the label, \{a, b, ...\}"),
        (
            FLAT,
            "att1 REAL",
            "att1 {a,b}",
            r"of the attributes before the label, 'att1' is nominal; they must be numeric",
        ),
        (FLAT, "att1 REAL", "att1 string", r"line 3: 'att1' is of the kind 'string'; use numeric, relational or"),
        (FLAT, "att1 REAL", "att1 date yyyy", r"line 3: 'att1' is of the kind 'date yyyy'"),
        (FLAT, "{1,2}", "{1,1}", r"line 5: has the label '1' more than once; write each once"),
        (FLAT, "?,1e3,7,2", "{0 1, 3 2}", r"line 9: is sparse, \{index value, ...\}; write all values of the line"),
        (FLAT, "?,1e3,7,2", "1e3,7,2", r"line 9: has 3 fields; there must be 4, one per attribute"),
        (FLAT, "@DATA", "", r"line 8: has '1\.0, -2\.5, 3,1' before @data; it must be @attribute NAME KIND"),
        (FLAT, "1.0, -2.5, 3,1\n?,1e3,7,2\n", "", r"has no sequence after @data; each line after it is one"),
    ],
)
def test_what_breaks_the_format_is_one_line(tmp_path: Path, text: str, old: str, new: str, message: str) -> None:
    assert old in text
    with pytest.raises(TaskError, match=message) as caught:
        read_arff(written(tmp_path, text.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_labels_with_commas_quotes_and_blanks_are_read(tmp_path: Path) -> None:
    """SciPy takes the quotes of all lines from the first one, and refuses these."""
    text = (
        FLAT.replace("{1,2}", """{ 'a, b' , "it's", 'c\\'d' }""").replace("3,1", "3,'a, b'").replace("7,2", '7,"it\'s"')
    )
    found = read_arff(written(tmp_path, text))
    assert found.classes == ("a, b", "it's", "c'd")
    assert list(found.labels) == ["a, b", "it's"]
