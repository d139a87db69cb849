"""Start rules: how the numbers of a learned vector, or of a bias, are drawn when a cell is initialised.

A start is a number, which is a constant, or a `StartRule`, which may draw each unit's number at random. The rules are
those of published cells. `search.training.initialisation` draws them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from search.cells.text import number_text


class Rule(StrEnum):
    """Rule that draws the numbers of a vector of H units."""

    UNIFORM = "uniform"
    CHRONO = "chrono"
    UNIFORM_GATE = "uniform_gate"
    LINSPACE = "linspace"


@dataclass(frozen=True, slots=True)
class RuleType:
    """Description of a rule: its arguments, their count, and whether the vectors of a layer share one draw."""

    arguments: str
    counts: tuple[int, ...]
    shared: bool
    meaning: str


RULES: dict[Rule, RuleType] = {
    Rule.UNIFORM: RuleType("a, b", (2,), False, "U(a, b), drawn for each vector"),
    Rule.CHRONO: RuleType("T", (1,), True, "log U(1, T - 1) (Tallec and Ollivier 2018, section 2)"),
    Rule.UNIFORM_GATE: RuleType("n", (0, 1), True, "logit U(1/n, 1 - 1/n), n the units by default (Gu et al. 2020)"),
    Rule.LINSPACE: RuleType("a, b", (2,), False, "evenly spaced from a in the first unit to b in the last"),
}
"""All rules.

Vectors of one layer share a draw if their rules are `shared` and have equal arguments. Then `-chrono(T)` on the input
gate is the exact opposite of `chrono(T)` on the forget gate, as both papers ask for.
"""

MAX_NUMBER = 1000.0
"""Largest absolute value of a number in a cell: of constants, starts, biases and identities' factors."""

MAX_STEPS = 1_000_000.0
"""Largest T of `chrono` and n of `uniform_gate`."""


@dataclass(frozen=True, slots=True)
class StartRule:
    """A rule with its arguments; with `negative`, the numbers change sign after they are drawn."""

    rule: Rule
    arguments: tuple[float, ...] = ()
    negative: bool = False

    def __str__(self) -> str:
        """Return the text of the rule in a formula, such as `-chrono(100)`."""
        arguments = ", ".join(number_text(a) for a in self.arguments)
        return f"{'-' if self.negative else ''}{self.rule.value}{f'({arguments})' if arguments else ''}"


Start: TypeAlias = float | StartRule
"""Start of a vector: a number that all units begin with, or a rule."""


def broken_rule(start: Start | None) -> str:
    """Return what is wrong with a start, in words that follow its text, or an empty text if it is valid."""
    if start is None:
        return ""
    if not isinstance(start, StartRule):
        return "" if abs(start) <= MAX_NUMBER else f"must be between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
    found = RULES[start.rule]
    if len(start.arguments) not in found.counts:
        return f"has {len(start.arguments)} arguments; write {start.rule.value}({found.arguments})"
    if not all(math.isfinite(a) for a in start.arguments):
        return "has an argument that is not finite"
    if start.rule in (Rule.UNIFORM, Rule.LINSPACE):
        low, high = start.arguments
        if max(abs(low), abs(high)) > MAX_NUMBER:
            return f"must have arguments between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
        return "" if start.rule is Rule.LINSPACE or low < high else "must have a smaller first argument than second"
    least = 3.0 if start.rule is Rule.CHRONO else 2.0
    if start.arguments and not least <= start.arguments[0] <= MAX_STEPS:
        return f"must have an argument between {least:g} and {MAX_STEPS:,.0f}"
    return ""


def start_key(start: Start | None) -> tuple[int, str, tuple[float, ...], bool]:
    """Return a key that orders starts: numbers first, then rules, then none."""
    if start is None:
        return 2, "", (), False
    if isinstance(start, StartRule):
        return 1, start.rule.value, start.arguments, start.negative
    return 0, "", (float(start),), False
