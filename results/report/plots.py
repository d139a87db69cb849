"""Charts of the report, as Vega-Lite specifications made by Altair.

The script of the page draws them (`results.report.report`). Green and red mean one thing: better or worse than the GRU
beyond the noise, by a corrected test. Cells and states have other colours, which are distinguishable by the
colour-blind; dashes and shapes repeat them for print. The GRU is black and the best so far blue. The tooltip is that of
the point nearest to the pointer, wherever it is. Every function takes plain frames. Names of unknown origin go into the
data, never into an expression.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import altair as alt
import pandas as pd

from results.report.chart_parts import Spec, nearest, rows_of, spec_of
from results.report.colours import (
    BEHIND,
    BETTER,
    COLOURS,
    GREY,
    GRU_COLOUR,
    INK,
    LIGHT,
    LSTM_COLOUR,
    ORANGE,
    PAUSED,
    RIM,
    SKY,
    WORSE,
)
from results.report.front import STANDINGS
from results.scores.finding import Standing
from results.scores.match import Match
from results.store.rungs import RungCount
from results.store.words import Origin, ProposalKind, TrialState
from search.cells.ids import short_id

_Side: TypeAlias = Literal["left", "right"]
"""Alignment of a label."""

_BLUE, _AMBER, _BLACK = COLOURS[0], COLOURS[1], GRU_COLOUR
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
    points = rows_of(
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
    x = alt.X("x:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
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
    scatter = alt.Chart(points).mark_point(size=28, opacity=0.8, color=_BLUE).encode(x, y, shapes, tooltip=tooltip)
    best = rows_of({"x": steps[against], "score": steps["best"]})
    line = alt.Chart(best).mark_line(interpolate="step-after", color=_BLUE, strokeWidth=2.2).encode(x, y)
    layers = [line]
    for name, score in baselines.items():
        rules = alt.Chart(rows_of({"score": [score], "name": [name]})).encode(alt.Y("score:Q"))
        ink = _BLACK if name == "gru" else LSTM_COLOUR
        layers.append(rules.mark_rule(color=ink, strokeWidth=1.4, strokeDash=[1, 0] if name == "gru" else [6, 3]))
        # At the two ends, where the names do not cover each other, however near the lines are.
        side: _Side = "right" if name == "gru" else "left"
        words = rules.mark_text(align=side, baseline="bottom", dx=-2 if side == "right" else 2, dy=-2, color=INK)
        layers.append(words.encode(x=alt.value("width" if side == "right" else 0), text=alt.Text("name:N")))
    return spec_of(alt.layer(*layers) + scatter.add_params(nearest()), 250)


def front_chart(points: pd.DataFrame, cost: str, title: str) -> Spec:
    """Return a chart of score against a cost, with the Pareto front as a line of steps.

    Named cells have a dark rim. Labels are those of the front, then those of named cells, where there is room.

    Args:
        points: as `results.report.front.front_points` returns it.
        cost: column of the cost.
        title: title of its axis.
    """
    known = points[points[cost].notna()].sort_values([cost, "score"])
    columns = {name: known[name] for name in ("cell", "score", "low", "high", "standing")}
    rows = rows_of({"cost": known[cost], **columns})
    front = known[known[f"{cost}_front"]]
    present = [standing for standing in STANDINGS if (known["standing"] == standing).any()]
    colours = dict(zip(STANDINGS, (BETTER, WORSE, _AMBER, _BLUE, GREY, _BLACK), strict=True))
    shapes = dict(zip(STANDINGS, ("triangle-up", "triangle-down", "diamond", "circle", "cross", "square"), strict=True))
    legend = alt.Legend(title="against the GRU, by corrected tests", titleLimit=400, columns=1, symbolOpacity=1)
    x = alt.X("cost:Q", title=title, scale=alt.Scale(zero=False, padding=20), axis=alt.Axis(tickCount=6))
    # A cell that diverged on one seed has any score below 0, which would flatten the others into one line.
    lowest = alt.Scale(domainMin=0, clamp=True) if (known["score"] < 0).any() else alt.Scale(zero=False)
    y = alt.Y("score:Q", title="score (GRU = 1)", scale=lowest)
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
        alt.Chart(rows_of({"cost": front[cost], "score": front["score"]}))
        .mark_line(interpolate="step-after", color=GREY, strokeWidth=1.4, strokeDash=[5, 3])
        .encode(x, y)
    )
    few = len(known) <= FEW_POINTS
    spans = (
        rows if few else rows_of({"cost": front[cost], **{name: front[name] for name in ("low", "high", "standing")}})
    )
    bars = alt.Chart(spans).mark_rule(strokeWidth=1.3, opacity=0.6).encode(x, alt.Y("low:Q"), colour, y2="high:Q")
    dots = alt.Chart(rows).mark_point(filled=True, size=62 if few else 34, opacity=1 if few else 0.8)
    dots = dots.encode(x, y, colour, shape, tooltip=tooltip)
    named = known[known["named"]]
    layers = steps + bars
    if len(named):  # Vega complains of a layer without values
        rims = alt.Chart(rows_of({"cost": named[cost], **{name: named[name] for name in ("score", "standing")}}))
        rims = rims.mark_point(filled=False, size=120 if few else 80, color=INK, strokeWidth=1.4)
        layers += rims.encode(x, y, shape)
    rest = named[~named.index.isin(front.index)].sort_values("cell", key=lambda names: ~names.isin(["gru", "lstm"]))
    labelled = pd.concat([front.sort_values("score", ascending=False), rest])
    span = float(known[cost].min()), float(known[cost].max())
    sides = pd.Series(_label_sides(labelled, cost, span, _height(known["score"])), labelled.index)
    ways: tuple[tuple[_Side, int], ...] = (("left", 6), ("right", -6))
    for side, dx in ways:
        own = labelled[sides == side]
        if len(own):
            names = alt.Chart(rows_of({"cost": own[cost], "score": own["score"], "cell": own["cell"]}))
            names = names.encode(x, y, text=alt.Text("cell:N"))
            # On a line or a point, letters are readable by a rim of the ground's colour.
            layers += names.mark_text(
                align=side, baseline="bottom", dx=dx, dy=-4, fontSize=11, color="white", stroke="white", strokeWidth=3
            )
            layers += names.mark_text(align=side, baseline="bottom", dx=dx, dy=-4, fontSize=11, color=INK)
    return spec_of(layers + dots.add_params(nearest()), 280)


def _height(scores: pd.Series) -> float:
    return float(scores.max() - max(0.0, float(scores.min())))


def _label_sides(points: pd.DataFrame, cost: str, span: tuple[float, float], height: float) -> list[_Side | None]:
    """Return the alignment of each point's label: "left" behind the point, "right" before it, None without one.

    Labels go towards the middle, since a narrow screen has no room at the edges. None covers another, the first ones
    first. `span` are the ends of the axis of costs, `height` is the range of the scores. A letter takes about 1.6 % of
    the width, a line 6 % of the height.
    """
    low, high = span
    taken: list[tuple[float, float, float]] = []
    sides: list[_Side | None] = []
    for name, place, score in zip(points["cell"], points[cost], points["score"], strict=True):
        side: _Side = "left" if place <= low + 0.6 * (high - low) else "right"
        length = 0.016 * (high - low) * (len(str(name)) + 2)
        left, right = (place, place + length) if side == "left" else (place - length, place)
        free = all(right < a or b < left or abs(score - other) > 0.06 * height for a, b, other in taken)
        if free:
            taken.append((left, right, score))
        sides.append(side if free else None)
    return sides


def funnel_chart(stages: Sequence[tuple[str, int, int]]) -> Spec:
    """Return a chart of the found cells that were tried and that passed, for each stage (name, tried, passed)."""
    counts = [(name, (passed, tried - passed)) for name, tried, passed in stages]
    return _bars(counts, {"passed": _BLUE, "stopped here": LIGHT}, "found cells")


def rungs_chart(rungs: Sequence[RungCount]) -> Spec:
    """Return a chart of the candidates of each rung: promoted, not promoted, and stopped at a task."""
    counts = [(f"rung {r.rung}", (r.promoted, r.tried - r.promoted - r.stopped, r.stopped)) for r in rungs]
    return _bars(counts, {"promoted": _BLUE, "not promoted": SKY, "stopped at a task": LIGHT}, "candidates")


def _bars(counts: Sequence[tuple[str, Sequence[int]]], colours: Mapping[str, str], title: str) -> Spec:
    """Return a chart of stacked bars, one for each name, with as many parts as there are colours."""
    parts = [
        (name, what, n, sum(numbers)) for name, numbers in counts for what, n in zip(colours, numbers, strict=True)
    ]
    rows = rows_of(
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
        .mark_bar(stroke=RIM, strokeWidth=0.5)
        .encode(
            alt.X("cells:Q", title=title, axis=alt.Axis(tickMinStep=1, tickCount=5)),
            alt.Y("stage:N", sort=[name for name, _ in counts], title=None),
            alt.Color("what:N", title=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
            order=alt.Order("place:Q"),
            tooltip=[alt.Tooltip("stage:N"), alt.Tooltip("what:N", title="cells"), alt.Tooltip("share:N")],
        )
    )
    return spec_of(chart, 26 * max(len(counts), 2) + 10)


def states_chart(states: pd.DataFrame, order: Sequence[str]) -> Spec:
    """Return a chart of the shares of final states by task.

    `states` has the columns task, state, trials; `order` is that of the tasks.
    """
    looks = dict(zip(TrialState, (_BLUE, SKY, LIGHT, ORANGE, _BLACK, PAUSED, BEHIND), strict=True))
    colours = {str(state): colour for state, colour in looks.items() if (states["state"] == state).any()}
    chart = (
        alt.Chart(rows_of({name: states[name] for name in ("task", "state", "trials")}))
        .mark_bar(stroke=RIM, strokeWidth=0.5)
        .encode(
            alt.X("trials:Q", stack="normalize", title="share of trials", axis=alt.Axis(format="%")),
            alt.Y("task:N", sort=list(order), title=None),
            alt.Color("state:N", title=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
            tooltip=[alt.Tooltip("task:N"), alt.Tooltip("state:N"), alt.Tooltip("trials:Q", format=",")],
        )
    )
    return spec_of(chart, 26 * max(len(order), 2) + 10)


def importance_chart(shares: Mapping[str, tuple[float, float]]) -> Spec:
    """Return a chart of the loss of R^2 when a hyperparameter is shuffled, with its deviation over splits."""
    rows = rows_of(
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
        .mark_bar(color=SKY, stroke=RIM, strokeWidth=0.5)
        .encode(alt.X("loss:Q", title="loss of R² when shuffled", axis=alt.Axis(tickCount=5)), y, tooltip=tooltip)
    )
    error = alt.Chart(rows).mark_rule(color=GRU_COLOUR)
    error = error.encode(alt.X("low:Q", title=""), y, x2="high:Q", tooltip=tooltip)
    return spec_of(bar + error, 24 * max(len(shares), 2) + 10)


def marginals_chart(marginal: pd.DataFrame, hyperparameter: str) -> Spec:
    """Return a chart of the quartiles of the rank percentile by value of one hyperparameter, for every task.

    `marginal` has the columns task, value, trials, low, middle, high.
    """
    tasks = list(dict.fromkeys(marginal["task"]))
    rows = rows_of({name: marginal[name] for name in ("task", "value", "trials", "low", "middle", "high")})
    words = not pd.api.types.is_numeric_dtype(marginal["value"].infer_objects())
    axis = alt.Axis(labelAngle=0) if words else alt.Axis(labelAngle=0, format="~g" if _plain(marginal) else "~s")
    x = alt.X("value:O", title=hyperparameter, axis=axis)
    tooltip = alt.Tooltip("value:N", title=hyperparameter)
    if not words:
        tooltip = alt.Tooltip("value:Q", title=hyperparameter, format=",")
    offset = alt.XOffset("task:N", sort=tasks)
    colour = alt.Color(
        "task:N",
        title=None,
        sort=tasks,
        scale=alt.Scale(domain=tasks, range=[COLOURS[k % len(COLOURS)] for k in range(len(tasks))]),
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
        .add_params(nearest())
    )
    return spec_of(span + dots, 150)


def _plain(marginal: pd.DataFrame) -> bool:
    return bool((marginal["value"] < 10_000).all())


def matches_chart(matches: Sequence[Match], order: Sequence[str]) -> Spec:
    """Return a chart of the differences of cells from the GRU on one task, with 95 % intervals.

    `matches` are tests against the GRU, with one unit; `order` has the labels of cells from top to bottom.
    """
    shown = sorted((m for m in matches if m.cell in order), key=lambda m: order.index(m.cell))
    kind = shown[0].unit
    unit, scale, number = kind.after_number("GRU"), kind.scale, "+.1f" if kind.is_share else "+.3g"
    looks = {
        Standing.BETTER: ("better", BETTER, "triangle-up"),
        Standing.WORSE: ("worse", WORSE, "triangle-down"),
        Standing.EVEN: ("even", _BLUE, "square"),
        Standing.UNDECIDED: ("undecided", GREY, "circle"),
    }
    present = [look for standing, look in looks.items() if any(m.standing is standing for m in shown)]
    rows = rows_of(
        {
            "cell": [m.cell for m in shown],
            "effect": [scale * m.effect for m in shown],
            "low": [scale * m.low for m in shown],
            "high": [scale * m.high for m in shown],
            "standing": [looks[m.standing][0] if m.standing in looks else None for m in shown],
            "seeds": [m.repeats for m in shown],
        }
    )
    words, colours, shapes = ([look[k] for look in present] for k in range(3))
    colour = alt.Color("standing:N", title=None, scale=alt.Scale(domain=words, range=colours))
    shape = alt.Shape("standing:N", title=None, scale=alt.Scale(domain=words, range=shapes))
    y = alt.Y("cell:N", sort=[m.cell for m in shown], title=None, axis=alt.Axis(labelLimit=130))
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("effect:Q", title=unit, format=number),
        alt.Tooltip("low:Q", title="95 % interval from", format=number),
        alt.Tooltip("high:Q", title="to", format=number),
        alt.Tooltip("standing:N", title="against the GRU"),
        alt.Tooltip("seeds:Q"),
    ]
    zero = alt.Chart(rows_of({"zero": [0]})).mark_rule(color=_BLACK, strokeWidth=2).encode(alt.X("zero:Q"))
    bars = alt.Chart(rows).mark_rule(strokeWidth=1.6)
    axis = alt.Axis(tickCount=6, labelOverlap="greedy")
    bars = bars.encode(alt.X("low:Q", title=f"{unit}, above 0: better", axis=axis), y, colour, x2="high:Q")
    dots = alt.Chart(rows).mark_point(filled=True, size=60, opacity=1)
    dots = dots.encode(alt.X("effect:Q"), y, colour, shape, tooltip=tooltip).add_params(nearest(("y",)))
    return spec_of(zero + bars + dots, 18 * max(len(shown), 2) + 10)
