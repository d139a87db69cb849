"""Ranges of the numbers that a user gives: types and bounds, checked before anything is started or written."""

import math
import operator

from search.core.errors import SearchError

MAX_SEED = 2**63 - 1
MAX_WORKERS = 4096
MAX_WINDOW = 4096  # of a run that is told cells


def check_whole(name: str, value: object, low: int, high: int) -> int:
    """Return a value as an int if it is a whole number within bounds.

    Args:
        name: name of the value, for the message.
        value: an int, or an integer of NumPy; a truth value is none.
        low: smallest allowed value.
        high: largest allowed value.

    Raises:
        SearchError: it is not.
    """
    try:
        number = low - 1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise SearchError(f"{name} is {_shown(value)}; it must be a whole number from {low} to {high}")
    return number


def check_positive(name: str, value: object, high: float, *, zero: bool = False) -> None:
    """Check that a value is a number above 0, or 0 itself where `zero` says so, and at most `high`.

    Raises:
        SearchError: it is not.
    """
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)  # type: ignore[arg-type]
        within = 0 < number <= high or (zero and number == 0)
    except (TypeError, ValueError, OverflowError):
        within = False
    if not within:
        rule = f"a number from 0 to {high:g}" if zero else f"a number above 0 and at most {high:g}"
        raise SearchError(f"{name} is {_shown(value)}; it must be {rule}")


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
