"""TOML that somebody else wrote, read in bounded time: the standard parser takes minutes for a key of many parts."""

import tomllib
from typing import Any

MAX_CHARACTERS = 1_048_576
"""Longer texts are refused; a profile is a few thousand."""

MAX_DOTS = 1000
"""A line with more is refused: the time that a key takes grows with the cube of its parts."""


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ValueError, in one line, for what is none, too long or nested too deep."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MAX_DOTS:
            raise ValueError(f"line {number} has more than {MAX_DOTS:,} dots; write a long list over several lines")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("its tables or lists are nested too deeply") from error
