"""Formulas for people to read: (1 - z) * v factored, and the gates of a GRU named r, z, n."""

from search.cells.errors import GraphError
from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula
from search.cells.notation.printing import Printer, bracket
from search.cells.operations import LEAVES, Op
from search.cells.patterns import Complement, convex_combination, has_number, private_complement


def format_display(graph: GateGraph) -> str:
    """Return the text of a graph's canonical form for people; parsing it gives a graph with the same id.

    States are named h, c, c2, c3, ... In z * a + (1 - z) * b, a sigmoid z is named `z`; if one of a and b is an old
    state, the other is the candidate `n`, and sigmoid factors in the candidate's computation are reset gates `r`.
    Other sigmoids are g1, g2, ..., learned vectors that are read more than once p, p2, ..., and other values that need
    a name v1, v2, ... `search.cells.library.display_formula` prefers the authors' text of a named cell.

    Raises:
        GraphError: the graph is too symmetric to have a canonical form.
    """
    graph = graph.canonical()
    printer = _DisplayPrinter(graph, numbers=True)
    text = printer.text()
    if printer.factors_numbers and not _is_read_as(text, graph):
        text = _DisplayPrinter(graph, numbers=False).text()
    return text


def _is_read_as(text: str, graph: GateGraph) -> bool:
    try:
        return parse_formula(text).in_form(graph.form) == graph
    except GraphError:
        return False


class _DisplayPrinter(Printer):
    """Printer that factors complements, writes gates first in products, and names the parts of a GRU.

    A factor `1 - v` of a v that has a number is written with `numbers` alone: a formula has it as it stands, where it
    means `n - v * n` for others. The canonical form of both is the same for most cells, not for all.
    """

    def __init__(self, graph: GateGraph, *, numbers: bool) -> None:
        super().__init__(graph)
        found = ((i, private_complement(graph, i)) for i in range(len(graph)))
        every = {i: (parts, has_number(graph.nodes, parts.gate)) for i, parts in found if parts is not None}
        self.complements: dict[int, Complement] = {
            i: parts for i, (parts, numbered) in every.items() if numbers or not numbered
        }
        self.factors_numbers = numbers and any(numbered for _, numbered in every.values())
        self.combinations = {
            i: parts
            for i in range(len(graph))
            if (parts := convex_combination(graph, i)) is not None and parts.complement in self.complements
        }
        self.gates = {parts.product: parts.gate for parts in self.combinations.values()}
        self.letters = self._letters()
        self.counts = [0] * len(graph)
        for i in self.order():
            for j in self.reads(i):
                self.counts[j] += 1

    def reads(self, i: int) -> tuple[int, ...]:
        if i in self.complements:
            return self.complements[i].gate, self.complements[i].value
        if i in self.combinations:
            return self.combinations[i].product, self.combinations[i].complement
        inputs = super().reads(i)
        if self.nodes[i].op is not Op.MUL or self.nodes[inputs[0]].op in (Op.NUMBER, Op.PARAM):
            return inputs
        left, right = inputs
        gate = self.gates.get(i, right if self._is_gate(right) and not self._is_gate(left) else left)
        return inputs if gate == left else (right, left)

    def expression(self, i: int, inputs: list[str]) -> str:
        if i in self.complements:
            gate, value = inputs
            return f"(1 - {bracket(gate, '+-')}) * {bracket(value, '+-*')}"
        return super().expression(i, inputs)

    def letter(self, i: int) -> str:
        return self.letters.get(i) or super().letter(i)

    def numbered(self, letter: str) -> str:
        if letter not in ("z", "r", "n", "p"):
            return super().numbered(letter)
        self.names[letter] += 1
        return letter if self.names[letter] == 1 else f"{letter}{self.names[letter]}"

    def _is_gate(self, i: int) -> bool:
        return self.nodes[i].op is Op.SIGMOID

    def _letters(self) -> dict[int, str]:
        """Return the letters of update gates z, candidates n and reset gates r, by node."""
        letters: dict[int, str] = {}
        candidates: list[int] = []
        for parts in self.combinations.values():
            if self._is_gate(parts.gate):
                letters[parts.gate] = "z"
            ends = parts.a, parts.b
            states = [self.nodes[end].op is Op.STATE for end in ends]
            if sum(states) == 1:
                candidates.append(ends[states.index(False)])
        for candidate in candidates:
            if self.nodes[candidate].op in LEAVES:
                continue
            letters.setdefault(candidate, "n")
            inner = self.graph.ancestors(candidate) | {candidate}
            for i in sorted(inner):
                if self.nodes[i].op is Op.MUL:
                    for factor in self.nodes[i].inputs:
                        if self._is_gate(factor):
                            letters.setdefault(factor, "r")
        return letters
