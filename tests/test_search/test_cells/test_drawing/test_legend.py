"""Legends explain what occurs in a drawing, and nothing else."""

import itertools

import pytest

from search.cells.drawing.diagram import MINUS, SIGMA, TIMES, formula_diagram
from search.cells.drawing.legend import SIZE, entries, rows
from search.cells.drawing.picture import draw_formula
from search.cells.drawing.tikz import tikz
from search.cells.library import LIBRARY
from search.cells.notation.formula import format_formula
from tests.test_search.test_cells.test_drawing.drawings import CELLS, SVG, elements, said


def meanings(formula: str) -> dict[str, str]:
    """Return the meanings by symbol; lines and the frame have none."""
    return {entry.symbol: entry.meaning for entry in entries(formula_diagram(formula))}


def words(formula: str) -> set[str]:
    return {entry.meaning for entry in entries(formula_diagram(formula))}


def test_only_what_occurs_is_explained() -> None:
    assert words("h' = h + x") == {"x: input", "h: state and output", "sum", "one time step"}
    assert set(meanings("h' = h + x")) == {"", "+"}
    lstm = meanings(LIBRARY["lstm"].formula)
    assert set(lstm) == {"", "W", "U", SIGMA, TIMES, "+"}
    assert {"x: input", "h: state and output", "c: state"} < words(LIBRARY["lstm"].formula)
    assert f"1{MINUS}" in meanings(LIBRARY["gru"].formula)
    assert MINUS in meanings("h' = tanh(linear(x) - h)")
    assert MINUS not in meanings("h' = tanh(linear(x) + h)")


def test_labels_are_told_apart() -> None:
    assert "p" in meanings(LIBRARY["lstm-peephole"].formula)
    assert "no b" in meanings(LIBRARY["lstm-peephole"].formula)
    assert "/k" in meanings(LIBRARY["g-lstm-4"].formula)
    assert "p" not in meanings(LIBRARY["g-lstm-4"].formula)
    # A number that a value is multiplied by is no learned vector, and neither is a matrix that starts in its own way.
    assert set(meanings("h' = 0.5 * h + linear(x)")) == {"", "W", "+"}


def test_states_of_one_colour_have_one_entry() -> None:
    text = "a' = x + b; b' = x * a; h' = tanh(a + b + h)"
    assert {"x: input", "h: state and output", "a, b: states"} < words(text)


@pytest.mark.parametrize("name", ["gru", "lstm", "leaky", "76f161a5", "slstm-heads", "mutant-3"])
def test_a_legend_stands_below_and_changes_nothing_above(name: str) -> None:
    formula = format_formula(CELLS[name])
    plain, explained = draw_formula(formula), draw_formula(formula, legend=True)
    body = plain.splitlines()[3:-1]  # without the head, whose size changes
    assert explained.splitlines()[3 : 3 + len(body)] == body
    height = float(elements(plain).attrib["height"])
    below = elements("\n".join([*explained.splitlines()[:1], *explained.splitlines()[3 + len(body) :]]))
    boxes = []
    for rect in below.iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        boxes.append((x, y, x + w, y + h))
    texts = [text for text in below.iter(f"{SVG}text") if text.attrib["text-anchor"] == "start"]
    for text in texts:
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        boxes.append((x, y - 0.75 * SIZE, x + 0.55 * SIZE * len(said(text)), y + 0.2 * SIZE))
    width, total = (float(elements(explained).attrib[key]) for key in ("width", "height"))
    assert texts
    for x, y, right, bottom in boxes:
        assert 0 <= x < right <= width
        assert height <= y < bottom <= total
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)
    assert tikz(explained).count("\\node") == len(list(elements(explained).iter(f"{SVG}text")))


def test_rows_are_as_wide_as_there_is_room() -> None:
    found = entries(formula_diagram(LIBRARY["lstm-peephole"].formula))
    for room in (10.0, 200.0, 500.0, 5000.0):
        lines = rows(found, room)
        assert [entry for line in lines for entry in line] == found
        assert all(len(line) == 1 or sum(entry.width for entry in line) <= room for line in lines)
    assert len(rows(found, 5000.0)) == 1
    assert len(rows(found, 10.0)) == len(found)
