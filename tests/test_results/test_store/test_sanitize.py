"""Texts of unknown origin, made safe for terminals and spreadsheets."""

import pandas as pd
import pytest

from results.store.sanitize import csv_text, printable


@pytest.mark.parametrize("dtype", [object, "string"])
def test_no_text_of_a_csv_is_a_formula_whatever_pandas_keeps_it_as(dtype: object) -> None:
    column = pd.Series(["=1+1", "@x", "-x", "+x", "\tx", "plain", None], dtype=dtype)  # type: ignore[call-overload]
    text = csv_text(pd.DataFrame({"name": column, "number": range(-3, 4)}))
    assert text.splitlines()[1:] == ["'=1+1,-3", "'@x,-2", "'-x,-1", "'+x,0", "'\tx,1", "plain,2", ",3"]


def test_a_printable_line_has_no_control_characters() -> None:
    assert printable("a\x1b[31mb\nc\u202ed é") == "a?[31mb c?d é"
