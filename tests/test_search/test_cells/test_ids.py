"""Ids as people see and type them."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from search.cells.canonical import ID_DIGITS
from search.cells.ids import cell_text, digits_of, is_id, printed_id, short_id, without_letter

WHOLE = "0123456789abcdef"


def test_a_printed_id_is_the_letter_and_the_digits() -> None:
    assert len(WHOLE) == ID_DIGITS
    assert (printed_id(WHOLE), short_id(WHOLE)) == ("g0123456789abcdef", "g01234567")
    assert (cell_text(WHOLE), cell_text(None)) == ("cell g0123456789abcdef", "no cell")


@pytest.mark.parametrize("digits", ["12345678" * 2, "1234e567" * 2, "0e000000" * 2, "7e12345678901234", "1dec2003" * 2])
def test_no_printed_id_is_read_as_a_number_or_a_date(digits: str) -> None:
    for printed in (printed_id(digits), short_id(digits)):
        (found,) = pd.read_csv(io.StringIO(f"cell\n{printed}\n"))["cell"]
        assert found == printed
        assert pd.isna(pd.to_numeric(pd.Series([printed]), errors="coerce")[0])
        with pytest.raises(ValueError, match=r".*"):
            pd.Timestamp(printed)


@pytest.mark.parametrize("typed", ["{}", "g{}", "G{}", " g{} "])
def test_the_letter_may_be_left_out(typed: str) -> None:
    for digits in (WHOLE, WHOLE[:8], WHOLE[:4]):
        assert digits_of(typed.format(digits)) == digits
        assert digits_of(typed.format(digits.upper())) == digits
        assert without_letter(typed.format(digits)) == digits


@pytest.mark.parametrize("text", ["", "g", "gru", "g12", "123", "gg1234", "g1234-", "g" + "1" * 17, "h12345678"])
def test_other_texts_are_no_ids(text: str) -> None:
    assert digits_of(text) is None
    assert not is_id(text)


def test_a_label_is_an_id_if_it_is_a_whole_or_a_shortened_one() -> None:
    assert is_id("g01234567")
    assert is_id(printed_id(WHOLE))
    assert is_id("01234567")  # as earlier versions printed it
    assert not is_id("g0123")
    assert not is_id("gru")
