"""A published cell is recognised in another writing, with the gates that this writing has flipped."""

from __future__ import annotations

import re

import pytest

from search.cells.library import FAMILY_OF, LIBRARY, name_of
from search.cells.notation.display import format_display
from search.cells.notation.formula import parse_formula
from search.cells.recognition import describe_flipped, flipped_gates


def flipped(formula: str, gate: str) -> str:
    """Return the formula with 1 - gate for gate in all lines but the gate's own, whose starts are negated."""
    lines = []
    for line in formula.splitlines():
        if line.startswith(f"{gate} = "):
            lines.append(line.replace("bias=1", "bias=-1").replace("=chrono", "=-chrono"))
            continue
        name, text = line.split(" = ")
        text = re.sub(rf"\(1 - {gate}\)", "GATE", text)
        text = re.sub(rf"\b{gate}\b", f"(1 - {gate})", text)
        lines.append(f"{name} = {text.replace('GATE', gate)}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("gru", "z"),
        ("gru-after", "z"),
        ("lstm-cifg", "i"),
        ("ugrnn", "g"),
        ("mut1", "z"),
        ("mut3", "z"),
        ("t-rnn", "f"),
    ],
)
def test_a_flipped_gate_is_named_as_the_publication_names_it(name: str, gates: str) -> None:
    cell = LIBRARY[name]
    written = parse_formula(flipped(cell.formula, gates))
    assert written.nodes != cell.written.nodes
    assert name_of(written.id) == name
    assert flipped_gates(written, cell) == [gates]
    assert flipped_gates(cell.written, cell) == []
    assert flipped_gates(parse_formula(flipped(flipped(cell.formula, gates), gates)), cell) == []


@pytest.mark.parametrize("name", [name for name in LIBRARY if FAMILY_OF[name] not in ("found_by_search", "lstm")])
def test_a_cell_s_own_formula_has_no_gate_flipped_and_its_canonical_form_can_be_compared(name: str) -> None:
    cell = LIBRARY[name]
    assert flipped_gates(cell.written, cell) == []
    gates = flipped_gates(parse_formula(format_display(cell.graph)), cell)
    assert len(gates) <= cell.formula.count("sigmoid(")


def test_words_on_flipped_gates() -> None:
    assert describe_flipped([]) == ""
    assert describe_flipped(["z"]) == "with its gate z flipped"
    assert describe_flipped(["i", "f"]) == "with its gates i and f flipped"
    assert describe_flipped([""]) == "with its gate flipped"
    assert describe_flipped(["", "f"]) == "with 2 of its gates flipped"
