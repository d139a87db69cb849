"""Colours of the report: each of them has a counterpart on a dark screen."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from results.report.colours import DARK, dark_style
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


def test_lines_and_text_are_readable_on_a_dark_screen() -> None:
    """Contrast of at least 4.5 to 1, as WCAG 2.2 asks of text."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    ground = luminance("#181b1f")
    for light in ("#0072b2", "#e69f00", "#cc79a7", "#56b4e9", "#8c6d31", "#5d3a9b", "#000000", "#1a7f37", "#c62828"):
        assert (luminance(DARK[light]) + 0.05) / (ground + 0.05) > 4.5, light


def test_paper_keeps_the_colours_of_a_light_ground(tmp_path: Path) -> None:
    style = dark_style()
    assert style.startswith("@media screen and (prefers-color-scheme: dark)")
    assert '.chart [stroke="#000000"]' in style
