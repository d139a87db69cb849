"""Lines of generated code that are broken where they are too long, in the layout of `ruff format`."""

import re
from textwrap import wrap

LINE_WIDTH = 88
"""Most characters of a line of generated code."""

CODE_INDENT = 8
"""Indentation of the body of a method."""


def wrapped(text: str, first: str = "", later: str = "") -> list[str]:
    """Return a text as lines of a docstring that break no word; `first` and `later` are their indentations."""
    return wrap(
        text,
        LINE_WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        break_on_hyphens=False,
        break_long_words=False,
    )


def indented(lines: tuple[str, ...] | list[str], depth: int = 2) -> str:
    """Return lines as one text, indented by `depth` levels."""
    return "\n".join(f"{'    ' * depth}{line}" if line else "" for line in lines)


def fitting(head: str, inside: str, tail: str, depth: int) -> str:
    """Return head, inside and tail as one line if it fits, else as three."""
    indent = "    " * depth
    if len(line := f"{indent}{head}{inside}{tail}") <= LINE_WIDTH:
        return line
    return f"{indent}{head}\n{indent}    {inside}\n{indent}{tail}"


def assignment(names: list[str], value: str) -> list[str]:
    """Return the lines of `a, b = value`, with one name a line if one line is too short."""
    target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    line = f"{target} = {value}"
    if len(line) + CODE_INDENT <= LINE_WIDTH:
        return [line]
    return ["(", *(f"    {name}," for name in names), f") = {value}"]


def returned(lines: list[str], names: list[str]) -> list[str]:
    """Return the lines followed by the statement that returns a list of the values."""
    line = f"return [{', '.join(names)}]"
    if len(line) + CODE_INDENT <= LINE_WIDTH:
        return [*lines, line]
    return [*lines, "return [", *(f"    {name}," for name in names), "]"]


def in_place(lines: list[str], states: list[str]) -> list[str]:
    """Return the lines with NAME in place of NAME_new if the old value is not read afterwards."""
    for name in states:
        new = f"{name}_new"
        places = [k for k, line in enumerate(lines) if re.match(rf"{new} = ", line)]
        if places and not any(re.search(rf"\b{name}\b", line) for line in lines[places[0] + 1 :]):
            lines = [re.sub(rf"\b{new}\b", name, line) for line in lines]
    return lines
