"""Charts of the report, as Vega-Lite specifications made by Altair.

The script of the page draws them (`results.report.report`). Green and red mean one thing: better or worse than the GRU
beyond the noise, by a corrected test. Cells and states have other colours, most of them of Okabe and Ito 2008, which
are distinguishable by the colour-blind; dashes and shapes repeat them for print. Every function takes plain frames.
Names of unknown origin go into the data, never into an expression.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from results.report.front import STANDINGS
from results.store.rungs import RungCount
from results.store.words import Origin, ProposalKind, TrialState
from search.cells.ids import short_id

Spec = dict[str, Any]
"""Vega-Lite specification, ready for JSON."""

COLOURS = ("#0072b2", "#e69f00", "#cc79a7", "#000000", "#56b4e9", "#8c6d31", "#5d3a9b", "#7f7f7f")
"""Colours of cells, in the order in which a chart names them; none is red or green."""

BETTER, WORSE = "#1a7f37", "#c62828"
"""Green and red: better or worse than the GRU beyond the noise."""

_BLUE, _ORANGE, _BLACK, _SKY = COLOURS[0], COLOURS[1], COLOURS[3], COLOURS[4]
_DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (10, 4), (4, 2, 1, 2), (1, 3), (12, 2, 2, 2), (3, 3), (5, 1))
_GREY = "#767676"
_FONT = "system-ui, Helvetica, Arial, DejaVu Sans, sans-serif"
_CONFIG = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {"grid": True, "gridColor": "#e8e8e8", "domainColor": "#888888", "labelFontSize": 11, "titleFontSize": 12},
    "legend": {"orient": "top", "titleFontSize": 12, "labelFontSize": 11, "labelLimit": 220, "columns": 3},
    "title": {"anchor": "start", "fontSize": 13},
}

_KINDS = {
    ProposalKind.PROPOSE: ("new cell", "circle"),
    ProposalKind.REEXAMINE: ("re-examined cell", "triangle-up"),
    ProposalKind.PROMOTE: ("cell that was trained further", "diamond"),
}
"""Words and shapes of the proposals of found cells."""

FEW_POINTS = 40
"""Most points of a chart of cost that all have error bars; of more, only those on the front."""

MOST_POINTS = 2500
"""Most proposals that a chart shows: all that were the best so far, and a sample of the others."""


def score_chart(history: pd.DataFrame, against: str, title: str, baselines: Mapping[str, float]) -> Spec:
    """Return a chart of the score of every complete proposal, the best found so far, and lines for baselines.

    Args:
        history: as `results.tables.progress.history` returns it.
        against: column on the horizontal axis, `trials` or `core_hours`.
        title: title of that axis.
        baselines: scores by name.
    """
    found = history[(history["origin"] == Origin.FOUND) & history["score"].notna()]
    improved = found["score"] >= found["best"]
    if len(found) > MOST_POINTS:
        keep = found.sample(MOST_POINTS - min(int(improved.sum()), MOST_POINTS // 2), random_state=0).index
        found = found[improved | found.index.isin(keep)]
    present = [kind for kind in _KINDS if (found["kind"] == kind).any()]
    points = _values(
        {
            "x": found[against],
            "score": found["score"],
            "cell": found["cell"].map(short_id),
            "kind": found["kind"].map({kind: word for kind, (word, _) in _KINDS.items()}),
            "proposal": found["proposal"],
        }
    )
    steps = history[history["best"].notna()]
    steps = steps[(steps["best"] != steps["best"].shift()) | (steps.index == steps.index[-1])] if len(steps) else steps
    x = alt.X("x:Q", title=title, axis=alt.Axis(tickCount=6))
    y = alt.Y("score:Q", title="score (GRU = 1)", scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("score:Q", format=".4f"),
        alt.Tooltip("proposal:Q"),
        alt.Tooltip("kind:N"),
        alt.Tooltip("x:Q", title=title, format=",.4~g"),
    ]
    shapes = alt.Shape(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=[_KINDS[kind][0] for kind in present], range=[_KINDS[kind][1] for kind in present]),
        legend=alt.Legend(symbolFillColor="transparent"),
    )
    scatter = alt.Chart(points).mark_point(size=28, opacity=0.65, color=_BLUE).encode(x, y, shapes, tooltip=tooltip)
    best = _values({"x": steps[against], "score": steps["best"]})
    line = alt.Chart(best).mark_line(interpolate="step-after", color=_BLACK, strokeWidth=1.8).encode(x, y)
    rules = _values({"score": list(baselines.values()), "name": list(baselines)})
    rule = alt.Chart(rules).mark_rule(color=_GREY, strokeDash=[5, 4]).encode(alt.Y("score:Q"))
    words = (
        alt.Chart(rules)
        .mark_text(align="right", baseline="bottom", dx=-2, dy=-2, color="#444444")
        .encode(alt.Y("score:Q"), x=alt.value("width"), text=alt.Text("name:N"))
    )
    return _spec(rule + scatter + line + words, 250)


def front_chart(points: pd.DataFrame, cost: str, title: str) -> Spec:
    """Return a chart of score against a cost, with the Pareto front as a line of steps.

    Args:
        points: as `results.report.front.front_points` returns it.
        cost: column of the cost.
        title: title of its axis.
    """
    known = points[points[cost].notna()].sort_values([cost, "score"])
    columns = {name: known[name] for name in ("cell", "score", "low", "high", "standing")}
    rows = _values({"cost": known[cost], **columns})
    front = known[known[f"{cost}_front"]]
    present = [standing for standing in STANDINGS if (known["standing"] == standing).any()]
    colours = dict(zip(STANDINGS, (BETTER, WORSE, _ORANGE, _BLUE, _GREY), strict=True))
    shapes = dict(zip(STANDINGS, ("triangle-up", "triangle-down", "diamond", "circle", "cross"), strict=True))
    legend = alt.Legend(title="against the GRU, by corrected tests", titleLimit=400, columns=2, symbolOpacity=1)
    x = alt.X("cost:Q", title=title, scale=alt.Scale(zero=False, padding=20), axis=alt.Axis(tickCount=6))
    y = alt.Y("score:Q", title="score (GRU = 1)", scale=alt.Scale(zero=False))
    colour = alt.Color(
        "standing:N", scale=alt.Scale(domain=present, range=[colours[s] for s in present]), legend=legend
    )
    shape = alt.Shape("standing:N", scale=alt.Scale(domain=present, range=[shapes[s] for s in present]), legend=legend)
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("score:Q", format=".4f"),
        alt.Tooltip("cost:Q", title=title, format=".3f"),
        alt.Tooltip("standing:N", title="against the GRU"),
    ]
    steps = (
        alt.Chart(_values({"cost": front[cost], "score": front["score"]}))
        .mark_line(interpolate="step-after", color=_BLACK, strokeWidth=1.4, strokeDash=[5, 3])
        .encode(x, y)
    )
    few = len(known) <= FEW_POINTS
    spans = (
        rows if few else _values({"cost": front[cost], **{name: front[name] for name in ("low", "high", "standing")}})
    )
    bars = alt.Chart(spans).mark_rule(strokeWidth=1.3, opacity=0.6).encode(x, alt.Y("low:Q"), colour, y2="high:Q")
    dots = alt.Chart(rows).mark_point(filled=True, size=62 if few else 34, opacity=1 if few else 0.8)
    dots = dots.encode(x, y, colour, shape, tooltip=tooltip)
    names = (
        alt.Chart(_values({"cost": front[cost], "score": front["score"], "cell": front["cell"]}))
        .mark_text(align="left", baseline="bottom", dx=6, dy=-4, fontSize=11, color="#222222")
        .encode(x, y, text=alt.Text("cell:N"))
    )
    return _spec(steps + bars + dots + names, 280)


def funnel_chart(stages: Sequence[tuple[str, int, int]]) -> Spec:
    """Return a chart of the found cells that were tried and that passed, for each stage (name, tried, passed)."""
    counts = [(name, (passed, tried - passed)) for name, tried, passed in stages]
    return _bars(counts, {"passed": _BLUE, "stopped here": "#d9d9d9"}, "found cells")


def rungs_chart(rungs: Sequence[RungCount]) -> Spec:
    """Return a chart of the candidates of each rung: promoted, not promoted, and stopped at a task."""
    counts = [(f"rung {r.rung}", (r.promoted, r.tried - r.promoted - r.stopped, r.stopped)) for r in rungs]
    return _bars(counts, {"promoted": _BLUE, "not promoted": _SKY, "stopped at a task": "#d9d9d9"}, "candidates")


def _bars(counts: Sequence[tuple[str, Sequence[int]]], colours: Mapping[str, str], title: str) -> Spec:
    """Return a chart of stacked bars, one for each name, with as many parts as there are colours."""
    parts = [
        (name, what, n, sum(numbers)) for name, numbers in counts for what, n in zip(colours, numbers, strict=True)
    ]
    rows = _values(
        {
            "stage": [name for name, _, _, _ in parts],
            "cells": [number for _, _, number, _ in parts],
            "what": [what for _, what, _, _ in parts],
            "place": [list(colours).index(what) for _, what, _, _ in parts],
            "share": [f"{number:,} of {total:,}" for _, _, number, total in parts],
        }
    )
    chart = (
        alt.Chart(rows)
        .mark_bar(stroke="#333333", strokeWidth=0.5)
        .encode(
            alt.X("cells:Q", title=title, axis=alt.Axis(tickMinStep=1, tickCount=5)),
            alt.Y("stage:N", sort=[name for name, _ in counts], title=None),
            alt.Color("what:N", title=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
            order=alt.Order("place:Q"),
            tooltip=[alt.Tooltip("stage:N"), alt.Tooltip("what:N", title="cells"), alt.Tooltip("share:N")],
        )
    )
    return _spec(chart, 26 * max(len(counts), 2) + 10)


def states_chart(states: pd.DataFrame, order: Sequence[str]) -> Spec:
    """Return a chart of the shares of final states by task.

    `states` has the columns task, state, trials; `order` is that of the tasks.
    """
    colours = dict(zip(TrialState, (_BLUE, _SKY, "#d9d9d9", _ORANGE, _BLACK, "white", "#999999"), strict=True))
    chart = (
        alt.Chart(_values({name: states[name] for name in ("task", "state", "trials")}))
        .mark_bar(stroke="#333333", strokeWidth=0.5)
        .encode(
            alt.X("trials:Q", stack="normalize", title="share of trials", axis=alt.Axis(format="%")),
            alt.Y("task:N", sort=list(order), title=None),
            alt.Color("state:N", title=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
            tooltip=[alt.Tooltip("task:N"), alt.Tooltip("state:N"), alt.Tooltip("trials:Q", format=",")],
        )
    )
    return _spec(chart, 26 * max(len(order), 2) + 10)


def curves_chart(curves: pd.DataFrame, metric: str, cells: Sequence[str]) -> Spec:
    """Return a chart of the validation metric against training steps.

    `curves` has the columns cell (its label), run, step, validation; `cells` are all labels of the page in order, so
    that a cell has one colour in all charts.
    """
    names = ("cell", "run", "step", "validation")
    runs = curves.groupby("cell")["run"].nunique()
    means = curves.groupby(["cell", "step"])["validation"].agg(["mean", "count"]).reset_index()
    means = means[means["count"] == means["cell"].map(runs)].rename(columns={"mean": "validation"})
    means["run"] = means["cell"].map(lambda cell: f"mean of {runs[cell]}" if runs[cell] > 1 else "single run")
    parts = (curves[curves["cell"].map(runs) > 1], 0.7, 0.35), (means, 2.2, 1.0)
    layers = [
        alt.Chart(_values({name: rows[name] for name in names}))
        .mark_line(strokeWidth=width, opacity=opacity)
        .encode(
            alt.X("step:Q", title="training steps", axis=alt.Axis(tickCount=5)),
            alt.Y("validation:Q", title=f"validation {metric}", scale=alt.Scale(zero=False)),
            *_of_cells(cells, set(curves["cell"])),
            detail=alt.Detail("run:N"),
            tooltip=[
                alt.Tooltip("cell:N"),
                alt.Tooltip("run:N"),
                alt.Tooltip("step:Q", format=","),
                alt.Tooltip("validation:Q", format=".4f"),
            ],
        )
        for rows, width, opacity in parts
    ]
    return _spec(layers[0] + layers[1], 220)


def importance_chart(shares: Mapping[str, tuple[float, float]]) -> Spec:
    """Return a chart of the loss of R^2 when a hyperparameter is shuffled, with its deviation over splits."""
    rows = _values(
        {
            "hyperparameter": list(shares),
            "loss": [mean for mean, _ in shares.values()],
            "low": [mean - deviation for mean, deviation in shares.values()],
            "high": [mean + deviation for mean, deviation in shares.values()],
        }
    )
    y = alt.Y("hyperparameter:N", sort=list(shares), title=None)
    tooltip = [alt.Tooltip("hyperparameter:N"), alt.Tooltip("loss:Q", format=".3f")]
    bar = (
        alt.Chart(rows)
        .mark_bar(color=_SKY, stroke="#333333", strokeWidth=0.5)
        .encode(alt.X("loss:Q", title="loss of R² when shuffled", axis=alt.Axis(tickCount=5)), y, tooltip=tooltip)
    )
    error = alt.Chart(rows).mark_rule(color="#000000").encode(alt.X("low:Q", title=""), y, x2="high:Q")
    return _spec(bar + error, 24 * max(len(shares), 2) + 10)


def marginals_chart(marginal: pd.DataFrame, hyperparameter: str) -> Spec:
    """Return a chart of the quartiles of the rank percentile by value of one hyperparameter, for every task.

    `marginal` has the columns task, value, trials, low, middle, high.
    """
    tasks = list(dict.fromkeys(marginal["task"]))
    rows = _values({name: marginal[name] for name in ("task", "value", "trials", "low", "middle", "high")})
    words = not pd.api.types.is_numeric_dtype(marginal["value"].infer_objects())
    axis = alt.Axis(labelAngle=0) if words else alt.Axis(labelAngle=0, format="~g" if _plain(marginal) else "~s")
    x = alt.X("value:O", title=hyperparameter, axis=axis)
    tooltip = alt.Tooltip("value:N", title=hyperparameter)
    if not words:
        tooltip = alt.Tooltip("value:Q", title=hyperparameter, format=",")
    offset = alt.XOffset("task:N", sort=tasks)
    colour = alt.Color(
        "task:N", title=None, sort=tasks, scale=alt.Scale(domain=tasks, range=list(COLOURS[: len(tasks)]))
    )
    shape = alt.Shape("task:N", title=None, sort=tasks, scale=alt.Scale(domain=tasks))
    scale = alt.Scale(domain=[0, 1])
    span = (
        alt.Chart(rows)
        .mark_rule(strokeWidth=3, opacity=0.45)
        .encode(x, offset, alt.Y("low:Q", title="rank percentile", scale=scale), colour, y2="high:Q")
    )
    dots = (
        alt.Chart(rows)
        .mark_point(filled=True, size=55, opacity=1)
        .encode(
            x,
            offset,
            alt.Y("middle:Q", scale=scale),
            colour,
            shape,
            tooltip=[
                alt.Tooltip("task:N"),
                tooltip,
                alt.Tooltip("middle:Q", title="median rank percentile", format=".2f"),
                alt.Tooltip("trials:Q", format=","),
            ],
        )
    )
    return _spec(span + dots, 150)


def gradients_chart(gradients: pd.DataFrame, column: str, title: str, cells: Sequence[str]) -> Spec:
    """Return a chart of the norms in `column` against k; `gradients` has the columns cell (its label), k, `column`."""
    lowest = 1e-8
    shown = gradients[gradients[column].notna() & (gradients[column] >= lowest) & (gradients[column] <= 1e6)]
    chart = (
        alt.Chart(_values({"cell": shown["cell"], "k": shown["k"], "norm": shown[column]}))
        .mark_line(strokeWidth=1.8)
        .encode(
            alt.X("k:Q", title="k, steps back", axis=alt.Axis(tickCount=6)),
            alt.Y("norm:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(format=".0e", tickCount=6)),
            *_of_cells(cells, set(shown["cell"])),
            tooltip=[alt.Tooltip("cell:N"), alt.Tooltip("k:Q"), alt.Tooltip("norm:Q", format=".3~g")],
        )
    )
    return _spec(chart, 220)


def script_safe(spec: Spec) -> str:
    """Return JSON that contains neither an element nor a comment for an HTML parser."""
    text = json.dumps(spec, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _of_cells(cells: Sequence[str], present: set[str]) -> tuple[alt.Color, alt.StrokeDash]:
    """Return colour and dashes by cell, the same in every chart; the legend has the cells in the chart."""
    places = [k for k, cell in enumerate(cells) if cell in present]
    names = [cells[k] for k in places]
    colours = [COLOURS[k % len(COLOURS)] for k in places]
    dashes = [list(_DASHES[k % len(_DASHES)]) for k in places]
    legend = alt.Legend(symbolOpacity=1, symbolStrokeWidth=2, symbolSize=300)
    return (
        alt.Color("cell:N", title=None, sort=names, scale=alt.Scale(domain=names, range=colours), legend=legend),
        alt.StrokeDash("cell:N", title=None, sort=names, scale=alt.Scale(domain=names, range=dashes), legend=legend),
    )


def _plain(marginal: pd.DataFrame) -> bool:
    return bool((marginal["value"] < 10_000).all())


def _values(columns: Mapping[str, Any]) -> alt.InlineData:
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


def _spec(chart: Any, height: int) -> Spec:
    """Return the specification, as wide as its container."""
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec["config"] = _CONFIG
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec
