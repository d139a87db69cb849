"""Ids of cells as people see and type them: the letter g and hexadecimal digits, such as `g9a9c5f36`.

The id of a cell is a hash of its canonical graph, in `ID_DIGITS` hexadecimal digits (`search.cells.canonical`). Code
and stores hold these digits alone. What a person or another program reads begins with a letter, because a
spreadsheet, or pandas, takes `12345678` and `7e123456` for numbers. The letter is no hexadecimal digit, so that an id
without it, as earlier versions printed them, cannot be mistaken for one with it.
"""

import re

from search.cells.canonical import ID_DIGITS

LETTER = "g"
"""First letter of a printed id, for graph."""

SHORT_DIGITS = 8
"""Digits of a shortened id. Of 10,000 cells, two have the same ones in 1 % of runs; a look-up then names both."""

LEAST_DIGITS = 4
"""Fewest digits that name a cell."""

_DIGITS = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},{ID_DIGITS}}}")
_SHORT = re.compile(rf"{LETTER}?([0-9a-f]{{{SHORT_DIGITS}}}|[0-9a-f]{{{ID_DIGITS}}})")


def printed_id(cell_id: str) -> str:
    """Return the whole id of a cell as people see it: the letter and all digits."""
    return f"{LETTER}{cell_id}"


def short_id(cell_id: str) -> str:
    """Return the shortened id of a cell as people see it: the letter and the first digits."""
    return f"{LETTER}{cell_id[:SHORT_DIGITS]}"


def cell_text(cell_id: str | None) -> str:
    """Return a cell in a message, by its whole id."""
    return "no cell" if cell_id is None else f"cell {printed_id(cell_id)}"


def without_letter(text: str) -> str:
    """Return what somebody typed as an id, or as its beginning, in lower case and without the letter."""
    return text.strip().lower().removeprefix(LETTER)


def digits_of(text: str) -> str | None:
    """Return the digits of an id that somebody typed, whole or not, with or without the letter; None if it is no id."""
    found = without_letter(text)
    return found if _DIGITS.fullmatch(found) else None


def is_id(label: str) -> bool:
    """Return whether the label of a cell is an id, whole or shortened, and no name."""
    return _SHORT.fullmatch(label) is not None
