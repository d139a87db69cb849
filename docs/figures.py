"""Draw the figures of the README and the docs into `docs/images`: `python docs/figures.py`, from the checkout's root.

Each figure is a function of a named cell or of a published run, and nothing else, so drawing twice gives the same
bytes. A test compares the committed files with what this script draws.
"""

from collections.abc import Callable
from pathlib import Path

import altair as alt
import pandas as pd
import vl_convert
from scipy import stats

import gatesearch

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
BASELINES = ROOT / "results" / "published" / "baselines"

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


FIGURES: dict[str, Callable[[], str]] = {"gru.svg": gru, "gains.svg": gains}
"""Functions that draw the figures, by file name."""


def main() -> None:
    """Write every figure."""
    IMAGES.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        (IMAGES / name).write_text(draw(), "utf-8")
        print(f"written to {IMAGES / name}")


if __name__ == "__main__":
    main()
