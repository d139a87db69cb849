"""TOML of unknown origin, parsed in bounded time: the standard parser takes minutes for a key of many parts."""

import tomllib
from typing import Any

MAX_CHARACTERS = 1_048_576
"""Longest text that is read; a profile has a few thousand characters."""

MAX_DOTS = 1000
"""Most dots that a line may have: the time to parse a key grows with the cube of its parts."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML text. Raise a one-line `ValueError` if it is invalid, too long or nested too deeply."""
    text = text.removeprefix("\ufeff")  # editors write this mark of the encoding
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MAX_DOTS:
            raise ValueError(f"line {number} has more than {MAX_DOTS:,} dots; write a long list over several lines")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("its tables or lists are nested too deeply") from error
