"""A cell as sums of products of atoms, without dead parts: the form in which canonical order and gates are decided.

`search.cells.polynomials` computes the values of a graph's nodes. Here the parts that the output depends on are kept,
gates are turned so that a gate and its complement are one (`search.cells.orientation` chooses which), and
`search.cells.ordering` puts atoms, products and sums in their canonical order.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from search.cells.operations import OPERATIONS, PARAMETRIC, POINTWISE, Node, Op
from search.cells.ordering import Ordering, label_of
from search.cells.polynomials import ONE, Atom, Monomial, Polynomials, Value
from search.cells.simplify import Form
from search.cells.starts import Rule, Start, StartRule

_RANK = {op: rank for rank, op in enumerate(Op)}
_NEARLY_ZERO = 1e-9


@dataclass
class Sums:
    """Values of a cell's states over atoms, and what each node of the graph is in them.

    Attributes:
        polynomials: The atoms, of which some may be dead.
        outputs: New value of each live state; state 0 first.
        states: Number of each live state in the graph.
        negated: Matrices and learned vectors, by atom, that are minus those of the graph.
        turned: Gates, by atom, that are one minus those of the graph.
        ranks: Rank of each literal in the canonical order; empty if no operand's place depends on it.
    """

    polynomials: Polynomials
    outputs: tuple[Value, ...]
    states: tuple[int, ...]
    negated: frozenset[int] = frozenset()
    turned: frozenset[int] = frozenset()
    ranks: dict[int, int] = field(default_factory=dict)

    @property
    def atoms(self) -> list[Atom]:
        """All atoms by number, dead ones included."""
        return self.polynomials.atoms

    @cached_property
    def live(self) -> tuple[int, ...]:
        """Atoms that the outputs depend on, in topological order."""
        found: set[int] = set()
        pending = [*self.outputs]
        while pending:
            for monomial, _ in pending.pop():
                for literal in monomial:
                    if literal >> 1 not in found:
                        found.add(literal >> 1)
                        pending += [reads] if (reads := self.atoms[literal >> 1].reads) is not None else []
        return tuple(sorted(found))

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Distinct values that something reads, by operations or as new states."""
        reads = [self.atoms[i].reads for i in self.live]
        return tuple(dict.fromkeys([*(value for value in reads if value is not None), *self.outputs]))

    @cached_property
    def uses(self) -> Counter[int]:
        """Number of uses of each literal, in terms of what each atom and each state reads."""
        reads = [self.atoms[i].reads for i in self.live]
        found: Counter[int] = Counter()
        for value in [*(value for value in reads if value is not None), *self.outputs]:
            for monomial, _ in value:
                found.update(monomial)
        return found

    def turn(self, gates: Collection[int]) -> Sums:
        """Return the sums with some gates replaced by one minus them, their matrices and vectors being negated.

        The gates must be among those of `search.cells.orientation.turnable`.
        """
        gates = frozenset(gates)
        negated = frozenset(parameter for gate in gates for parameter in private_parameters(self, gate) or ())

        def literal(given: int) -> int:
            return given ^ 1 if given >> 1 in gates else given

        def value(v: Value) -> Value:
            return tuple(sorted((tuple(sorted(map(literal, monomial))), number) for monomial, number in v))

        found = Polynomials()
        found.nodes = self.polynomials.nodes
        found.atoms = [
            Atom(_negated(atom.node) if i in negated else atom.node, None if atom.reads is None else value(atom.reads))
            for i, atom in enumerate(self.atoms)
        ]
        found.values = [value(v) for v in self.polynomials.values]
        outputs = tuple(value(v) for v in self.outputs)
        return Sums(found, outputs, self.states, self.negated ^ negated, self.turned ^ gates)


