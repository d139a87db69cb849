"""Belts: the ways of states that are straight lines, and where ends stand."""

import re

import pytest

from search.cells.drawing.belts import belts, low_ends
from search.cells.drawing.diagram import MINUS, TIMES, Kind, formula_diagram
from search.cells.drawing.picture import draw_formula
from search.cells.library import LIBRARY
from tests.test_search.test_cells.test_drawing.drawings import SVG, elements, said

BEFORE = f"t{MINUS}1"


def heights(formula: str) -> dict[tuple[str, str], float]:
    """Return the heights of the names at the sides of a drawing, by name and time step."""
    texts = [text for text in elements(draw_formula(formula)).iter(f"{SVG}text") if len(text)]
    sides = [text for text in texts if text.get("text-anchor") in ("start", "end")]
    return {(said(text), "".join(t.text or "" for t in text)): float(text.attrib["y"]) for text in sides}


def ways(formula: str) -> list[tuple[str, ...]]:
    parts = formula_diagram(formula)
    return [tuple(parts[b].label for b in belt.boxes) for belt in belts(parts)]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("gru", ("h", TIMES, "+", "h")),
        ("lstm", ("c", TIMES, "+", "c")),
        ("rhn-3", ("h", TIMES, "+", TIMES, "+", TIMES, "+", "h")),
        ("tanh", None),
    ],
)
def test_a_belt_goes_through_sums_and_products(name: str, labels: tuple[str, ...] | None) -> None:
    assert ways(LIBRARY[name].formula) == ([] if labels is None else [labels])


def test_of_several_ways_the_one_without_labels_and_activations_is_taken() -> None:
    assert ways("h' = tanh(h) + h * x + linear(h)") == [("h", TIMES, "+", "h")]
    assert ways("h' = tanh((h + x) * x)") == [("h", "+", TIMES, "tanh", "h")]
    assert ways("h' = tanh(h + x)") == []  # two lines into one box, and neither is in its middle
    assert ways("h' = x") == []


def test_belts_have_no_part_in_common() -> None:
    for name in LIBRARY:
        parts = formula_diagram(LIBRARY[name].formula)
        boxes = [b for belt in belts(parts) for b in belt.boxes]
        assert len(set(boxes)) == len(boxes)
        for belt in belts(parts):
            assert (parts[belt.boxes[0]].kind, parts[belt.boxes[-1]].kind) == (Kind.STATE, Kind.OUTPUT)
            assert parts[belt.boxes[0]].state == parts[belt.boxes[-1]].state


@pytest.mark.parametrize(
    "name", ["gru", "lstm", "lstm-peephole", "mut1", "mut2", "mut3", "rhn-3", "nbrc", "sru-v1-tanh"]
)
def test_a_belt_is_one_straight_line_at_the_top(name: str) -> None:
    found = heights(LIBRARY[name].formula)
    state = "c" if ("c", "t") in found else "h"
    assert found[state, BEFORE] == found[state, "t"] == min(found.values())


@pytest.mark.parametrize("name", ["lstm", "lstm-peephole", "g-lstm-4"])
def test_h_runs_along_the_bottom_where_there_is_another_state(name: str) -> None:
    parts = formula_diagram(LIBRARY[name].formula)
    assert {parts[b].label for b in low_ends(parts)} == {"x", "h"}
    svg = draw_formula(LIBRARY[name].formula)
    lowest = max(
        float(y) + float(h) for y, h in re.findall(r'class="activation".* y="([\d.]+)".* height="([\d.]+)"', svg)
    )
    found = heights(LIBRARY[name].formula)
    assert found["h", BEFORE] > lowest - 50  # beside the lowest gate
    assert found["h", "t"] > found["c", "t"] + 100
