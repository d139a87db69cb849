"""Details of the cells of the report's table, which a click on a row shows: drawing, formula, curves, export command.

They are compressed, since drawings of many cells are large, repetitive text; the page's script unpacks them.
"""

import base64
import json
import shlex
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from results.report.colours import COLOURS, GRU_COLOUR
from results.report.curve_plots import DETAIL_DATA, POINTER_DATA, detail_chart
from results.report.curves import curves_of, mean_curves
from results.report.described import Described
from results.report.metric_words import metric_words
from results.scores.estimates import GRU
from results.store.runs import name_for_commands
from results.store.store import Store
from search.cells.drawing.picture import draw_formula
from search.cells.errors import CellError
from search.cells.ids import short_id
from search.cells.library import name_of

MOST_DETAILS = 200
"""Cells with a drawing and curves, the best first; the other rows have their formula and their command."""

_DIGITS = 5  # significant ones of a learning curve


def details(store: Store, picks: pd.DataFrame, cells: Sequence[Described], tasks: Sequence[str]) -> dict[str, Any]:
    """Return the details of cells for the page's script, as plain values for JSON.

    Returns:
        `gru`, the GRU's whole id; `tasks` with the words of their metrics; `cells` by whole id, each with its label,
        formula, lines about it, command, drawing (SVG, null if this version cannot read the formula), and curves by
        task: steps and means of the validation metric; `chart`, the curves' chart without data, `data`, the names of
        its data, and the colours of its lines.
    """
    found: dict[str, dict[str, Any]] = {
        cell.id: {
            "label": cell.label,
            "formula": cell.formula,
            "about": list(cell.about),
            "command": export_command(store, cell.id),
            "drawing": drawing_of(cell),
            "curves": {},
        }
        for cell in cells
    }
    metrics = {}
    for task in tasks:
        curves, metric = curves_of(store, picks, [*found, GRU], task)
        metrics[task] = metric_words(metric)
        for cell, part in mean_curves(curves).groupby("cell"):
            if cell in found:
                values = [float(f"{value:.{_DIGITS}g}") for value in part["validation"]]
                found[str(cell)]["curves"][task] = [[int(step) for step in part["step"]], values]
    chart = {"chart": detail_chart(), "data": [DETAIL_DATA, POINTER_DATA]}
    return {"gru": GRU, "tasks": metrics, "cells": found, "colours": COLOURS[:2], "gruColour": GRU_COLOUR} | chart


def export_command(store: Store, cell: str) -> str:
    """Return the command that writes a cell as a PyTorch module: by its name, or by its id in the run."""
    known = name_of(cell)
    if known is not None:
        return f"gatesearch export {known} -o {known.replace('-', '_')}.py"
    return f"gatesearch export {short_id(cell)} --run {shlex.quote(name_for_commands(store))} -o {short_id(cell)}.py"


def drawing_of(cell: Described) -> str | None:
    """Return the SVG of a cell; None if this version cannot read the formula."""
    return _drawn(cell.formula, f"the cell {cell.label}")


@lru_cache(maxsize=4 * MOST_DETAILS)
def _drawn(formula: str, title: str) -> str | None:
    """Return a drawing; a page that is written again and again has most of them each time."""
    try:
        return draw_formula(formula, title)
    except CellError:
        return None


def packed(values: dict[str, Any]) -> str:
    """Return values as compressed JSON in base 64, which has no character that HTML knows."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")


def unpacked(text: str) -> dict[str, Any]:
    """Return the values of `packed`."""
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return found
