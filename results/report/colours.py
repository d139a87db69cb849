"""Colours of the report: of its charts, and what each becomes on a dark screen.

Charts and drawings are written once, in the colours for a light ground. A style sheet exchanges them on a dark screen,
so that paper, exported pictures and a change of the scheme need no second drawing.
"""

COLOURS = ("#0072b2", "#b88a00", "#ad14ff", "#6e0c56", "#594b22", "#0f1c8a")
"""Colours of cells, the best first; none is red or green, black or grey.

Each has a contrast of 3 to 1 with the ground, and any two stay apart for every kind of colour blindness: they were
chosen by distance in Lab as seen with each (simulated after Machado, Oliveira and Fernandes 2009), and so were those on
a dark screen.
"""

ORANGE, SKY = "#e69f00", "#56b4e9"
"""Fills of bars that have a rim, of Okabe and Ito 2008."""

GRU_COLOUR, LSTM_COLOUR = "#000000", "#7f7f7f"
"""Colours of the two references in every chart."""

BETTER, WORSE = "#1a7f37", "#c62828"
"""Green and red: better or worse than the GRU beyond the noise."""

GREY, LIGHT, INK, RIM = "#767676", "#d9d9d9", "#222222", "#333333"
"""Colours of what is neither good nor bad, of unfinished parts, of text, and of the rims of bars."""

GRID, AXIS, PAUSED, BEHIND = "#e8e8e8", "#888888", "#ffffff", "#999999"

DARK = {
    "#0072b2": "#62b5f0",
    "#b88a00": "#dc8211",
    "#ad14ff": "#9369fb",
    "#6e0c56": "#fa02af",
    "#594b22": "#ae7f74",
    "#0f1c8a": "#fbdd87",
    ORANGE: "#f2b84b",
    SKY: "#9bd6fa",
    GRU_COLOUR: "#f4f4f4",
    LSTM_COLOUR: "#a3a3a3",
    BETTER: "#4cc46e",
    WORSE: "#ff837b",
    GREY: "#a0a0a0",
    LIGHT: "#4b5157",
    INK: "#e4e6e8",
    RIM: "#c3c7cb",
    GRID: "#343a40",
    AXIS: "#868e96",
    PAUSED: "#181b1f",
    BEHIND: "#7d848b",
    # Vega's own defaults
    "#000": "#e4e6e8",
    "#888": "#868e96",
    "#ddd": "#343a40",
    "black": "#e4e6e8",
    "white": "#181b1f",
    # drawings of cells
    "#fafafa": "#20242a",
    "#d55e00": "#ff9a4d",
    "#00805f": "#3fc7a0",
    "#fff2c2": "#4d4216",
    "#dcecf7": "#1f3f57",
    "#dff0dc": "#24472a",
    "#e9e3f5": "#3d3359",
    "#eeeeee": "#3a3f45",
}
"""Colour on a dark ground by colour on a light one."""


def dark_style() -> str:
    """Return the rules of the style sheet that exchange the colours of charts and drawings."""
    rules = [
        f'.chart [{kind}="{light}"], .drawing [{kind}="{light}"] {{ {kind}: {dark}; }}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    ]
    return "\n".join(["@media screen and (prefers-color-scheme: dark) {", *rules, "}"])
