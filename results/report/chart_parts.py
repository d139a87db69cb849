"""Parts that the charts of the report share: configuration, rows of plain values, colours and dashes of cells."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import altair as alt

from results.report.colours import AXIS, COLOURS, GRID, GRU_COLOUR, LSTM_COLOUR

Spec = dict[str, Any]
"""Vega-Lite specification, ready for JSON."""

Axis: TypeAlias = Literal["x", "y"]

_DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (10, 4), (4, 2, 1, 2), (1, 3), (12, 2, 2, 2), (3, 3), (5, 1))
_FONT = "system-ui, Helvetica, Arial, DejaVu Sans, sans-serif"
_CONFIG = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {"grid": True, "gridColor": GRID, "domainColor": AXIS, "labelFontSize": 11, "titleFontSize": 12},
    "legend": {"orient": "top", "titleFontSize": 12, "labelFontSize": 11, "labelLimit": 220, "columns": 3},
    "title": {"anchor": "start", "fontSize": 13},
}


def script_safe(spec: Spec) -> str:
    """Return JSON that contains neither an element nor a comment for an HTML parser."""
    text = json.dumps(spec, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def of_cells(cells: Sequence[str], present: set[str]) -> tuple[alt.Color, alt.StrokeDash]:
    """Return colour and dashes by cell, the same in every chart; the legend has the cells in the chart."""
    references = {"gru": (GRU_COLOUR, (1, 0)), "lstm": (LSTM_COLOUR, (6, 3))}
    others = [cell for cell in cells if cell not in references]
    names = [cell for cell in cells if cell in present]
    styles = {
        cell: (COLOURS[k % len(COLOURS)], _DASHES[k // len(COLOURS) % len(_DASHES)]) for k, cell in enumerate(others)
    } | references
    colours = [styles[cell][0] for cell in names]
    dashes = [list(styles[cell][1]) for cell in names]
    legend = alt.Legend(symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=2, symbolSize=300)
    return (
        alt.Color("cell:N", title=None, sort=names, scale=alt.Scale(domain=names, range=colours), legend=legend),
        alt.StrokeDash("cell:N", title=None, sort=names, scale=alt.Scale(domain=names, range=dashes), legend=legend),
    )


def rows_of(columns: Mapping[str, Any]) -> alt.InlineData:
    """Return rows of plain numbers and text; numbers that are not finite become null."""
    lists = {name: [_value(v) for v in values] for name, values in columns.items()}
    return alt.InlineData(values=[dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)])


def _value(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else float(f"{number:.6g}")


def spec_of(chart: Any, height: int) -> Spec:
    """Return the specification, as wide as its container."""
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec["config"] = _CONFIG
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def nearest(axes: Sequence[Axis] = ("x", "y")) -> alt.Parameter:
    """Return the choice of the mark nearest to the pointer along axes, by which points have a tooltip everywhere.

    The layer with it is the last one: another above it would hide it.
    """
    found: alt.Parameter = alt.selection_point(nearest=True, on="pointermove", encodings=list(axes), empty=False)
    return found
