"""Diagram of a cell: the gate graph with small steps folded into the forms of figures in papers.

A gate graph has a node for every operation; figures of papers and textbooks do not. Here, as there,

- a matrix that one node reads is a label at the end of its line: W if it multiplies what the input alone determines,
  U otherwise; so is a learned vector, p or its name, or a number that one value is multiplied by;
- the sum in front of an activation is not drawn: lines that enter one box are added, some with a minus sign;
- nested sums become one sign with several lines, and so do nested products;
- `v - z * v` is the product of `v` and `1 - z`, and `1 - z` has a circle of its own.

Everything that the cell's output depends on is a part, a label or a line of the diagram.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_written
from search.cells.operations import ACTIVATIONS, OPERATIONS, Node, Op
from search.cells.patterns import private_complement
from search.cells.simplify import live_states, simplify_positions
from search.cells.starts import Start, StartRule
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
    VECTOR = "vector"
    NUMBER = "number"
    OUTPUT = "output"


@dataclass(frozen=True)
class Port:
    """A line into a part: the part it comes from, the factors on it in order of application, and its sign.

    Factors are matrices, learned vectors and numbers.
    """

    source: int
    factors: tuple[str, ...] = ()
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


SIGMA, TIMES, MINUS = OPERATIONS[Op.SIGMOID].symbol, OPERATIONS[Op.MUL].symbol, "\N{MINUS SIGN}"


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
    vectors = {
        i: name for name, i in written.names.items() if written.graph.nodes[i].op is Op.PARAM and not name.endswith("'")
    }
    return diagram(written.graph, written.names_of_values | vectors, written.states)


@dataclass(frozen=True)
class _Term:
    """An input of a folded node: a node or one minus it, with a sign."""

    node: int
    minus: bool = False
    complement: bool = False


class _Folder:
    """Builder of the diagram of a graph without dead nodes.

    `ops` and `terms` are what a node is drawn as: a product with a learned vector or a number is, as one with a matrix,
    a `LINEAR` with one term, and its label is in `labels`. `one_minus` are the nodes `1 - v`, which are drawn where
    they are read.
    """

    def __init__(self, graph: GateGraph, names: Mapping[int, str], states: Sequence[str]) -> None:
        self.graph, self.names, self.states = graph, names, states
        self.terms: dict[int, list[_Term]] = {}
        self.ops: dict[int, Op] = {}
        self.labels: dict[int, str] = {}
        self.one_minus: dict[int, int] = {}
        self.stateless = {
            i for i in range(len(graph)) if all(graph.nodes[j].op is not Op.STATE for j in (*graph.ancestors(i), i))
        }
        for i in range(len(graph)):
            self._read(i)
        # Readers of each node, once complements are folded.
        self.readers: dict[int, list[int]] = {i: [] for i in range(len(graph))}
        self.outputs = [self._term(i) for i in graph.outputs]
        self.live = self._reached()
        for i in self.live:
            for term in self.terms[i]:
                self.readers[term.node].append(i)
        for term in self.outputs:
            self.readers[term.node].append(-1)
        unnamed = (i for i in self.live if self.ops[i] is Op.PARAM and i not in self.names)
        self.vectors = {i: k for k, i in enumerate(unnamed, start=1)}
        self.number: dict[_Term, int] = {}
        self.made: list[Part] = []

    def _read(self, i: int) -> None:
        """Decide what a node is drawn as."""
        node = self.graph.nodes[i]
        self.ops[i], self.terms[i] = node.op, [self._term(j) for j in node.inputs]
        if node.op is Op.LINEAR:
            self.labels[i] = self._matrix(i)
        elif node.op is Op.SUB:
            self._read_difference(i)
        elif node.op is Op.MUL:
            factors = [(self._factor(j, i), k) for j, k in zip(node.inputs, (1, 0), strict=True)]
            label, other = next((found for found in factors if found[0]), ("", 0))
            if label and node.inputs[0] != node.inputs[1]:
                self.ops[i], self.terms[i], self.labels[i] = Op.LINEAR, [self.terms[i][other]], label

    def _read_difference(self, i: int) -> None:
        minuend, subtrahend = self.graph.nodes[i].inputs
        number = self.graph.nodes[minuend]
        parts = private_complement(self.graph, i)
        if parts is not None:
            self.ops[i], self.terms[i] = Op.MUL, [_Term(parts.gate, complement=True), self._term(parts.value)]
            return
        self.ops[i] = Op.ADD
        self.terms[i][1] = replace(self.terms[i][1], minus=True)
        if number == Node(Op.NUMBER):  # 0 - v
            del self.terms[i][0]
        elif number == Node(Op.NUMBER, value=1.0) and not self.terms[i][1].complement:
            self.one_minus[i] = subtrahend

    def _term(self, i: int) -> _Term:
        return _Term(self.one_minus[i], complement=True) if i in self.one_minus else _Term(i)

    def _factor(self, i: int, reader: int) -> str:
        """Return the label of a number, or of a learned vector that only `reader` reads; empty for other nodes."""
        node = self.graph.nodes[i]
        if node.op is Op.NUMBER:
            return number_label(node.value)
        return self._vector(i, "p") if node.op is Op.PARAM and self.graph.uses[i] == 1 else ""

    def _vector(self, i: int, name: str) -> str:
        """Return the label of a learned vector: its name, and its start unless that is 0."""
        start = self.graph.nodes[i].start
        label = self.names.get(i) or name
        return label if start == 0.0 else f"{label}={start_label(start)}"

    def _reached(self) -> list[int]:
        found: set[int] = set()
        pending = [term.node for term in self.outputs]
        while pending:
            i = pending.pop()
            if i not in found:
                found.add(i)
                pending += [term.node for term in self.terms[i]]
        return sorted(found)

    def parts(self) -> tuple[Part, ...]:
        for i in self.live:
            if not self._is_folded(i) and self.ops[i] is not Op.NUMBER:
                self._make(i)
        for state, term in enumerate(self.outputs):
            self.made.append(Part(Kind.OUTPUT, self.states[state], (self._port(term),), state=state))
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
        op, node, name = self.ops[i], self.graph.nodes[i], self.names.get(i, "")
        ports = tuple(self._port(term) for term in self._flat(i))
        match op:
            case Op.INPUT:
                part = Part(Kind.INPUT, "x")
            case Op.STATE:
                part = Part(Kind.STATE, self.states[node.state], state=node.state)
            case Op.PARAM:
                part = Part(Kind.VECTOR, self._vector(i, f"p{self.vectors.get(i) if len(self.vectors) > 1 else ''}"))
            case Op.LINEAR:
                part = Part(Kind.MATRIX, self.labels[i], ports, name)
            case Op.ADD:
                part = Part(Kind.SUM, "+", ports, name)
            case Op.MUL:
                part = Part(Kind.PRODUCT, TIMES, ports, name)
            case _:
                part = Part(Kind.ACTIVATION, OPERATIONS[op].symbol, ports, name)
        self.number[_Term(i)] = len(self.made)
        self.made.append(part)

    def _flat(self, i: int) -> list[_Term]:
        """Return the terms of a node, including those of the sums and products folded into it."""
        found: list[_Term] = []
        for term in self.terms[i]:
            inner = self.ops[term.node]
            if not term.complement and self._is_folded(term.node) and inner in (Op.ADD, Op.MUL):
                found += [replace(t, minus=t.minus != term.minus) for t in self._flat(term.node)]
            else:
                found.append(term)
        return found

    def _port(self, term: _Term) -> Port:
        factors: list[str] = []
        minus = term.minus
        while not term.complement and self.ops[term.node] is Op.LINEAR and self._is_folded(term.node):
            factors.insert(0, self.labels[term.node])
            term = self.terms[term.node][0]
        if term.complement:
            source = self._one_minus(term.node)
        elif self.ops[term.node] is Op.NUMBER:  # each use has its own, so that lines are short
            source = len(self.made)
            self.made.append(Part(Kind.NUMBER, number_label(self.graph.nodes[term.node].value)))
        else:
            source = self.number[_Term(term.node)]
        return Port(source, tuple(factors), minus)

    def _one_minus(self, gate: int) -> int:
        key = _Term(gate, complement=True)
        if key not in self.number:
            port = self._port(_Term(gate))
            name = next((self.names.get(i, "") for i, v in self.one_minus.items() if v == gate), "")
            self.number[key] = len(self.made)
            self.made.append(Part(Kind.COMPLEMENT, f"1{MINUS}", (port,), name))
        return self.number[key]

    def _matrix(self, i: int) -> str:
        """Return the label of a matrix: W or U, its blocks, and how it and its bias start."""
        node = self.graph.nodes[i]
        label = "W" if node.inputs[0] in self.stateless else "U"
        if node.groups > 1:
            label += f"/{node.groups}"
        identity = "" if abs(node.identity) == 1 else f"{abs(node.identity):g}"
        if node.random == 0.0:
            label += f"={MINUS if node.identity < 0 else ''}{f'{identity}I' if node.identity else '0'}"
        elif node.identity:
            label += f"{'+' if node.identity > 0 else MINUS}{identity}I"
        if node.random not in (0.0, 1.0):
            label = f"{number_label(node.random)}{label}"
        if node.orthogonal:
            label += " orth"
        if node.bias is None:
            label += " no b"
        elif isinstance(node.bias, StartRule):
            label += f" b={start_label(node.bias)}"
        elif node.bias:
            label += f" b{'+' if node.bias > 0 else MINUS}{abs(node.bias):g}"
        return label


def start_label(start: Start) -> str:
    """Return the label of a start."""
    return str(start).replace("-", MINUS) if isinstance(start, StartRule) else number_label(start)


def number_label(number: float) -> str:
    """Return the label of a number, with a real minus sign."""
    return f"{number:g}".replace("-", MINUS)
