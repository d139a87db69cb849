"""Other writings of a cell: sums and products nested anew, numbers folded otherwise, gates turned; and random cells.

Nothing here uses the canonical form, so that tests can compare it with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from search.cells.canonical import Correspondence
from search.cells.graph import GateGraph
from search.cells.operations import Node, Op
from search.cells.parameters import layout_of
from search.cells.starts import Rule, Start, StartRule
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference

UNITS, BATCH, STEPS = 4, 2, 4

_BIASES: tuple[Start | None, ...] = (0.0, 0.0, 0.0, 1.0, None, StartRule(Rule.CHRONO, (9.0,)))
_STARTS: tuple[Start, ...] = (0.0, 1.0, StartRule(Rule.UNIFORM, (-1.0, 2.0)))


class _Builder:
    """Nodes in order, with one leaf for the input and for each state."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.leaves: dict[Node, int] = {}

    def add(self, node: Node) -> int:
        if node.op in (Op.INPUT, Op.STATE):
            if node in self.leaves:
                return self.leaves[node]
            self.leaves[node] = len(self.nodes)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def apply(self, op: Op, *inputs: int) -> int:
        return self.add(Node(op, inputs))

    def number(self, value: float) -> int:
        return self.add(Node(Op.NUMBER, value=value))


def random_graph(rng: np.random.Generator) -> GateGraph:
    """Return a graph of random wiring over most operations, in which z * a + (1 - z) * b is frequent."""
    states = int(rng.integers(1, 4))
    made = _Builder()
    made.add(Node(Op.INPUT))
    for k in range(states):
        made.add(Node(Op.STATE, state=k))
    for value in rng.choice([0.0, 1.0, -1.0, 0.5, 2.0, 0.1], size=int(rng.integers(3))).tolist():
        made.number(value)
    ops = [Op.ADD, Op.SUB, Op.MUL] * 2 + [Op.TANH, Op.SIGMOID, Op.SIGMOID, Op.LINEAR, Op.LINEAR, Op.RELU]
    ops += [Op.PARAM, Op.SOFTPLUS]
    for _ in range(int(rng.integers(3, 22))):
        op = ops[rng.integers(len(ops))]
        arity = 0 if op is Op.PARAM else 2 if op in (Op.ADD, Op.SUB, Op.MUL) else 1
        first = max(0, len(made.nodes) - 8) if rng.random() < 0.6 else 0
        inputs = tuple(rng.integers(first, len(made.nodes), size=arity).tolist())
        node = Node(op, inputs)
        if op is Op.LINEAR:
            node = replace(node, identity=float(rng.choice([0, 0, 0, 1, -1])), bias=_BIASES[rng.integers(6)])
        elif op is Op.PARAM:
            node = replace(node, start=_STARTS[rng.integers(3)])
        z = made.add(node)
        if op is Op.SIGMOID and rng.random() < 0.5:
            a, b = rng.integers(0, len(made.nodes) - 1, size=2).tolist()
            kept = made.apply(Op.SUB, b, made.apply(Op.MUL, z, b))
            made.apply(Op.ADD, made.apply(Op.MUL, z, a), kept)
    outputs = rng.integers(max(0, len(made.nodes) - 6), len(made.nodes), size=states).tolist()
    return GateGraph(tuple(made.nodes), tuple(outputs))