def rewritten(sums: Sums, gate: int) -> Sums:
    """Return the sums with a gate replaced by one minus it, as `Sums.turn` does, and all values collected anew."""
    old, new = sums.polynomials, Polynomials()
    negated = sums.negated ^ frozenset(private_parameters(sums, gate) or ())
    turned = sums.turned ^ {gate}
    literals: dict[int, Value] = {}
    moved: dict[int, int] = {}
    for i, atom in enumerate(old.atoms):
        reads = None if atom.reads is None else new.at(atom.reads, literals)
        node = _negated(atom.node) if (i in negated) != (i in sums.negated) else atom.node
        if atom.node.op in (Op.ADD, Op.MUL):
            assert reads is not None
            value = reads
        else:
            value = new.applied(old.nodes.get(i, -1), node, reads)
        opposite = new.sum([(1, ONE), (-1, value)])
        literals[2 * i], literals[2 * i + 1] = (opposite, value) if i == gate else (value, opposite)
        if len(value) == 1 and len(value[0][0]) == 1:
            moved[i] = value[0][0][0] >> 1
    new.values = [new.at(value, literals) for value in old.values]
    outputs = tuple(new.at(value, literals) for value in sums.outputs)
    return Sums(
        new,
        outputs,
        sums.states,
        frozenset(moved[i] for i in negated if i in moved),
        frozenset(moved[i] for i in turned if i in moved),
    )


def private_parameters(sums: Sums, gate: int) -> tuple[int, ...] | None:
    """Return the matrices and vectors, one in each term, that turn a sigmoid round if they are negated.

    Returns:
        None unless the sigmoid's input is a sum of terms, each of which is a `linear` or has a `param` as a factor that
        nothing else reads.
    """
    found: list[int] = []
    for monomial, _ in sums.atoms[gate].reads or ():
        own = [
            literal >> 1
            for literal in monomial
            if not literal & 1
            and sums.uses[literal] == 1
            and not sums.uses[literal + 1]
            and (sums.atoms[literal >> 1].node.op is Op.PARAM or len(monomial) == 1)
            and sums.atoms[literal >> 1].node.op in (Op.PARAM, Op.LINEAR)
        ]
        if not own:
            return None
        found += own if len(own) == 1 else [min(own, key=lambda i: repr(label_of(sums.atoms[i].node)))]
    return tuple(found)


def _negated(node: Node) -> Node:
    """Return a matrix or a learned vector whose start is minus that of the node."""
    bias = None if node.bias is None else _minus(node.bias)
    return replace(node, identity=0.0 - node.identity, bias=bias, start=_minus(node.start))


def _minus(start: Start) -> Start:
    return plain_start(replace(start, negative=not start.negative)) if isinstance(start, StartRule) else 0.0 - start


def plain_start(start: Start) -> Start:
    """Return a start without a sign where its rule needs none, with Python floats."""
    if not isinstance(start, StartRule):
        return float(start) + 0.0
    arguments = tuple(float(a) + 0.0 for a in start.arguments)
    if start.negative and start.rule is Rule.UNIFORM:
        return StartRule(start.rule, (0.0 - arguments[1], 0.0 - arguments[0]))
    if start.negative and start.rule is Rule.LINSPACE:
        return StartRule(start.rule, (0.0 - arguments[0], 0.0 - arguments[1]))
    return replace(start, arguments=arguments)


def sums_of(pruned: Form) -> Sums:
    """Return a pruned graph as sums, without the states that stay zero."""
    zero = _may_stay_zero(pruned)
    while True:  # from all candidates down to the largest set that stays zero if it starts at zero
        polynomials = Polynomials.of(pruned, zero)
        still = frozenset(k for k in zero if not polynomials.values[pruned.outputs[k]])
        if still == zero:
            break
        zero = still
    states = [0]
    found = Sums(polynomials, (polynomials.values[pruned.outputs[0]],), (0,))
    while True:
        read = {found.atoms[i].node.state for i in found.live if found.atoms[i].node.op is Op.STATE}
        new = sorted(read.difference(states))
        if not new:
            return found
        states = [0, *sorted({*states[1:], *new})]
        found = Sums(polynomials, tuple(polynomials.values[pruned.outputs[k]] for k in states), tuple(states))


def _may_stay_zero(graph: Form) -> frozenset[int]:
    """Return the states that may stay zero: those of which a computation with plain numbers does not show otherwise."""
    zero = frozenset(range(len(graph.outputs)))
    while zero:
        rng = random.Random(0)
        values: list[float] = []
        for node in graph.nodes:
            first, second = rng.uniform(0.5, 1.5), rng.uniform(-1.0, 1.0)
            inputs = [values[j] for j in node.inputs]
            try:
                values.append(_number_at(node, inputs, zero, first, second))
            except (OverflowError, ValueError):
                values.append(float("nan"))
        still = frozenset(k for k in zero if abs(values[graph.outputs[k]]) < _NEARLY_ZERO)
        if still == zero:
            break
        zero = still
    return zero


