"""Draw the figures of the README and the docs into `docs/images`: `python docs/figures.py`, from the checkout's root.

Each figure is a function of a named cell or of a published run, and nothing else, so drawing twice gives the same
bytes. A test compares the committed files with what this script draws.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import altair as alt
import pandas as pd
import vl_convert
from scipy import stats

import gatesearch

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FOUND = ROOT / "docs" / "found"
BASELINES = ROOT / "results" / "published" / "baselines"
ATLAS = ROOT / "results" / "published" / "atlas"

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Shipped with vl-convert, so that text is measured alike on every machine."""

VERDICTS = {"better": "#0072b2", "undecided": "#7f7f7f", "worse": "#d55e00"}
"""Colours of Okabe and Ito (2008), safe for the colour-blind; shapes repeat them."""


def gru() -> str:
    """Return the drawing of the GRU."""
    return gatesearch.cell("gru")._repr_svg_()


def gains() -> str:
    """Return a chart of each named cell's share of the GRU's gain, for each task of the published run."""
    run = gatesearch.load(BASELINES)
    table = run.leaderboard()
    parts = []
    for task in run.tasks:
        # The repeats are paired by seed, so the share's interval has one degree of freedom less than there are seeds.
        half = stats.t.ppf(0.975, table[f"{task}_repeats"] - 1) * table[f"{task}_gain_se"]
        share = table[f"{task}_gain"]
        parts.append(
            pd.DataFrame(
                {
                    "cell": table["name"],
                    "gru": 1.0,
                    "task": task,
                    "share": share.round(5),
                    "low": (share - half).round(5),
                    "high": (share + half).round(5),
                    "verdict": table[f"{task}_vs_gru"].fillna("undecided"),
                }
            )
        )
    values = pd.concat(parts)
    values = values[values["cell"] != "gru"]  # 1 by definition: the vertical line
    order = [name for name in table["name"] if name != "gru"]

    base = alt.Chart(alt.InlineData(values=values.to_dict("records")))
    scale = alt.Scale(domain=[0.3, 1.15], zero=False, nice=False)
    x = alt.X("share:Q", title="share of the GRU's gain", scale=scale, axis=alt.Axis(values=[0.4, 0.6, 0.8, 1.0]))
    y = alt.Y("cell:N", sort=order, title=None)
    legend = {"title": "difference from the GRU, after correction for multiple tests", "titleLimit": 400}
    names, colours = list(VERDICTS), list(VERDICTS.values())
    symbols = ["triangle-up", "circle", "triangle-down"]
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=names, range=colours), legend=alt.Legend(**legend))
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=names, range=symbols), legend=alt.Legend(**legend))
    one = base.mark_rule(color="#222222", strokeDash=[4, 3]).encode(alt.X("mean(gru):Q", scale=scale))
    spans = base.mark_rule(strokeWidth=2).encode(alt.X("low:Q", scale=scale), y, colour, x2="high:Q")
    points = base.mark_point(filled=True, size=55, opacity=1).encode(x, y, colour, shape)
    panel = (one + spans + points).properties(width=180, height=230)
    header = alt.Header(labelFontSize=13)
    chart = panel.facet(column=alt.Column("task:N", sort=list(run.tasks), title=None, header=header))
    chart = chart.properties(background="#ffffff", padding=8)
    chart = chart.configure(font=FONT).configure_legend(orient="top", symbolSize=60)
    return str(vl_convert.vegalite_to_svg(chart.to_json())) + "\n"


KINDS = {
    "products in loops": ("#7f7f7f", "circle"),
    "no products in loops": ("#0072b2", "triangle-up"),
    "no products in loops, linear in the state": ("#d55e00", "diamond"),
}
"""Kinds of cells by what a step costs, with colour and shape."""


def front() -> str:
    """Return a chart of the score of the published cells that learn every task, against the time of a training step."""
    table = gatesearch.load(ATLAS).leaderboard()
    table = table[table["evidence"].isin(["retrained", "confirmed"]) & (table["score"] > 0)]
    products = table["loop_products"].fillna(1).astype(int) > 0
    linear = table["linear_in_state"].fillna(False).astype(bool)
    names = list(KINDS)
    kind = [
        names[0] if slow else names[2] if straight else names[1]
        for slow, straight in zip(products, linear, strict=True)
    ]
    values = pd.DataFrame(
        {
            "cell": table["name"],
            "time": table["relative_step_seconds"].round(4),
            "score": table["score"].round(4),
            "low": (table["score"] - table["score_se"]).round(4),
            "high": (table["score"] + table["score_se"]).round(4),
            "kind": kind,
            "front": table["front_step_seconds"].astype(bool),
        }
    )
    shown = values[values["front"] | values["cell"].isin(["lstm", "gru"])]
    steps = values[values["front"]].sort_values(["time", "score"])

    x = alt.X(
        "time:Q",
        title="time of a training step, LSTM = 1 (logarithmic)",
        scale=alt.Scale(type="log", nice=False, domain=[0.5, 1.8]),
        axis=alt.Axis(values=[0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5], format="~g"),
    )
    y = alt.Y(
        "score:Q",
        title="score: smallest share of the GRU's gain over four tasks",
        scale=alt.Scale(domain=[0, 1.05], nice=False),
    )
    colours, shapes = zip(*KINDS.values(), strict=True)
    legend = alt.Legend(title=None, labelLimit=400)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=names, range=shapes), legend=legend)

    def layer(rows: pd.DataFrame) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows.to_dict("records")))

    line = layer(steps).mark_line(interpolate="step-after", color="#222222", strokeDash=[5, 3], strokeWidth=1.2)
    bars = layer(steps).mark_rule(strokeWidth=1.2, opacity=0.7).encode(x, alt.Y("low:Q"), colour, y2="high:Q")
    dots = layer(values).mark_point(filled=True, size=46, opacity=0.8).encode(x, y, colour, shape)
    words = layer(shown).mark_text(align="right", baseline="bottom", dx=-4, dy=-3, fontSize=11, color="#111111")
    chart = line.encode(x, y) + bars + dots + words.encode(x, y, text="cell:N")
    chart = chart.properties(width=720, height=420, background="#ffffff", padding=8)
    chart = chart.configure(font=FONT).configure_legend(orient="top", symbolSize=70, symbolOpacity=1)
    return str(vl_convert.vegalite_to_svg(chart.to_json())) + "\n"


def found(name: str) -> str:
    """Return the drawing of a found cell."""
    return gatesearch.cell(FOUND / f"{name}.cell")._repr_svg_()


FIGURES: dict[str, Callable[[], str]] = {
    "gru.svg": gru,
    "gains.svg": gains,
    "front.svg": front,
    **{f"{name}.svg": partial(found, name) for name in ("discover-3", "discover-5", "discover-6", "fast-2")},
}
"""Functions that draw the figures, by file name."""


def main() -> None:
    """Write every figure."""
    IMAGES.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        (IMAGES / name).write_text(draw(), "utf-8")
        print(f"written to {IMAGES / name}")


if __name__ == "__main__":
    main()