class Writing:
    """Another writing of a graph.

    Attributes:
        graph: The graph as written anew.
        turned: Number of gates that are replaced by one minus them, with their parameters negated.
    """

    def __init__(self, graph: GateGraph, rng: np.random.Generator, *, turning: bool = True) -> None:
        self._old, self._rng, self._made = graph, rng, _Builder()
        self._gates: set[int] = set()
        self._negated: set[int] = set()
        for i in range(len(graph)) if turning else ():
            own = _own_parameters(graph, i)
            if own and rng.random() < 0.5:
                self._gates.add(i)
                self._negated |= set(own)
        self._values: dict[int, int] = {}
        outputs = tuple(self._value(i) for i in graph.outputs)
        self.graph = GateGraph(tuple(self._made.nodes), outputs)
        self.turned = len(self._gates)

    def _value(self, i: int) -> int:
        if i not in self._values:
            self._values[i] = self._written(i)
        return self._values[i]

    def _written(self, i: int) -> int:
        node, made, rng = self._old.nodes[i], self._made, self._rng
        match node.op:
            case Op.ADD | Op.SUB:
                return self._sum(i)
            case Op.MUL:
                factors = [self._value(j) for k in node.inputs for j in self._factors(k)]
                if rng.random() < 0.1:
                    factors += [made.number(0.5), made.number(2.0)]
                return self._joined(Op.MUL, factors)
            case Op.NUMBER if rng.random() < 0.4:
                other = made.number(0.3)
                return made.apply(Op.SUB, made.apply(Op.ADD, made.number(node.value), other), other)
        written = node.reading(tuple(self._value(j) for j in node.inputs))
        if i in self._negated:
            bias = None if written.bias is None else _opposite(written.bias)
            written = replace(written, identity=-written.identity, bias=bias, start=_opposite(written.start))
        found = made.add(written)
        return made.apply(Op.SUB, made.number(1.0), found) if i in self._gates else found

    def _sum(self, i: int) -> int:
        left, right = self._old.nodes[i].inputs
        product = self._old.nodes[right]
        made, rng = self._made, self._rng
        is_difference = self._old.nodes[i].op is Op.SUB
        if is_difference and product.op is Op.MUL and left in product.inputs and rng.random() < 0.5:
            z = product.inputs[1 - product.inputs.index(left)]
            rest = made.apply(Op.SUB, made.number(1.0), self._value(z))
            return self._joined(Op.MUL, [rest, *(self._value(j) for j in self._factors(left))])
        parts = self._terms(left, 1) + self._terms(right, -1 if is_difference else 1)
        terms = [(sign, self._value(j)) for sign, j in parts]
        if rng.random() < 0.2:
            terms.append((1, made.number(0.0)))
        while len(terms) > 1:
            (one, a), (two, b) = (terms.pop(int(rng.integers(len(terms)))) for _ in range(2))
            if one == two:
                terms.append((one, made.apply(Op.ADD, a, b)))
            else:
                plus, minus = (a, b) if one > 0 else (b, a)
                here = rng.random() < 0.6
                terms.append((1, made.apply(Op.SUB, plus, minus)) if here else (-1, made.apply(Op.SUB, minus, plus)))
        sign, found = terms[0]
        if sign > 0:
            return found
        return made.apply(Op.SUB, made.number(0.0), found) if rng.random() < 0.5 else self._minus(found)

    def _minus(self, i: int) -> int:
        return self._made.apply(Op.MUL, self._made.number(-1.0), i)

    def _terms(self, i: int, sign: int) -> list[tuple[int, int]]:
        node = self._old.nodes[i]
        if node.op not in (Op.ADD, Op.SUB) or self._rng.random() < 0.2:
            return [(sign, i)]
        left, right = node.inputs
        return self._terms(left, sign) + self._terms(right, -sign if node.op is Op.SUB else sign)

    def _factors(self, i: int) -> list[int]:
        node = self._old.nodes[i]
        if node.op is not Op.MUL or self._rng.random() < 0.2:
            return [i]
        return [factor for j in node.inputs for factor in self._factors(j)]

    def _joined(self, op: Op, parts: Sequence[int]) -> int:
        left = list(parts)
        while len(left) > 1:
            a, b = (left.pop(int(self._rng.integers(len(left)))) for _ in range(2))
            left.append(self._made.apply(op, a, b))
        return left[0]


def _opposite(start: Start) -> Start:
    return replace(start, negative=not start.negative) if isinstance(start, StartRule) else -start


def _own_parameters(graph: GateGraph, gate: int) -> list[int]:
    """Return the matrices and vectors that turn a sigmoid if they are negated; an empty list if it cannot be turned."""
    if graph.nodes[gate].op is not Op.SIGMOID:
        return []
    found = []
    pending = [graph.nodes[gate].inputs[0]]
    while pending:
        i = pending.pop()
        node = graph.nodes[i]
        own = [j for j in (i, *node.inputs) if graph.nodes[j].op is Op.PARAM and graph.uses[j] == 1]
        if graph.uses[i] != 1:
            return []
        if node.op in (Op.ADD, Op.SUB):
            pending += node.inputs
        elif node.op is Op.LINEAR or (node.op in (Op.MUL, Op.PARAM) and own):
            found.append(i if node.op is Op.LINEAR else own[0])
        else:
            return []
    return found


def outputs_of(graph: GateGraph, parameters: LayerParameters) -> Tensor:
    """Return the outputs (T, B, H) of a graph over random inputs, from zero states."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(STEPS, BATCH, UNITS, generator=generator, dtype=torch.float64)
    states = tuple(torch.zeros(BATCH, UNITS, dtype=torch.float64) for _ in range(graph.states))
    return run_reference(graph, parameters, x, states)[0]


def random_parameters(graph: GateGraph, seed: int) -> LayerParameters:
    """Return random parameters of a layer of a graph."""
    layout, generator = layout_of(graph), torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64) / 2

    blocks = tuple(normal(g, UNITS // g, UNITS // g) for g in layout.groups)
    return LayerParameters(
        normal(len(layout.full), UNITS, UNITS),
        normal(len(layout.biased), UNITS),
        blocks,
        normal(len(layout.vectors), UNITS),
    )


def carried_over(
    graph: GateGraph, canonical: GateGraph, parameters: LayerParameters, found: Correspondence
) -> LayerParameters:
    """Return the parameters of the canonical graph that are those of the graph, with their signs; all must be found."""
    old, new = layout_of(graph), layout_of(canonical)
    place = found.opposites | found.positions
    sign = {i: -1.0 if i in found.negated else 1.0 for i in range(len(graph))}
    back = {j: i for i, j in place.items() if graph.nodes[i].op is canonical.nodes[j].op}

    def taken(tensor: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
        rows = [sign[back[j]] * tensor[list(before).index(back[j])] for j in after]
        return torch.stack(rows) if rows else tensor[:0]

    assert parameters.vectors is not None
    assert not new.grouped
    vectors = [vector.node for vector in old.vectors]
    return LayerParameters(
        taken(parameters.weights, old.full, new.full),
        taken(parameters.biases, old.biased, new.biased),
        (),
        taken(parameters.vectors, vectors, [vector.node for vector in new.vectors]),
    )
