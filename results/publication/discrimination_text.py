"""Discrimination of a run's tasks as lines of text."""

import textwrap
from collections.abc import Sequence

from results.scores.discrimination import ENOUGH, SATURATED, Discrimination
from search.cells.text import counted

WIDTH = 92
"""Columns of the text, unless a terminal is narrower."""

_HEADINGS = ("task", "cells", "spread", "error", "spread / error", "GRU of ceiling", "verdict")
_MEANING = (
    "spread: standard deviation of the gated named cells' mean test metrics; error: standard error of one mean over "
    f"the seeds; a task discriminates from {ENOUGH:g} times the error on; GRU of ceiling: its gain as a share of the "
    f"best possible predictor's, if known; a task is saturated if the best of these cells is above {SATURATED:.0%}"
)


def discrimination_lines(rows: Sequence[Discrimination], width: int = WIDTH) -> list[str]:
    """Return a title, the lines of an aligned table, and an explanation; empty if there are no rows."""
    if not rows:
        return []
    texts = [_HEADINGS, *map(_texts, rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(_HEADINGS))]
    lines = ["  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    return [_title(rows), *lines, *textwrap.wrap(_MEANING, width)]


def _title(rows: Sequence[Discrimination]) -> str:
    return f"Do the tasks tell cells apart? (gated named cells over {counted(rows[0].repeats, 'seed')})"


def _texts(row: Discrimination) -> tuple[str, ...]:
    share = "" if row.gru_share is None else f"{row.gru_share:.0%}"
    return row.task, str(row.cells), f"{row.spread:.4f}", f"{row.error:.4f}", f"{row.ratio:.1f}", share, verdict(row)


def verdict(row: Discrimination) -> str:
    """Return in words whether a task discriminates, and whether it is saturated."""
    words = "discriminates" if row.discriminates else "does not discriminate"
    if row.saturated:
        words += f"; saturated ({row.best} has {row.best_share:.0%} of the ceiling's gain)"
    return words
