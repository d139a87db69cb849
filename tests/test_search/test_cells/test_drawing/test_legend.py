"""Legends explain what occurs in a drawing, and nothing else."""

import itertools
import re

import pytest

from search.cells.drawing.diagram import MINUS, SIGMA, TIMES, formula_diagram
from search.cells.drawing.legend import _PARTS, SIZE, entries, rows
from search.cells.drawing.picture import draw_formula
from search.cells.drawing.shapes import labels
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


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("rhn-3", {f"b{MINUS}k", "no b"}),
        ("nested-lstm", {"b+k", "no b"}),
        ("lstm-chrono", {"b=", "no b"}),
        ("slstm-heads", {"/k", "=", "b=", "no b"}),
        ("irnn", {"=", "no b"}),
        ("star-chrono", {"orth", "b=", "no b"}),
        ("h' = tanh(linear(x, 0.9) + linear(h, -1))", {"+kI", f"{MINUS}kI"}),
        ("h' = tanh(linear(x, random=0.5) + linear(h))", {"kU"}),
        ("lstm", set()),
    ],
)
def test_each_part_of_a_label_of_a_matrix_is_explained(name: str, symbols: set[str]) -> None:
    found = set(meanings(LIBRARY[name].formula if name in LIBRARY else name))
    assert found & {symbol for symbol, _, _ in _PARTS} == symbols


def test_no_label_in_the_library_is_without_an_explanation() -> None:
    """What is left of a label of a matrix without the parts that the legend has is the letter."""
    for cell in LIBRARY.values():
        explained = set(meanings(cell.formula))
        for part in formula_diagram(cell.formula):
            for label in (label for port in part.ports for label in labels(port) if re.match(r"[WU]", label)):
                known = [pattern for symbol, pattern, _ in _PARTS if pattern.search(label)]
                assert known or label in ("W", "U"), (cell.name, label)
                assert {symbol for symbol, pattern, _ in _PARTS if pattern in known} <= explained, (cell.name, label)


def test_an_output_that_no_step_reads_is_no_state() -> None:
    assert {"h: output", "c: state"} < words(LIBRARY["sru"].formula)


def test_a_learned_vector_says_that_its_start_is_in_its_label() -> None:
    assert meanings(LIBRARY["indrnn"].formula)["p"] == "learned vector, unit by unit; = its start"
    assert meanings("h' = param(0) * h + x")["p"].startswith("learned vector")


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
