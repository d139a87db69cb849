"""Differences from named cells, in their own words."""

from __future__ import annotations

import pytest

from search.cells.difference import describe, difference, difference_of, nearest_named
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import parse_formula

GRU = LIBRARY["gru"].formula
LSTM = LIBRARY["lstm"].formula

EDITED = {
    "the example": (
        "r = sigmoid(linear(x) + linear(h)); z = sigmoid(linear(x) + linear(h, 1)); n = tanh(x + linear(r * h));"
        "h' = z * h + (1 - z) * n",
        3,
        "GRU, with x instead of linear(x) in the candidate, and the update gate's U starting at the identity",
    ),
    "an activation of a gate": (
        GRU.replace("n = tanh(", "n = relu("),
        1,
        "GRU, with relu instead of tanh on the candidate",
    ),
    "a bias": (
        LSTM.replace("f = sigmoid(linear(x)", "f = sigmoid(linear(x, bias=2)"),
        1,
        "LSTM, with the bias of the forget gate's W starting with +2",
    ),
    "a factor": (
        LSTM.replace("g = tanh(linear(x)", "g = tanh(linear(x, 0.9)"),
        1,
        "LSTM, with the candidate's W starting at 0.9 times the identity",
    ),
    "a sum that became a product": (
        LSTM.replace("i = sigmoid(linear(x) +", "i = sigmoid(linear(x) *"),
        1,
        "LSTM, with * instead of + in linear(x) + linear(h) in the input gate",
    ),
    "a function more": (
        GRU.replace("r * h", "tanh(r * h)"),
        2,
        "GRU, with tanh(r * h) instead of r * h in the candidate",
    ),
    "an output without its tanh": (
        LSTM.replace("o * tanh(c')", "o * c'"),
        2,
        "LSTM, with f * c + i * g instead of tanh(f * c + i * g) in the new h",
    ),
    "another state": (
        LSTM.replace("h' = o", "d' = d + x; h' = d + o"),
        4,
        "LSTM, with d + o * tanh(f * c + i * g) instead of o * tanh(f * c + i * g) as the new h, "
        "and another state d, d' = x + d",
    ),
    "a peephole": (
        LSTM.replace("o = sigmoid(linear(x)", "o = sigmoid(param(0) * c + linear(x)"),
        4,
        "LSTM, with a peephole from c in the output gate",
    ),
    "blocks": (
        LSTM.replace("o = sigmoid(linear(x)", "o = sigmoid(linear(x, groups=2)"),
        1,
        "LSTM, with the output gate's W with 2 blocks on its diagonal",
    ),
    "a rule and an orthogonal start": (
        LSTM.replace("f = sigmoid(linear(x)", "f = sigmoid(linear(x, bias=chrono(9), random=orthogonal)"),
        2,
        "LSTM, with the bias of the forget gate's W drawn by chrono(9), and the forget gate's W starting orthogonal",
    ),
    "no bias": (
        LSTM.replace("f = sigmoid(linear(x)", "f = sigmoid(linear(x, bias=False)"),
        1,
        "LSTM, with the bias of the forget gate's W left out",
    ),
    "a number": (
        GRU.replace("tanh(linear(x)", "tanh(0.5 * x"),
        4,
        "GRU, with 0.5 * x instead of linear(x) in the candidate",
    ),
    "a gate that reads another's matrix": (
        GRU.replace("r = sigmoid(linear(x)", "w = linear(x); r = sigmoid(w").replace(
            "z = sigmoid(linear(x)", "z = sigmoid(w"
        ),
        1,
        "MUT2, with the update gate's linear(x) instead of x in the reset gate",
    ),
}


@pytest.mark.parametrize("case", EDITED)
def test_an_edit_is_said_in_the_words_of_the_named_cell(case: str) -> None:
    formula, distance, sentence = EDITED[case]
    name, found = nearest_named(parse_formula(formula))
    assert sentence.lower().startswith(f"{name}, with ")
    assert (found.distance, found.proven) == (distance, True)
    assert describe(found) == sentence
    assert difference_of(parse_formula(formula)) == sentence


def test_a_gate_and_its_complement_are_no_difference() -> None:
    flipped = parse_formula(GRU.replace("z * h + (1 - z) * n", "z * n + (1 - z) * h"))
    assert describe(nearest_named(flipped)[1]) == "GRU itself"


@pytest.mark.parametrize("name", STUDY)
def test_a_named_cell_is_nearest_to_itself(name: str) -> None:
    nearest, found = nearest_named(LIBRARY[name].graph)
    assert nearest == name
    assert found.distance == 0
    assert describe(found).endswith(" itself")


def test_named_cells_differ_as_the_papers_say() -> None:
    assert describe(difference("gru", LIBRARY["mut2"].graph)) == ("GRU, with x instead of linear(x) in the reset gate")
    assert describe(difference("gru", LIBRARY["mut3"].graph)) == ("GRU, with tanh(h) instead of h in the update gate")
    assert describe(difference("lstm", LIBRARY["lstm-f"].graph)) == "LSTM, with c instead of f * c in the new c"
    assert describe(difference("lstm", LIBRARY["lstm-i"].graph)) == "LSTM, with g instead of i * g in the new c"


def test_many_differences_are_counted() -> None:
    far = parse_formula("h' = linear(relu(x * h), 0.9) - relu(linear(x) - h) * relu(linear(h) - x)")
    found = difference("lstm", far)
    whole, part = describe(found, most=100), describe(found, most=2)
    assert len(part) < len(whole)
    assert "more difference" not in whole
    left = len({edit.phrase for edit in found.edits}) - 2
    assert part.endswith(f"and {left} more differences")
