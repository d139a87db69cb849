"""Diagram of a cell: the gate graph with small steps folded into the forms of figures in papers.

A gate graph has a node for every operation; figures of papers and textbooks do not. Here, as there,

- a matrix that one node reads is a label at the end of its line: W if it multiplies what the input alone determines,
  U otherwise;
- the sum in front of an activation is not drawn: lines that enter one box are added, some with a minus sign;
- nested sums become one sign with several lines, and so do nested products;
- `v - z * v` is the product of `v` and `1 - z`, and `1 - z` has a circle of its own.

Everything that the cell's output depends on is a part, a label or a line of the diagram.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_written
from search.cells.operations import ACTIVATIONS, Op
from search.cells.patterns import private_complement
from search.cells.simplify import live_states, simplify_positions
from search.cells.starts import StartRule
from search.cells.text import state_name


class Kind(StrEnum):
    """Kind of a part of a diagram."""

    INPUT = "input"
    STATE = "state"
    ACTIVATION = "activation"
    MATRIX = "matrix"
    SUM = "sum"
    PRODUCT = "product"
    COMPLEMENT = "complement"
    OUTPUT = "output"


@dataclass(frozen=True)
class Port:
    """A line into a part: the part it comes from, the matrices on it in order of application, and its sign."""

    source: int
    matrices: tuple[str, ...] = ()
    minus: bool = False


@dataclass(frozen=True)
class Part:
    """A box, circle or end of a diagram. `name` is the name of its value in the formula, if it has one.

    The label of a state or new state is its name; `state` is its number, 0 for the visible output.
    """

    kind: Kind
    label: str
    ports: tuple[Port, ...] = ()
    name: str = ""
    state: int = 0


SIGMA, TIMES, MINUS = "\N{GREEK SMALL LETTER SIGMA}", "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"

SYMBOLS = {Op.SIGMOID: SIGMA}
"""Labels of boxes that differ from the operation's name."""


def diagram(
    graph: GateGraph, names: Mapping[int, str] | None = None, states: Sequence[str] | None = None
) -> tuple[Part, ...]:
    """Return the parts of a graph's diagram in topological order, the new states last.

    Dead parts and hidden zeros are left out, as in the canonical form.

    Args:
        graph: the graph, in any form.
        names: names of some of its nodes by position, as in the formula it was parsed from.
        states: names of its states in order; by default h, c, c2, ...
    """
    form, kept = simplify_positions(graph)
    given = [state_name(state) for state in range(graph.states)] if states is None else states
    names = {kept[i]: name for i, name in (names or {}).items() if i in kept}
    return _Folder(GateGraph(*form), names, [given[state] for state in live_states(graph)]).parts()


def formula_diagram(text: str) -> tuple[Part, ...]:
    """Return the diagram of the cell in a formula, with the formula's names. Raises `FormulaError`."""
    written = parse_written(text)
    return diagram(written.graph, written.names_of_values, written.states)


@dataclass(frozen=True)
class _Term:
    """An input of a folded node: a node or one minus it, with a sign."""

    node: int
    minus: bool = False
    complement: bool = False


