"""Motifs, edits and differences of a run's found cells as lines of text."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from results.scores.estimates import best_found
from results.scores.motifs import MOTIF, REAL
from results.store.graphs import graph_of
from results.store.store import Store
from results.store.words import ScoreKind
from search.cells.difference import describe, nearest_named

MOST_LINES = 8
"""Most motifs, and most edits, that are printed."""

MOST_CELLS = 3
"""Found cells whose difference from the nearest named cell is printed, the best by the search first."""

WIDTH = 98
"""Columns of the text, unless a terminal is narrower."""

_MEANING = (
    "effect: mean difference of cells with the motif from those without, within the descendants of one given cell, or "
    "of children made with the edit from other children, each against its parent; 95 % interval, by leaving out one "
    "family at a time. A family is the descendants of one child of a given cell. "
    f"Shown are those that are real at a false discovery rate of {REAL:.0%} over {{count}} motifs and edits. They are "
    "associations over search results, and show no cause"
)
_UNTOLD = "{count} more motifs and edits cannot be told from chance: one or two families hold nearly all the evidence"


def motif_lines(frame: pd.DataFrame, kind: ScoreKind, width: int = WIDTH) -> list[str]:
    """Return the lines on the motifs and edits that go with a better or worse result; empty if none were tested.

    Args:
        frame: the result of `results.scores.motifs.motifs`.
        kind: the run's kind of score, which the effects are shares of.
        width: columns of the text.
    """
    if frame.empty:
        return []
    whole = "the GRU's gain" if kind is ScoreKind.GAIN else "the GRU's result"
    real = frame[frame["adjusted"] < REAL]
    lines: list[str] = []
    for sort, heading in ((MOTIF, "motifs"), (None, "edits")):
        chosen = real[(real["kind"] == MOTIF) == (sort == MOTIF)]
        lines += [f"{heading}, in % of {whole}:"] if len(chosen) else []
        lines += [line for _, row in chosen.head(MOST_LINES).iterrows() for line in _wrapped(_line(row), width)]
        lines += [f"  and {len(chosen) - MOST_LINES} more"] if len(chosen) > MOST_LINES else []
    told = int(frame["p"].notna().sum())
    if real.empty:
        lines.append(f"none of {told:,} motifs and edits goes with a better or worse result beyond noise")
    often = frame[frame["above_p"] < REAL]
    lines += ["more or less frequent above the GRU than below:"] if len(often) else []
    lines += [line for _, row in often.head(MOST_LINES).iterrows() for line in _wrapped(_frequency(row), width)]
    if told < len(frame):
        lines += textwrap.wrap(_UNTOLD.format(count=f"{len(frame) - told:,}"), width, subsequent_indent="  ")
    return lines + textwrap.wrap(_MEANING.format(count=f"{told:,}"), width)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")


def _line(row: "pd.Series[float]") -> str:
    numbers = f"{100 * row['effect']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    return f"{row['task']}: {row['name']}: {numbers}; {row['cells']} of {row['of']} cells"


def _frequency(row: "pd.Series[float]") -> str:
    """Return in how many of the cells above the GRU, and of all cells, a motif is."""
    above = f"{row['above_with']} of the {row['above']} cells above the GRU"
    return f"{row['task']}: {row['name']}: in {above}, in {row['cells']} of all {row['of']}"


def difference_lines(store: Store, tasks: Sequence[str], width: int = WIDTH) -> list[str]:
    """Return for each of the best found cells its difference from the nearest named cell.

    Args:
        store: the run.
        tasks: its ranked tasks.
        width: columns of the text.

    Raises:
        StoreError: the store cannot be read.
    """
    lines: list[str] = []
    for cell in best_found(store, tasks, MOST_CELLS):
        row = store.cell(cell)
        found = nearest_named(graph_of(row))[1]
        count = f"{found.distance} edit{'' if found.distance == 1 else 's'}"
        lines += textwrap.wrap(
            f"{row.label}: {describe(found)} ({count if found.proven else f'at most {count}'})",
            width,
            subsequent_indent="  ",
        )
    return lines
