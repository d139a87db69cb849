"""Ranges of the numbers that a user gives: types and bounds, checked before anything is started or written."""

import operator

from search.core.errors import SearchError

MAX_SEED = 2**63 - 1
MAX_WORKERS = 4096


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


def check_positive(name: str, value: object, high: float) -> None:
    """Check that a value is a number above 0 and at most `high`.

    Raises:
        SearchError: it is not.
    """
    try:
        within = not isinstance(value, bool | str | bytes) and 0 < float(value) <= high  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        within = False
    if not within:
        raise SearchError(f"{name} is {_shown(value)}; it must be a number above 0 and at most {high:g}")


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