class _Folder:
    """Builder of the diagram of a graph without dead nodes."""

    def __init__(self, graph: GateGraph, names: Mapping[int, str], states: Sequence[str]) -> None:
        self.graph, self.names, self.states = graph, names, states
        self.terms: dict[int, list[_Term]] = {}
        self.ops: dict[int, Op] = {}
        for i, node in enumerate(graph):
            self.ops[i], self.terms[i] = node.op, [_Term(j) for j in node.inputs]
            if node.op is Op.SUB:
                self.ops[i] = Op.ADD
                self.terms[i][1] = _Term(node.inputs[1], minus=True)
                parts = private_complement(graph, i)
                if parts is not None:
                    self.ops[i], self.terms[i] = Op.MUL, [_Term(parts.gate, complement=True), _Term(parts.value)]
        # Readers of each node, once complements are folded.
        self.readers: dict[int, list[int]] = {i: [] for i in range(len(graph))}
        reached = self._reached()
        for i in reached:
            for term in self.terms[i]:
                self.readers[term.node].append(i)
        for i in graph.outputs:
            self.readers[i].append(-1)
        self.live = reached
        self.stateless = {
            i for i in range(len(graph)) if all(graph.nodes[j].op is not Op.STATE for j in (*graph.ancestors(i), i))
        }
        self.number: dict[_Term, int] = {}
        self.made: list[Part] = []

    def _reached(self) -> list[int]:
        found: set[int] = set()
        pending = list(self.graph.outputs)
        while pending:
            i = pending.pop()
            if i not in found:
                found.add(i)
                pending += [term.node for term in self.terms[i]]
        return sorted(found)

    def parts(self) -> tuple[Part, ...]:
        for i in self.live:
            if not self._is_folded(i):
                self._make(i)
        for state, i in enumerate(self.graph.outputs):
            self.made.append(Part(Kind.OUTPUT, self.states[state], (self._port(_Term(i)),), state=state))
        return tuple(self.made)

    def _reader(self, i: int) -> int | None:
        """Return the only reader of node `i`, or None if there are several or the node computes a new state."""
        readers = self.readers[i]
        return readers[0] if len(readers) == 1 and readers[0] >= 0 else None

    def _is_folded(self, i: int) -> bool:
        """Return whether the node becomes a label or a line of its reader."""
        reader = self._reader(i)
        if reader is None or any(term.complement and term.node == i for term in self.terms[reader]):
            return False
        above = self.ops[reader]
        if self.ops[i] is Op.LINEAR:
            return True
        if self.ops[i] is Op.ADD:
            return above is Op.ADD or (above in ACTIVATIONS and above is not Op.LINEAR)
        return self.ops[i] is Op.MUL and above is Op.MUL

    def _make(self, i: int) -> None:
        op, node = self.ops[i], self.graph.nodes[i]
        ports = tuple(self._port(term) for term in self._flat(i))
        if op is Op.INPUT:
            part = Part(Kind.INPUT, "x")
        elif op is Op.STATE:
            part = Part(Kind.STATE, self.states[node.state], state=node.state)
        elif op is Op.LINEAR:
            part = Part(Kind.MATRIX, self._matrix(i), ports, self.names.get(i, ""))
        elif op in ACTIVATIONS:
            part = Part(Kind.ACTIVATION, SYMBOLS.get(op, op.value.replace("_", " ")), ports, self.names.get(i, ""))
        else:
            kind, label = (Kind.SUM, "+") if op is Op.ADD else (Kind.PRODUCT, TIMES)
            part = Part(kind, label, ports, self.names.get(i, ""))
        self.number[_Term(i)] = len(self.made)
        self.made.append(part)

    def _flat(self, i: int) -> list[_Term]:
        """Return the terms of a node, including those of the sums and products folded into it."""
        found: list[_Term] = []
        for term in self.terms[i]:
            inner = self.ops[term.node]
            if not term.complement and self._is_folded(term.node) and inner in (Op.ADD, Op.MUL):
                found += [_Term(t.node, t.minus != term.minus, t.complement) for t in self._flat(term.node)]
            else:
                found.append(term)
        return found

    def _port(self, term: _Term) -> Port:
        if term.complement:
            return Port(self._one_minus(term.node), (), term.minus)
        matrices: list[str] = []
        i = term.node
        while self.ops[i] is Op.LINEAR and self._is_folded(i):
            matrices.insert(0, self._matrix(i))
            i = self.terms[i][0].node
        return Port(self.number[_Term(i)], tuple(matrices), term.minus)

    def _one_minus(self, gate: int) -> int:
        key = _Term(gate, complement=True)
        if key not in self.number:
            port = self._port(_Term(gate))
            self.number[key] = len(self.made)
            self.made.append(Part(Kind.COMPLEMENT, f"1{MINUS}", (port,)))
        return self.number[key]

    def _matrix(self, i: int) -> str:
        node = self.graph.nodes[i]
        label = "W" if node.inputs[0] in self.stateless else "U"
        if node.identity:
            factor = "" if abs(node.identity) == 1 else f"{abs(node.identity):g}"
            label += f"{'+' if node.identity > 0 else MINUS}{factor}I"
        if isinstance(node.bias, StartRule):
            label += f" b={node.bias}"
        elif node.bias:
            label += f" b{'+' if node.bias > 0 else MINUS}{abs(node.bias):g}"
        return label
