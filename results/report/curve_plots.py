"""Charts of lines against a common axis: learning curves, their differences from the GRU's, and gradient norms.

The GRU is black and the best cell blue in every chart. Wherever the pointer is, the values of all lines at the nearest
place of the axis are shown.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from results.report.chart_parts import Spec, nearest, of_cells, rows_of, spec_of
from results.report.colours import COLOURS, GREY, GRU_COLOUR
from results.report.metric_words import metric_words, unit_words

DETAIL_DATA, POINTER_DATA = "lines", "pointer"
"""Names of the data of `detail_chart`, which the page's script puts in."""


def curves_chart(curves: pd.DataFrame, means: pd.DataFrame, metric: str, cells: Sequence[str]) -> Spec:
    """Return a chart of the validation metric against training steps.

    Args:
        curves: one row a measurement, with the columns cell (its label), repeat, step, validation.
        means: means over the runs of each cell, with the columns cell, step, validation, runs.
        metric: name of the metric.
        cells: all labels of the page in order, so that a cell has one colour in all charts.
    """
    several = means[means["runs"] > 1]["cell"].unique()
    thin = curves[curves["cell"].isin(several)]
    colour, dash = of_cells(cells, set(curves["cell"]))
    x = alt.X("step:Q", title="training steps", axis=alt.Axis(tickCount=5))
    y = alt.Y("validation:Q", title=f"validation {metric_words(metric)}", scale=alt.Scale(zero=False))
    layers = [
        alt.Chart(rows_of({name: rows[name] for name in names}))
        .mark_line(strokeWidth=width, opacity=opacity)
        .encode(x, y, colour, dash, *detail)
        for rows, names, width, opacity, detail in (
            (thin, ("cell", "repeat", "step", "validation"), 0.7, 0.22, (alt.Detail("repeat:N"),)),
            (means, ("cell", "step", "validation"), 2.2, 1.0, ()),
        )
        if len(rows)  # Vega complains of a layer without rows: of single runs, until cells are retrained
    ]
    return spec_of(alt.layer(*layers) + _pointer(means, "step", "validation", ".4f", cells), 230)


def differences_chart(differences: pd.DataFrame, metric: str, cells: Sequence[str]) -> Spec:
    """Return a chart of the differences from the GRU along training, with bands; the GRU is the line at 0.

    `differences` is as `results.report.curves.difference_curves` returns it, with labels as cells.
    """
    names = ("cell", "step", "difference", "low", "high")
    rows = rows_of({name: differences[name] for name in names})
    colour, dash = of_cells(cells, set(differences["cell"]))
    x = alt.X("step:Q", title="training steps", axis=alt.Axis(tickCount=5))
    y = alt.Y("difference:Q", title=["better than GRU by", unit_words(metric)], scale=alt.Scale(zero=True))
    zero = alt.Chart(rows_of({"zero": [0]})).mark_rule(color=GRU_COLOUR, strokeWidth=2.2).encode(alt.Y("zero:Q"))
    line = alt.Chart(rows).mark_line(strokeWidth=2.0).encode(x, y, colour, dash)
    layers = [zero, line]
    if differences["low"].notna().any():  # Vega complains of an area without values: of a single pair of runs
        layers.insert(0, alt.Chart(rows).mark_area(opacity=0.14).encode(x, alt.Y("low:Q"), colour, y2="high:Q"))
    return spec_of(alt.layer(*layers) + _pointer(differences, "step", "difference", "+.4f", cells), 190)


def gradients_chart(gradients: pd.DataFrame, column: str, title: str, cells: Sequence[str]) -> Spec:
    """Return a chart of the norms in `column` against k; `gradients` has the columns cell (its label), k, `column`."""
    lowest = 1e-8
    shown = gradients[gradients[column].notna() & (gradients[column] >= lowest) & (gradients[column] <= 1e6)]
    chart = (
        alt.Chart(rows_of({"cell": shown["cell"], "k": shown["k"], "norm": shown[column]}))
        .mark_line(strokeWidth=1.8)
        .encode(
            alt.X("k:Q", title="k, steps back", axis=alt.Axis(tickCount=6)),
            alt.Y("norm:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(format=".0e", tickCount=6)),
            *of_cells(cells, set(shown["cell"])),
        )
    )
    return spec_of(chart + _pointer(shown, "k", column, ".3~g", cells), 220)


def detail_chart() -> Spec:
    """Return the chart of the curves of one or two cells beside the GRU's; the page's script puts their rows in.

    Rows of `DETAIL_DATA` are lines: cell, step, validation. Rows of `POINTER_DATA` are the values of all lines,
    v0, v1, ..., by step. The script also names the cells, in the domain of the colours and in the tooltip.
    """
    x = alt.X("step:Q", title="training steps", axis=alt.Axis(tickCount=4))
    y = alt.Y("validation:Q", title=None, scale=alt.Scale(zero=False))
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=2)
    scale = alt.Scale(domain=["first", "second", "gru"], range=[COLOURS[0], COLOURS[1], GRU_COLOUR])
    lines = alt.Chart(alt.NamedData(DETAIL_DATA)).mark_line(strokeWidth=2.0)
    lines = lines.encode(x, y, alt.Color("cell:N", title=None, scale=scale, legend=legend))
    return spec_of(lines + _rule(alt.NamedData(POINTER_DATA), "step", []), 170)


def _pointer(rows: pd.DataFrame, axis: str, value: str, form: str, cells: Sequence[str]) -> alt.Chart:
    """Return the layer that shows the values of all lines at the place of the axis that is nearest to the pointer.

    A line that was not measured there has the value of its nearest measurement, within its ends.
    """
    lines = {cell: part.sort_values(axis) for cell, part in rows.groupby("cell")}
    present = [cell for cell in cells if cell in lines] + [cell for cell in lines if cell not in cells]
    places = np.sort(rows[axis].unique())
    columns: dict[str, Any] = {axis: places}
    tooltip = []
    for k, cell in enumerate(present):
        at, values = lines[cell][axis].to_numpy(np.float64), lines[cell][value].to_numpy(np.float64)
        closest = np.abs(at[:, None] - places[None, :].astype(np.float64)).argmin(axis=0)
        inside = (places >= at[0]) & (places <= at[-1])
        columns[f"v{k}"] = np.where(inside, values[closest], np.nan)
        tooltip.append(alt.Tooltip(f"v{k}:Q", title=_title(str(cell)), format=form))
    # Vega shows a null as 0, and what is not there as NaN, which the page's script leaves out.
    known = [{name: value for name, value in row.items() if value is not None} for row in rows_of(columns).values]
    return _rule(alt.InlineData(values=known), axis, tooltip)


def _rule(data: Any, axis: str, tooltip: list[alt.Tooltip]) -> alt.Chart:
    """Return the layer of a line at the place of the axis that is nearest to the pointer, with its tooltip."""
    pointed = nearest(("x",))
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_rule(color=GREY, strokeWidth=1)
        .encode(
            alt.X(f"{axis}:Q"),
            opacity=alt.condition(pointed, alt.value(0.7), alt.value(0)),
            tooltip=[alt.Tooltip(f"{axis}:Q", format=","), *tooltip],
        )
        .add_params(pointed)
    )
    return chart


def _title(name: str) -> str:
    """Return a name for the title of a value, which becomes part of an expression, without quotation marks."""
    return "".join("'" if letter in '"`' else "/" if letter == "\\" else letter for letter in name)
