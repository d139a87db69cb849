"""Colours of the report: each of them has a counterpart on a dark screen."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from results.report.colours import BETTER, COLOURS, DARK, GREY, GRU_COLOUR, LSTM_COLOUR, WORSE, dark_style
from results.report.page_files import style
from results.report.report import report
from search.cells.drawing.picture import draw_formula
from search.cells.library import LIBRARY
from tests.test_results.test_report.test_report import Reader
from tests.test_results.truths import TASKS, make_run

COLOUR = re.compile(r"#[0-9a-fA-F]{3,6}|white|black")


def texts(spec: Any, key: str = "") -> Iterator[str]:
    """Return all texts of a specification outside its data."""
    if isinstance(spec, dict):
        for name, part in spec.items():
            if name not in ("datasets", "$schema"):
                yield from texts(part, name)
    elif isinstance(spec, list):
        for part in spec:
            yield from texts(part, key)
    elif isinstance(spec, str):
        yield spec


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    truth = {"gru": 0.05, "lstm": 0.04, "mut1": 0.1, "tanh": -0.3}
    with make_run(tmp_path_factory.mktemp("colours"), truth, noise=0.001) as store:
        return [json.loads(text) for text in Reader(report(store, TASKS)).specs.values()]


def test_every_colour_of_the_charts_has_one_on_a_dark_screen(specs: list[Any]) -> None:
    found = {text for spec in specs for text in texts(spec) if COLOUR.fullmatch(text)}
    assert len(found) > 8
    assert found <= set(DARK)


def test_every_colour_of_the_drawings_has_one_on_a_dark_screen() -> None:
    # A colour is that of an operation or of a state: cells that together have all of them are enough.
    shown: dict[object, str] = {}
    for cell in LIBRARY.values():
        for part in (*(node.op for node in cell.graph), cell.graph.states):
            shown.setdefault(part, cell.formula)
    drawings = [draw_formula(formula) for formula in dict.fromkeys(shown.values())]
    found = {colour for drawing in drawings for colour in re.findall(r'(?:fill|stroke)="(#[^"]+)"', drawing)}
    assert len(found) > 5
    assert found <= set(DARK)


def luminance(colour: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    return float(weights @ linear(colour))


def linear(colour: str) -> NDArray[np.float64]:
    parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, as WCAG 2.2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a linear colour of sRGB in CIE Lab, where distances are about as they are seen."""
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    part = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.0888])
    x, y, z = np.where(part > 0.008856, np.cbrt(part), 7.787 * part + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


SEEN = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopia": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "tritanopia": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}
"""Linear colours as seen, at full severity: Machado, Oliveira and Fernandes 2009, table 1."""

LINES = (*COLOURS, GRU_COLOUR, LSTM_COLOUR)


@pytest.mark.parametrize("colours", [LINES, tuple(DARK[colour] for colour in LINES)], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SEEN)
def test_the_colours_of_cells_stay_apart_for_the_colour_blind(colours: tuple[str, ...], sight: str) -> None:
    """The GRU is thicker and the LSTM dashed, so these may be a little nearer."""
    seen = [lab(SEEN[sight] @ linear(colour)) for colour in colours]
    gaps = {(i, k): float(np.linalg.norm(seen[i] - seen[k])) for i in range(len(seen)) for k in range(i)}
    assert min(gap for (i, _), gap in gaps.items() if i < len(COLOURS)) > 25
    assert min(gaps.values()) > 14


@pytest.mark.parametrize("dark", [False, True])
def test_lines_and_text_are_readable(dark: bool) -> None:
    """Contrast of at least 4.5 to 1 for text and 3 to 1 for what is drawn, as WCAG 2.2 asks; on a dark screen 4.5."""
    first, second = re.findall(r":root \{([^}]*)\}", style())
    variables = dict(re.findall(r"--(\w+): (#\w+)", second if dark else first))
    variables = {
        name: f"#{''.join(2 * c for c in value[1:])}" if len(value) == 4 else value for name, value in variables.items()
    }
    grounds = [variables[name] for name in ("page", "ground", "hover", "named")]
    for text in ("ink", "soft", "blue", "warn", "better", "worse"):
        assert min(contrast(variables[text], ground) for ground in grounds) > 4.5, text
    assert contrast(variables["control"], variables["page"]) > 3
    for colour in (*LINES, BETTER, WORSE, GREY):
        assert contrast(DARK[colour] if dark else colour, variables["page"]) > (4.5 if dark else 3), colour


def test_paper_keeps_the_colours_of_a_light_ground(tmp_path: Path) -> None:
    style = dark_style()
    assert style.startswith("@media screen and (prefers-color-scheme: dark)")
    assert '.chart [stroke="#000000"]' in style


def test_no_layer_is_without_values(specs: list[Any]) -> None:
    """Vega complains of one on the console; all cells of this run are named, so that no name has a rim."""
    assert len(specs) > 8
    assert all(rows for spec in specs for rows in spec["datasets"].values())


def test_charts_of_points_and_lines_have_a_tooltip_wherever_the_pointer_is(specs: list[Any]) -> None:
    """The choice of the nearest mark is in the last layer: another above it would hide it."""
    layered = [
        spec for spec in specs if "layer" in spec and any(layer["mark"]["type"] == "point" for layer in spec["layer"])
    ]
    assert len(layered) > 6
    for spec in layered:
        (parameter,) = spec["params"]
        assert parameter["select"]["nearest"]
        assert parameter["views"] == [spec["layer"][-1]["name"]]
        assert spec["layer"][-1]["encoding"]["tooltip"]
