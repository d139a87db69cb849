"""Sanitized output of untrusted text: names, formulas and paths in terminals and spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line uses `printable` for its errors, and pandas is slow to import
    import pandas as pd

_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """Return the text as one line without characters that control a terminal, or hide or reorder text.

    White space becomes a space, and every other unprintable character a question mark.
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def csv_text(frame: pd.DataFrame) -> str:
    """Return a table, without its index, as CSV with full precision.

    A text that a spreadsheet would run as a formula is prefixed with an apostrophe, which marks it as text (OWASP, "CSV
    injection").
    """
    safe = {
        str(name): column.map(lambda value: f"'{value}" if str(value).startswith(_STARTS_OF_FORMULAS) else value)
        for name, column in frame.items()
        if column.dtype.kind == "O"  # texts, whether as objects or as strings of pandas
    }
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")