def _number_at(node: Node, inputs: list[float], zero: frozenset[int], first: float, second: float) -> float:
    compute: Callable[..., float] | None = OPERATIONS[node.op].value
    if node.op in POINTWISE and compute is not None:
        return compute(*inputs)
    if node.op is Op.STATE:
        return 0.0 if node.state in zero else first
    if node.op is Op.NUMBER:
        return node.value
    if node.op is Op.LINEAR and node.bias is None:
        return first * inputs[0]
    return first * inputs[0] + second if inputs else first


def ranks_of(sums: Sums, ports: Collection[int]) -> dict[int, int]:
    """Return the rank of each literal in the canonical order.

    Args:
        sums: the sums.
        ports: gates that may be turned; their two literals are not told apart.
    """
    return _Flat(sums, ports).ranks()


class _Flat:
    """Graph of atoms, products and sums, in which operands have no order."""

    def __init__(self, sums: Sums, ports: Collection[int]) -> None:
        self.sums, self.ports = sums, frozenset(ports)
        self.labels: list[str] = []
        self.reads: list[list[tuple[str, int]]] = []
        self.literals: dict[int, int] = {}
        self.products: dict[Monomial, int] = {}
        self.found: dict[Value, int] = {}
        self.individual: set[int] = set()
        self.leaves: dict[int, int] = {}

    def ranks(self) -> dict[int, int]:
        sums = self.sums
        number = {state: k for k, state in enumerate(sums.states)}
        for i in sums.live:
            atom = sums.atoms[i]
            if atom.node.op in (Op.ADD, Op.MUL):
                assert atom.reads is not None
                self.literals[2 * i] = self._value(atom.reads)
            else:
                label = repr((_RANK[atom.node.op], atom.node.op is Op.STATE and not atom.node.state))
                label += repr(label_of(atom.node.reading((), state=0)))
                reads = [] if atom.reads is None else [("", self._value(atom.reads))]
                self.literals[2 * i] = self._add(label, reads)
                if atom.node.op is Op.STATE:
                    self.leaves[number[atom.node.state]] = self.literals[2 * i]
                if atom.node.op in PARAMETRIC or atom.node.op is Op.STATE:
                    self.individual.add(self.literals[2 * i])
            if i in self.ports:
                whole = self.literals[2 * i]
                for literal in (2 * i, 2 * i + 1):
                    self.literals[literal] = self._add("port", [("", whole)])
                    self.individual.add(self.literals[literal])
        outputs = [self._value(value) for value in sums.outputs]
        ordering = Ordering(self.labels, self.reads, outputs, self.leaves, self.individual)
        _, order = ordering.smallest()
        place = {node: k for k, node in enumerate(order)}
        return {literal: place[node] for literal, node in self.literals.items()}

    def _add(self, label: str, reads: Iterable[tuple[str, int]]) -> int:
        self.labels.append(label)
        self.reads.append(list(reads))
        return len(self.labels) - 1

    def _literal(self, literal: int) -> int:
        if literal not in self.literals:
            self.literals[literal] = self._add("one minus", [("", self.literals[literal - 1])])
        return self.literals[literal]

    def _product(self, monomial: Monomial) -> int:
        if len(monomial) == 1:
            return self._literal(monomial[0])
        if monomial not in self.products:
            self.products[monomial] = self._add("product", [("", self._literal(literal)) for literal in monomial])
        return self.products[monomial]

    def _value(self, value: Value) -> int:
        if len(value) == 1 and value[0][0] and value[0][1] == 1:
            return self._product(value[0][0])
        if value not in self.found:
            constant = next((repr(float(number)) for monomial, number in value if not monomial), "")
            terms = [(repr(float(number)), self._product(monomial)) for monomial, number in value if monomial]
            self.found[value] = self._add(f"sum {constant}", terms)
        return self.found[value]
