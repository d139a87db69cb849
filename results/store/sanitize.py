"""Sanitized output of untrusted text: names, formulas and paths in terminals and spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line uses `printable` for its errors, and pandas is slow to import
    import pandas as pd

_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


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
        str(name): column.astype(object).map(_as_text)
        for name, column in frame.items()
        if column.dtype.kind not in "biufc"  # texts, as objects, strings of pandas or categories; not numbers
    }
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")


def _as_text(value: object) -> object:
    """Return a field of a CSV; numbers, which a column of objects may have, stay as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS_OF_FORMULAS) else value
