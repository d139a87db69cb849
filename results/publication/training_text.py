"""Text on how the given cells were trained: those that could not be, and how wide the grid of settings is."""

import textwrap
from collections.abc import Sequence

from results.scores.grid import ENOUGH, GridEdges
from results.scores.units import EVEN_MARGIN
from results.scores.untrained import Untrained
from results.scores.verdict_words import joined
from search.cells.text import counted

WIDTH = 92
"""Columns of the text, unless a terminal is narrower."""

_GRID_HEADINGS = ("task", "hyperparameter", "values", "cells", "inside", "lowest", "highest", "steep", "verdict")
_GRID_MEANING = (
    "values: smallest and largest of the grid; lowest, highest: given cells whose best setting has that value; inside: "
    f"the others, and a grid is wide enough if they are at least {ENOUGH:.0%}; steep: cells at an edge that are ahead "
    f"of their result with the next value by more than {EVEN_MARGIN:.0%} of the GRU's gain, or have none there"
)


def untrained_lines(found: Sequence[Untrained], width: int = WIDTH) -> list[str]:
    """Return a line, or lines, for each cell and each outcome; none if there are no such cells."""
    groups: dict[tuple[str, str], list[Untrained]] = {}
    for one in found:
        groups.setdefault((one.cell, _outcome(one)), []).append(one)
    lines = []
    for (cell, outcome), own in groups.items():
        tasks = joined([f"{one.task} ({one.lost} of {one.trials})" if one.fresh else one.task for one in own])
        text = f"{cell}: {outcome} on {tasks}{_why(own)}"
        lines += textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _outcome(one: Untrained) -> str:
    if one.fresh:
        return "fresh seeds diverged or failed"
    if one.lost == one.trials:
        return f"no result with any of {counted(one.trials, 'setting')}"
    if not one.lost:
        return f"not above a constant prediction with any of {counted(one.trials, 'setting')}"
    return f"not above a constant prediction with {one.at_chance} settings, no result with {one.lost}"


def _why(own: Sequence[Untrained]) -> str:
    """Return in brackets how the lost trials ended, and after how many steps; empty if none was lost."""
    lost = [one for one in own if one.lost and not one.fresh]
    if not lost:
        return ""
    reason = max((one.reason for one in lost), key=[one.reason for one in lost].count)
    first, last = min(one.steps[0] for one in lost), max(one.steps[1] for one in lost)
    when = f"step {first}" if first == last else f"steps {first} to {last:,}"
    return f" ({reason}, at {when})" if reason else ""


def grid_lines(rows: Sequence[GridEdges], width: int = WIDTH) -> list[str]:
    """Return the lines of an aligned table and an explanation; none if no hyperparameter has enough values."""
    if not rows:
        return []
    texts = [_GRID_HEADINGS, *map(_texts, rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(_GRID_HEADINGS))]
    lines = ["  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    return [*lines, *textwrap.wrap(_GRID_MEANING, width)]


def _texts(row: GridEdges) -> tuple[str, ...]:
    inside = f"{row.inside} ({row.inside / row.cells:.0%})"
    steep = "" if row.steep is None else str(row.steep)
    verdict = "wide enough" if row.wide_enough else "too narrow"
    numbers = (str(row.cells), inside, str(row.lowest), str(row.highest), steep)
    name = row.hyperparameter.replace("_", " ") + ("" if row.optimiser == "sgd" else f" of {row.optimiser}")
    return row.task, name, f"{row.low:g} to {row.high:g}", *numbers, verdict
