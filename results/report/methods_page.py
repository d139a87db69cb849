"""Page and figure of a comparison of search methods."""

import math

import altair as alt
import pandas as pd
import vl_convert

from results.report.colours import COLOURS, GRU_COLOUR, LSTM_COLOUR
from results.scores.anytime import quartiles, steps_of
from results.tables.methods import (
    METHOD_COLUMNS,
    PAIR_COLUMNS,
    Compared,
    method_table,
    pair_table,
    verdict_lines,
)

FIGURE_FILE = "comparison.svg"

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Shipped with vl-convert, so that text is measured alike on every machine."""

_COLOURS = (*COLOURS[:3], GRU_COLOUR, *COLOURS[3:], LSTM_COLOUR)

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])

_SHOWN = (
    *("method", "proposals", "complete", "final_median", "final_low", "final_high", "area_median", "reach_share"),
    *("difference", "difference_low", "difference_high", "p_adjusted", "verdict", "hours"),
)
_SHOWN_PAIRS = ("method", "other", "difference", "low", "high", "effect", "wins", "losses", "p", "p_normal", "verdict")


def figure(compared: Compared) -> str:
    """Return an SVG of the median and the quartiles of each method's confirmed score against compute."""
    rows = []
    for method in compared.methods:
        for compute in [*steps_of(method.courses, compared.budget), compared.budget]:
            low, middle, high = quartiles(method.courses, compute)
            values = {"low": round(low, 6), "median": round(middle, 6), "high": round(high, 6)}
            rows.append({"method": method.name, "trainings": round(compute / compared.training, 4), **values})
    names = [method.name for method in compared.methods]
    colours = [_COLOURS[k % len(_COLOURS)] for k in range(len(names))]
    dashes = [_DASHES[k // len(_COLOURS) % len(_DASHES)] for k in range(len(names))]
    legend = alt.Legend(
        orient="right", title=None, symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=2, labelLimit=240
    )
    x = alt.X("trainings:Q", title="compute, in trainings of the GRU on all tasks", scale=alt.Scale(nice=False))
    colour = alt.Color("method:N", sort=names, scale=alt.Scale(domain=names, range=colours), legend=legend)
    dash = alt.StrokeDash("method:N", sort=names, scale=alt.Scale(domain=names, range=dashes), legend=legend)
    base = alt.Chart(alt.InlineData(values=rows))
    y = alt.Y("median:Q", title="confirmed score (GRU = 1)", scale=_scale(compared))
    lowest = alt.Y("low:Q", scale=_scale(compared))
    band = base.mark_area(interpolate="step-after", opacity=0.12).encode(x, lowest, colour, y2="high:Q")
    line = base.mark_line(interpolate="step-after", strokeWidth=1.8).encode(x, y, colour, dash)
    title = {"title": "Simulated trials"} if compared.simulated else {}
    chart = (
        (band + line)
        .properties(width=560, height=340, **title)
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e8e8e8", domainColor="#888888")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json())) + "\n"


def _scale(compared: Compared) -> alt.Scale:
    """Return the scale of the scores; without the zeros before the first found cell, where those count."""
    if not compared.found_only:
        return alt.Scale(zero=False)
    ends = [quartiles(method.courses, compared.budget) for method in compared.methods]
    low, high = min(low for low, _, _ in ends), max(high for _, _, high in ends)
    return alt.Scale(domain=[math.floor(10.0 * low - 1.0) / 10.0, math.ceil(20.0 * high) / 20.0], clamp=True)


def page(compared: Compared, title: str) -> str:
    """Return the page of a comparison as Markdown; the figure is beside it."""
    first, *others = verdict_lines(compared)
    methods, pairs = method_table(compared), pair_table(compared)
    final = pairs[pairs["measure"] == "final"]
    scores = (
        f"the mean of {compared.confirm} trials on fresh seeds, on the test set"
        if compared.confirm
        else "that of the recorded trials"
    )
    incumbent = (
        "The incumbent is the best cell that a search found: neither a given cell nor one of the initial population. "
        "Before there is one, its score is 0, that of a constant prediction. "
        if compared.found_only
        else ""
    )
    lines = [
        f"# {title}",
        "",
        *([compared.description, ""] if compared.description else []),
        *(["**The trials are simulated: nothing here is evidence on cells or methods.**", ""] * compared.simulated),
        f"**{first}**",
        "",
        *(f"- {line}" for line in others),
        "",
        f"![Confirmed score of the incumbent against compute]({FIGURE_FILE})",
        "",
        f"Median (line) and quartiles (band) over {compared.seeds} search seeds of the incumbent's confirmed score: "
        f"{scores}, as the smallest share of the GRU's over the tasks. {incumbent}Each search has "
        f"{compared.budget:.4g} multiply-adds, {compared.budget / compared.training:.4g} trainings of the GRU on all "
        f"tasks; those of the given cells are not counted. Confirming took {compared.confirm_seconds / 3600:.2f} "
        "core-hours.",
        "",
        "## Methods",
        "",
        _markdown(methods[list(_SHOWN)]),
        "",
        *(f"- `{name}`: {METHOD_COLUMNS[name]}." for name in _SHOWN if name != "method"),
        "",
        "## Pairs: final score",
        "",
        _markdown(final[list(_SHOWN_PAIRS)]),
        "",
        *(f"- `{name}`: {PAIR_COLUMNS[name]}." for name in _SHOWN_PAIRS if name not in ("method", "other")),
        "",
    ]
    return "\n".join(lines)


def _markdown(table: pd.DataFrame) -> str:
    shown = table.copy()
    for name in shown.columns:
        if shown[name].dtype.kind == "f":
            shown[name] = shown[name].map(lambda value: "" if pd.isna(value) else f"{value:.4g}")
    return str(shown.fillna("").to_markdown(index=False, disable_numparse=True))
