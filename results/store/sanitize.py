"""Texts that others chose (names, formulas, paths), made harmless where they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line makes its errors printable, and does not wait for pandas
    import pandas as pd

_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """One line with nothing in it that moves a terminal's cursor, changes its colours, or hides or reorders text.

    White space becomes blanks, and whatever else does not print a question mark.
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV with full precision. No text in it is one that a spreadsheet would run as a formula.

    Such a text gets an apostrophe first, which spreadsheets take for "this is text" (OWASP, "CSV injection").
    """
    safe = {
        str(name): column.map(lambda value: f"'{value}" if str(value).startswith(_STARTS_OF_FORMULAS) else value)
        for name, column in frame.items()
        if column.dtype == object
    }
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")
