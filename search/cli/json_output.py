"""JSON that commands print: indented, and readable by every parser."""

import json
import math
from collections.abc import Mapping
from typing import Any, TextIO

import click


def print_json(value: Any, output: TextIO | None = None) -> None:
    """Print a value as JSON, to standard output if `output` is None."""
    click.echo(json_text(value), file=output)


def json_text(value: Any) -> str:
    """Return a value as JSON of several lines. JSON has no NaN and no infinity: both become null."""
    return json.dumps(_plain(value), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
